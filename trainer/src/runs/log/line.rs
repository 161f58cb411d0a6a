//! The lines of a log.

use serde::{Deserialize, Serialize};

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// An epoch so far.
    Batch,
    /// A whole epoch.
    Epoch,
}

/// A line of [`METRICS`](super::METRICS).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// What it is about.
    pub scope: Scope,
    /// Batches of the run that are done.
    pub step: usize,
    /// Counted from 0.
    pub epoch: usize,
    /// Mean loss of the epoch so far.
    pub loss: f64,
    /// Share of correct answers in training, in the epoch so far, 0..=1.
    pub accuracy: f64,
    /// Share of correct answers on the test images, where the epoch was judged, 0..=1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_accuracy: Option<f64>,
    /// Learning rate of the last batch.
    pub rate: f64,
    /// Images a second since the line before, or of the epoch without its judging; none where this process has
    /// trained no image.
    pub images_per_second: Option<f64>,
    /// Seconds that the images took.
    pub seconds: f64,
    /// Seconds since 1970.
    pub time: f64,
}
