//! The results as a table in Markdown.

use super::file::Study;
use super::record::Record;
use std::collections::BTreeSet;
use std::fmt::Write;

/// A line for each row of the study that has a finished run.
pub(super) fn markdown(study: &Study, records: &[Record]) -> String {
    let widths: BTreeSet<u32> = records.iter().flat_map(|r| &r.integers).map(|i| i.act_bits).collect();
    let mut text = format!("{}\n\n| run | seeds | test accuracy", study.title);
    for bits in widths.iter().rev() {
        _ = write!(text, " | integer, A = {bits}");
    }
    text += " | images/s | training |\n|---|---|---";
    text += &"|---".repeat(widths.len());
    text += "|---|---|\n";
    for row in &study.rows {
        let runs: Vec<&Record> = records.iter().filter(|r| r.label == row.label).collect();
        let Some(first) = runs.first() else { continue };
        let images = (first.settings.config.epochs * first.epoch_images) as f64;
        let accuracies: Vec<f64> = runs.iter().map(|r| 100.0 * r.accuracy).collect();
        _ = write!(text, "| {} | {} | {}", row.label, runs.len(), spread(&accuracies));
        for bits in widths.iter().rev() {
            let integers = runs.iter().flat_map(|r| &r.integers).filter(|i| i.act_bits == *bits);
            let accuracies: Vec<f64> = integers.filter_map(|i| i.accuracy).map(|a| 100.0 * a).collect();
            _ = write!(text, " | {}", spread(&accuracies));
        }
        let rates: Vec<f64> = runs.iter().filter_map(|r| r.pace.rate()).collect();
        let rate = mean(&rates);
        _ = match rates.is_empty() {
            true => writeln!(text, " | - | - |"),
            false => writeln!(text, " | {rate:.0} | {:.0} s |", images / rate),
        };
    }
    text
}

/// Mean, and where there are several the standard deviation.
fn spread(values: &[f64]) -> String {
    let m = mean(values);
    match values.len() {
        0 => "-".into(),
        1 => format!("{m:.2} %"),
        count => {
            let squares: f64 = values.iter().map(|v| (v - m).powi(2)).sum();
            format!("{m:.2} +- {:.2} %", (squares / (count - 1) as f64).sqrt())
        }
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_the_standard_deviation_of_a_sample() {
        assert_eq!(spread(&[]), "-");
        assert_eq!(spread(&[70.0]), "70.00 %");
        assert_eq!(spread(&[69.0, 70.0, 71.0]), "70.00 +- 1.00 %");
    }
}
