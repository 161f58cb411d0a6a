//! Labelled images for training, calibration and checks.

use crate::error::Result;
use clap::ValueEnum;
use empf_ir::Input;
use empf_trainer::data::{Dataset, Split};

/// Seed of the generated data set: every verb sees the same one.
const GLYPHS_SEED: u64 = 1;

/// A part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SplitName {
    /// Images that the network has not learned from
    Test,
    /// Images that it learned from
    Train,
}

/// The generated set, or the data set of a folder.
pub(crate) fn load(source: &str) -> Result<Split> {
    Ok(Split::load(source, GLYPHS_SEED)?)
}

/// One part of the generated set, or of the data set of a folder.
pub(crate) fn part(source: &str, name: SplitName) -> Result<Dataset> {
    let Split { train, test } = load(source)?;
    Ok(match name {
        SplitName::Test => test,
        SplitName::Train => train,
    })
}

/// An input whose values have about mean 0 and variance 1 on `data`.
pub(crate) fn standardised(data: &Dataset) -> Input {
    let count = data.pixels.len().max(1) as f64;
    let mean = data.pixels.iter().map(|p| f64::from(*p)).sum::<f64>() / count;
    let variance = data.pixels.iter().map(|p| (f64::from(*p) - mean).powi(2)).sum::<f64>() / count;
    Input {
        channels: data.channels,
        height: data.height,
        width: data.width,
        frames: 1,
        zero_point: mean.round() as u8,
        scale: (1.0 / variance.sqrt().max(1.0)) as f32,
    }
}
