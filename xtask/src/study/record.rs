//! What a finished run leaves.

use empf_trainer::runs::log::{Metrics, Scope};
use empf_trainer::runs::train::TrainConfig;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// All that decides the result of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Settings {
    pub(super) network: String,
    pub(super) width: f64,
    pub(super) time_steps: usize,
    pub(super) config: TrainConfig,
    pub(super) quantise: Vec<u32>,
    pub(super) calibration: usize,
    /// Digests of the images to train with and to judge by.
    pub(super) data: [String; 2],
}

/// An integer network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Integer {
    pub(super) act_bits: u32,
    /// On the test images, 0..=1.
    pub(super) accuracy: Option<f64>,
    /// Why there is no accuracy.
    pub(super) refusal: Option<String>,
}

/// How fast a run trained, over its lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Pace {
    pub(super) images: f64,
    pub(super) seconds: f64,
}

impl Pace {
    /// Over the epochs of a run; of one in which the process was killed only the rest is timed.
    pub(super) fn of(lines: &[Metrics]) -> Self {
        let epochs = lines.iter().filter(|line| line.scope == Scope::Epoch);
        epochs.fold(Pace::default(), |pace, line| match line.images_per_second {
            Some(rate) => {
                Pace { images: pace.images + rate * line.seconds, seconds: pace.seconds + line.seconds }
            }
            None => pace,
        })
    }

    /// Images a second; none where nothing was timed.
    pub(super) fn rate(self) -> Option<f64> {
        (self.seconds > 0.0).then(|| self.images / self.seconds)
    }
}

/// A run and its results.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) label: String,
    pub(super) settings: Settings,
    /// Of the trainer's own forward, on the test images, 0..=1.
    pub(super) accuracy: f64,
    pub(super) integers: Vec<Integer>,
    /// Images of an epoch.
    pub(super) epoch_images: usize,
    pub(super) pace: Pace,
}

impl Record {
    /// The record at `path`, where there is one.
    pub(super) fn load(path: &Path) -> crate::error::Result<Option<Self>> {
        match std::fs::read(path) {
            Ok(bytes) => {
                let record = serde_json::from_slice(&bytes);
                Ok(Some(record.map_err(|e| format!("{}: {e}; delete it to run again", path.display()))?))
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(format!("{}: {e}", path.display()).into()),
        }
    }
}
