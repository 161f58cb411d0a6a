//! A progress bar for terminals.

use crate::Model;
use crate::error::Result;
use crate::runs::train::{BatchReport, EpochReport, Progress};
use indicatif::{ProgressBar, ProgressStyle};
use std::ops::ControlFlow;
use std::time::Instant;

/// One bar over the whole run with images a second and the time left; one line an epoch.
#[derive(Debug, Default)]
pub struct Bar {
    bar: Option<ProgressBar>,
    start: Option<Instant>,
    images: usize,
}

impl Bar {
    fn bar(&mut self, report: &BatchReport) -> &ProgressBar {
        self.bar.get_or_insert_with(|| {
            let bar = ProgressBar::new((report.epochs * report.batches) as u64);
            let style = ProgressStyle::with_template("{bar:30} {percent:>3}%  {msg}  {eta} left");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_position((report.epoch * report.batches + report.batch) as u64);
            bar.reset_eta();
            bar
        })
    }
}

impl Progress for Bar {
    fn batch(&mut self, report: &BatchReport) -> Result<ControlFlow<()>> {
        let start = *self.start.get_or_insert_with(Instant::now);
        let seconds = start.elapsed().as_secs_f64();
        // The first batch starts the clock, its images are not counted.
        let rate = if seconds > 0.0 { self.images as f64 / seconds } else { 0.0 };
        self.images += report.images;
        let bar = self.bar(report);
        bar.set_position((report.epoch * report.batches + report.batch + 1) as u64);
        bar.set_message(format!(
            "epoch {}/{}  loss {:.4}  {:.2} %  {rate:.0} images/s",
            report.epoch + 1,
            report.epochs,
            report.loss,
            100.0 * report.accuracy
        ));
        Ok(ControlFlow::Continue(()))
    }

    fn epoch(&mut self, report: &EpochReport, _: &Model<f32>) -> Result<()> {
        let test =
            report.test.as_ref().map_or(String::new(), |t| format!("  test {:.2} %", 100.0 * t.accuracy()));
        let line = format!(
            "epoch {:>3}/{}  loss {:.4}  train {:.2} %{test}  {:.1} s, {:.0} images/s",
            report.epoch + 1,
            report.epochs,
            report.loss,
            100.0 * report.accuracy,
            report.seconds,
            report.images as f64 / report.seconds
        );
        match &self.bar {
            Some(bar) if !bar.is_hidden() => bar.println(line),
            _ => eprintln!("{line}"),
        }
        if report.epoch + 1 == report.epochs
            && let Some(bar) = &self.bar
        {
            bar.finish_and_clear();
        }
        Ok(())
    }
}
