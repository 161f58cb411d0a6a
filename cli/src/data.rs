//! Labelled images for training, calibration and checks, and whether they fit a network.

use crate::error::{Error, Result};
use clap::ValueEnum;
use empf_data::events::Cut;
use empf_data::{Dataset, GLYPHS, Reading, Split};
use empf_ir::{ClassNames, Input, Network, QuantInput, QuantNetwork, counted};

/// Of more classes than this, the others are counted.
const LISTED: usize = 8;

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

/// How a data set is read where its files leave it open.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct ReadingArgs {
    /// Cut events into frames of equally many (count) or of equal duration (time), as in training
    /// [default: count]
    #[arg(long, value_enum, hide_possible_values = true, value_name = "count|time")]
    events: Option<EventCut>,
    /// The label in idx files that is class 0: 1 where they count from 1, as EMNIST's letters do
    #[arg(long, default_value_t = 0, value_name = "LABEL")]
    pub(crate) first_label: u8,
}

impl ReadingArgs {
    /// The generated set, or the data set of a folder or archive; events become `frames` frames of `size` (rows and
    /// columns), or of the usual size.
    pub(crate) fn load(self, source: &str, frames: usize, size: Option<(usize, usize)>) -> Result<Split> {
        let ReadingArgs { events, first_label } = self;
        if source == GLYPHS && events.is_some() {
            let message = format!("is for recordings of events; `{GLYPHS}` are images");
            return Err(Error::Option { option: "events", message });
        }
        let cut = events.unwrap_or(EventCut::Count).into();
        let reading = Reading { cut, size, first_label, ..Reading::usual(frames) };
        Split::load(source, &reading).map_err(|error| match error {
            empf_data::Error::Setting { setting: option @ "first-label", message } => {
                Error::Option { option, message }
            }
            error => error.into(),
        })
    }

    /// Of which classes `data`, which was read so, has no image for its `purpose`, and what may be the cause, in words
    /// that follow its name.
    pub(crate) fn missing_classes(self, data: &Dataset, purpose: &str) -> Option<String> {
        let missing = data.empty_classes();
        if missing.is_empty() {
            return None;
        }
        let names: Vec<_> = missing.iter().take(LISTED).map(|class| data.class_names.name(*class)).collect();
        let more = match missing.len() - names.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let what = if missing.len() == 1 { "class" } else { "classes" };
        let text = format!("has no image of {what} {}{more} {purpose}", names.join(", "));
        let lowest = data.labels.iter().min().map_or(0, |label| usize::from(*label));
        let first = lowest + usize::from(self.first_label);
        Some(match lowest {
            0 => text,
            _ => format!(
                "{text}; where the labels of its idx files start at {first}, give --first-label {first}"
            ),
        })
    }
}

/// What a network takes and answers; data has to fit it.
pub(crate) struct Interface<'a> {
    pub(crate) input: QuantInput,
    classes: usize,
    names: &'a ClassNames,
}

impl<'a> From<&'a Network> for Interface<'a> {
    fn from(network: &'a Network) -> Self {
        let Input { channels, height, width, frames, .. } = network.input;
        let input = QuantInput { channels, height, width, frames };
        Interface { input, classes: network.classes, names: &network.class_names }
    }
}

impl<'a> From<&'a QuantNetwork> for Interface<'a> {
    fn from(network: &'a QuantNetwork) -> Self {
        Interface { input: network.input.clone(), classes: network.classes, names: &network.class_names }
    }
}

impl Interface<'_> {
    /// One part of the data set of `source`, whose images and classes are those of the network. Classes that it has no
    /// image of are noted.
    pub(crate) fn part(&self, source: &str, split: SplitName, reading: ReadingArgs) -> Result<Dataset> {
        let QuantInput { height, width, frames, .. } = self.input;
        let Split { train, test } = reading.load(source, frames, Some((height, width)))?;
        let mut data = match split {
            SplitName::Test => test,
            SplitName::Train => train,
        };
        self.check(&data).map_err(|message| Error::file(source, message))?;
        data.classes = self.classes;
        if let Some(missing) = reading.missing_classes(&data, "in this part") {
            eprintln!("note: {source} {missing}");
        }
        Ok(data)
    }

    fn check(&self, data: &Dataset) -> std::result::Result<(), String> {
        let Dataset { frames, channels, height, width, classes, .. } = *data;
        let QuantInput { frames: frames_taken, .. } = self.input;
        if (frames, channels, height, width)
            != (frames_taken, self.input.channels, self.input.height, self.input.width)
        {
            let describe =
                |frames: usize| if frames == 1 { String::new() } else { format!("{frames} frames of ") };
            let (holds, takes) = (describe(frames), describe(frames_taken));
            let shape = self.input.shape();
            return Err(format!(
                "holds images of {holds}{channels}x{height}x{width}, the network takes {takes}{shape}"
            ));
        }
        if let Some(difference) = data.class_names.difference(self.names) {
            return Err(format!(
                "is of other classes than the network: their names {difference}; give the data set that it was \
                 trained for"
            ));
        }
        if classes > self.classes {
            let (has, knows) = (counted(classes, "class"), counted(self.classes, "class"));
            return Err(format!(
                "has {has}, but the network has {knows}; give the data set that it was trained for, and \
                 --first-label if it was trained with that"
            ));
        }
        Ok(())
    }

    /// Labels of `source` are those of the network's classes.
    pub(crate) fn check_labels(&self, source: &str, labels: &[usize]) -> Result<()> {
        let Some(sample) = labels.iter().position(|label| *label >= self.classes) else { return Ok(()) };
        let (label, knows) = (labels[sample], counted(self.classes, "class"));
        let message = format!("label {label} of sample {sample} is none of the network, which has {knows}");
        Err(Error::file(source, format!("{message}: 0 to {}", self.classes - 1)))
    }
}
