//! Labelled images for training, calibration and checks.

use crate::error::Result;
use clap::ValueEnum;
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
