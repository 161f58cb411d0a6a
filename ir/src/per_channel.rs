//! A number for each channel of the input, or one for all of them.

use crate::counted;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

/// In a file a number, or a list of one for each channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a number, or a list of one for each channel")]
pub enum PerChannel {
    /// The same for all.
    All(f32),
    /// One for each.
    Each(Vec<f32>),
}

/// Reads the key `zero_point`.
pub(crate) fn zero_point<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PerChannel, D::Error> {
    named("zero_point", deserializer)
}

/// Reads the key `scale`.
pub(crate) fn scale<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PerChannel, D::Error> {
    named("scale", deserializer)
}

/// Of what is neither a number nor a list, the parser knows no more than what it expects.
fn named<'de, D: Deserializer<'de>>(key: &str, deserializer: D) -> Result<PerChannel, D::Error> {
    PerChannel::deserialize(deserializer).map_err(|e| D::Error::custom(format_args!("`{key}` is not {e}")))
}

impl PerChannel {
    /// That of a channel.
    pub fn of(&self, channel: usize) -> f32 {
        match self {
            PerChannel::All(value) => *value,
            PerChannel::Each(values) => values[channel],
        }
    }

    /// Those of `channels` channels.
    pub fn values(&self, channels: usize) -> Vec<f32> {
        (0..channels).map(|channel| self.of(channel)).collect()
    }

    /// There is one for each of `channels` channels, and each satisfies `holds`, else what is wrong.
    pub(crate) fn check(
        &self,
        channels: usize,
        holds: impl Fn(f32) -> bool,
        what: &str,
    ) -> Result<(), String> {
        match self {
            PerChannel::All(value) if holds(*value) => Ok(()),
            PerChannel::All(value) => Err(format!("is {value}, not {what}")),
            PerChannel::Each(values) if values.len() != channels => {
                Err(format!("has {} for {}", counted(values.len(), "number"), counted(channels, "channel")))
            }
            PerChannel::Each(values) => match values.iter().position(|value| !holds(*value)) {
                Some(channel) => Err(format!("of channel {channel} is {}, not {what}", values[channel])),
                None => Ok(()),
            },
        }
    }
}

impl From<f32> for PerChannel {
    fn from(value: f32) -> Self {
        PerChannel::All(value)
    }
}
