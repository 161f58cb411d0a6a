//! Labelled images for training, calibration and checks.

use crate::error::Result;
use clap::ValueEnum;
use empf_ir::{Input, QuantInput};
use empf_trainer::data::events::Cut;
use empf_trainer::data::{Dataset, Reading, Split};

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
    Ok(Split::load(source, &Reading { seed: GLYPHS_SEED, frames, cut: events.into(), size })?)
}

/// One part of a data set, whose events become what `input` says.
pub(crate) fn part(source: &str, name: SplitName, input: &QuantInput, events: EventCut) -> Result<Dataset> {
    let Split { train, test } = load(source, input.frames, Some((input.height, input.width)), events)?;
    Ok(match name {
        SplitName::Test => test,
        SplitName::Train => train,
    })
}

/// An input whose values have about variance 1 on `data`, and mean 0 too, but where no event happened the value
/// of events is 0.
pub(crate) fn standardised(data: &Dataset) -> Input {
    let mut counts = [0u64; 256];
    data.pixels.iter().for_each(|code| counts[usize::from(*code)] += 1);
    let mean_of = |value: &dyn Fn(f64) -> f64| {
        let sum: f64 =
            counts.iter().enumerate().map(|(code, count)| *count as f64 * value(code as f64)).sum();
        sum / data.pixels.len().max(1) as f64
    };
    let centre = if data.frames > 1 { 0.0 } else { mean_of(&|code| code) };
    let variance = mean_of(&|code| (code - centre).powi(2));
    Input {
        channels: data.channels,
        height: data.height,
        width: data.width,
        frames: data.frames,
        zero_point: centre.round() as u8,
        scale: (1.0 / variance.sqrt().max(1.0)) as f32,
    }
}
