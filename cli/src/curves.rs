//! Loss and accuracy of a run, epoch by epoch.

use crate::picture::{Drawn, Picture};
use empf_trainer::runs::log::{Metrics, Scope};
use plotters::coord::Shift;
use plotters::prelude::*;

const TRAINING: RGBColor = RGBColor(31, 119, 180);
const TEST: RGBColor = RGBColor(214, 39, 40);

/// A value after each epoch, counted from 1.
type Points = Vec<(f64, f64)>;

/// Two charts: loss, and accuracy in training and on the test images.
pub(crate) struct Curves {
    loss: Points,
    accuracy: Points,
    test_accuracy: Points,
}

impl Curves {
    /// Of the lines of a run that are about whole epochs.
    pub(crate) fn of(lines: &[Metrics]) -> Self {
        let points = |value: fn(&Metrics) -> Option<f64>| {
            let epochs = lines.iter().filter(|line| line.scope == Scope::Epoch);
            epochs.filter_map(|line| Some((line.epoch as f64 + 1.0, value(line)?))).collect()
        };
        Curves {
            loss: points(|line| Some(line.loss)),
            accuracy: points(|line| Some(100.0 * line.accuracy)),
            test_accuracy: points(|line| Some(100.0 * line.test_accuracy?)),
        }
    }
}

impl Picture for Curves {
    fn size(&self) -> (u32, u32) {
        (960, 400)
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        let (left, right) = area.split_horizontally(self.size().0 / 2);
        let largest = self.loss.iter().map(|(_, y)| *y).fold(0.1, f64::max);
        chart(&left, "loss", 1.05 * largest, &[("training", TRAINING, &self.loss)])?;
        let accuracies = [("training", TRAINING, &self.accuracy), ("test", TEST, &self.test_accuracy)];
        chart(&right, "accuracy, %", 100.0, &accuracies)
    }
}

/// Lines over the epochs, from 0 to `top`.
fn chart<B: DrawingBackend>(
    area: &DrawingArea<B, Shift>,
    caption: &str,
    top: f64,
    lines: &[(&str, RGBColor, &Points)],
) -> Drawn<B> {
    let epochs = lines.iter().flat_map(|(_, _, points)| points.iter()).map(|(x, _)| *x).fold(2.0, f64::max);
    let mut chart = ChartBuilder::on(area)
        .margin(12)
        .caption(caption, ("sans-serif", 18))
        .x_label_area_size(36)
        .y_label_area_size(48)
        .build_cartesian_2d(1.0..epochs, 0.0..top)?;
    chart
        .configure_mesh()
        .x_desc("epoch")
        .x_label_formatter(&|x| if x.fract() == 0.0 { x.to_string() } else { String::new() })
        .label_style(("sans-serif", 14))
        .light_line_style(WHITE)
        .draw()?;
    for (name, color, points) in lines.iter().filter(|(_, _, points)| !points.is_empty()) {
        let color = *color;
        chart
            .draw_series(LineSeries::new(points.iter().copied(), color.stroke_width(2)))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
        chart.draw_series(points.iter().map(|point| Circle::new(*point, 2, color.filled())))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerLeft)
        .label_font(("sans-serif", 14))
        .border_style(BLACK.mix(0.3))
        .background_style(WHITE.mix(0.8))
        .draw()
}
