//! Which classes are taken for which.

use crate::picture::{Drawn, Picture};
use empf_trainer::runs::evaluate::Evaluation;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Pixels around the matrix.
const MARGIN: i32 = 60;
/// Side of the matrix in pixels, about.
const SIDE: usize = 600;
/// Cells of fewer pixels are not labelled.
const LABELLED: usize = 24;

/// A matrix of cells, the darker the larger the share of its class.
pub(crate) struct Confusion<'a>(pub(crate) &'a Evaluation);

impl Confusion<'_> {
    fn classes(&self) -> usize {
        self.0.confusion.len()
    }

    /// Side of a cell.
    fn cell(&self) -> usize {
        (SIDE / self.classes().max(1)).max(2)
    }
}

impl Picture for Confusion<'_> {
    fn size(&self) -> (u32, u32) {
        let side = (self.classes() * self.cell()) as u32 + 2 * MARGIN as u32;
        (side, side)
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        let cell = self.cell() as i32;
        let middle = MARGIN + cell * self.classes() as i32 / 2;
        let title = format!("{} of {} images are right", self.0.correct(), self.0.total());
        area.draw(&Text::new(title, (middle, MARGIN / 4), style(18.0, &BLACK)))?;
        area.draw(&Text::new("answer", (middle, MARGIN * 3 / 5 - 3), style(14.0, &BLACK)))?;
        let down = style(14.0, &BLACK).transform(FontTransform::Rotate270);
        area.draw(&Text::new("class", (MARGIN / 3, middle), down))?;
        let font = (self.cell() as f64 / 3.0).clamp(8.0, 14.0);
        for (class, row) in self.0.confusion.iter().enumerate() {
            let total = row.iter().sum::<usize>().max(1);
            for (answer, count) in row.iter().enumerate() {
                let corner = (MARGIN + answer as i32 * cell, MARGIN + class as i32 * cell);
                let share = *count as f64 / total as f64;
                let shade = |end: f64| (255.0 + share * (end - 255.0)) as u8;
                let color = RGBColor(shade(8.0), shade(48.0), shade(107.0));
                let opposite = (corner.0 + cell, corner.1 + cell);
                area.draw(&Rectangle::new([corner, opposite], color.filled()))?;
                if self.cell() >= LABELLED {
                    let center = (corner.0 + cell / 2, corner.1 + cell / 2);
                    let color = if share > 0.5 { &WHITE } else { &BLACK };
                    area.draw(&Text::new(count.to_string(), center, style(font, color)))?;
                }
            }
            if self.cell() >= LABELLED {
                let at = MARGIN + class as i32 * cell + cell / 2;
                for position in [(MARGIN * 4 / 5, at), (at, MARGIN * 4 / 5)] {
                    area.draw(&Text::new(class.to_string(), position, style(font, &BLACK)))?;
                }
            }
        }
        Ok(())
    }
}

/// Text around its middle.
fn style(size: f64, color: &RGBColor) -> TextStyle<'_> {
    TextStyle::from(("sans-serif", size).into_font()).color(color).pos(Pos::new(HPos::Center, VPos::Center))
}
