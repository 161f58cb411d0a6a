//! A study as people write it.

use empf_data::Augment;
use empf_trainer::Device;
use empf_trainer::layers::conv::Precision;
use empf_trainer::presets::settings;
use empf_trainer::runs::train::{Rule, TrainConfig};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::Path;

/// Runs to be compared; what is said here holds for all rows.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Study {
    /// Heading of the table.
    pub(super) title: String,
    pub(super) epochs: usize,
    pub(super) batch_size: usize,
    pub(super) rate: f64,
    /// Factor on the networks' channel counts.
    pub(super) width: f64,
    pub(super) time_steps: usize,
    /// Every row is trained once with each.
    pub(super) seeds: Vec<u64>,
    pub(super) augment: Augment,
    /// Bits of a spike for which the trained networks are made integer, unless a row says otherwise.
    #[serde(default)]
    quantise: Vec<u32>,
    /// Training images that the compiler calibrates on.
    #[serde(default = "default_calibration")]
    pub(super) calibration: usize,
    /// Only so many images to train with, and to judge by.
    pub(super) limit: Option<usize>,
    #[serde(rename = "row")]
    pub(super) rows: Vec<Row>,
}

fn default_calibration() -> usize {
    64
}

/// A network and how it learns.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    pub(super) label: String,
    /// Name of the network.
    pub(super) network: String,
    pub(super) rule: Rule,
    #[serde(default)]
    precision: Precision,
    /// Time-steps of a batch that pass back in random back-propagation.
    random_steps: Option<usize>,
    /// Bits of a spike in training; it is made integer for these alone.
    act_bits: Option<u32>,
    /// In place of the study's.
    rate: Option<f64>,
    /// In place of the study's.
    quantise: Option<Vec<u32>>,
}

impl Study {
    /// Reads and checks the file at `path`.
    pub(super) fn load(path: &Path) -> crate::error::Result<Self> {
        let wrong = |message: String| format!("{}: {message}", path.display());
        let text = std::fs::read_to_string(path).map_err(|e| wrong(e.to_string()))?;
        let study: Study = toml::from_str(&text).map_err(|e| wrong(e.to_string()))?;
        let names: BTreeSet<String> = study.rows.iter().map(Row::slug).collect();
        if names.len() < study.rows.len() {
            return Err(wrong("two rows have labels that differ in signs alone; rename one".into()).into());
        }
        Ok(study)
    }

    /// Settings of the run of `row` with `seed`.
    pub(super) fn config(&self, row: &Row, seed: u64) -> TrainConfig {
        TrainConfig {
            epochs: self.epochs,
            batch_size: self.batch_size,
            rate: row.rate.unwrap_or(self.rate),
            rule: row.rule,
            random_steps: row.random_steps.unwrap_or(1),
            augment: self.augment,
            seed,
            act_bits: row.act_bits,
            precision: row.precision,
            device: Device::Cpu,
            ..settings(&row.network)
        }
    }
}

impl Row {
    /// The label as a file name.
    pub(super) fn slug(&self) -> String {
        let sign = |c: char| if c.is_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let text: String = self.label.chars().map(sign).collect();
        text.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
    }

    /// Bits of a spike for which the network is made integer.
    pub(super) fn quantise(&self, study: &Study) -> Vec<u32> {
        match self.act_bits {
            Some(bits) => vec![bits],
            None => self.quantise.clone().unwrap_or_else(|| study.quantise.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_studies_of_this_repository_are_valid() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bench/studies");
        let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(!files.is_empty());
        for file in files {
            let study = Study::load(&file).unwrap();
            assert!(study.rows.iter().all(|row| study.config(row, 1).rate > 0.0), "{}", file.display());
        }
    }

    #[test]
    fn labels_become_file_names() {
        let row = |label: &str| Row {
            label: label.into(),
            network: "tiny".into(),
            rule: Rule::Online,
            random_steps: None,
            act_bits: None,
            precision: Precision::Full,
            rate: None,
            quantise: None,
        };
        assert_eq!(row("I + III, random BP (A = 4)").slug(), "i-iii-random-bp-a-4");
    }
}
