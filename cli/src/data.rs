//! Labelled images for training, calibration and checks.

use crate::error::Result;
use clap::ValueEnum;
use empf_data::events::Cut;
use empf_data::{Dataset, Reading, Split};

/// A part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SplitName {
    /// Images that the network has not learned from
    Test,
    /// Images that it learned from
    Train,
}

/// How recordings of events are cut into frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EventCut {
    /// Frames of equally many events
    Count,
    /// Frames of equal duration
    Time,
}

impl From<EventCut> for Cut {
    fn from(cut: EventCut) -> Self {
        match cut {
            EventCut::Count => Cut::Count,
            EventCut::Time => Cut::Time,
        }
    }
}

/// The generated set, or the data set of a folder or archive; events become `frames` frames of `size` (rows and
/// columns), or of the usual size.
pub(crate) fn load(
    source: &str,
    frames: usize,
    size: Option<(usize, usize)>,
    events: EventCut,
) -> Result<Split> {
    Ok(Split::load(source, &Reading { cut: events.into(), size, ..Reading::usual(frames) })?)
}

/// One part of a data set, whose events become `frames` frames of `size`.
pub(crate) fn part(
    source: &str,
    name: SplitName,
    frames: usize,
    size: (usize, usize),
    events: EventCut,
) -> Result<Dataset> {
    let Split { train, test } = load(source, frames, Some(size), events)?;
    Ok(match name {
        SplitName::Test => test,
        SplitName::Train => train,
    })
}
