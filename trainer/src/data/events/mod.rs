//! Recordings of event cameras, as frames.

mod aedat;
mod aedat2;
mod aedat3;
mod classes;
mod frames;
mod gestures;
mod ncars;
mod nmnist;

pub use frames::{Cut, FrameConfig};

use super::unpack::read;
use super::{Dataset, Split};
use crate::error::{Error, Result};
use std::path::Path;

/// Largest recording; those of the known sets have at most 20 MB.
const MAX_BYTES: u64 = 1 << 28;

/// The byte behind all lines that start with `mark`.
fn after_header(bytes: &[u8], mark: u8) -> std::result::Result<usize, String> {
    let mut start = 0;
    while bytes.get(start) == Some(&mark) {
        let line = bytes[start..].iter().position(|b| *b == b'\n');
        start += line.ok_or("is cut short inside its header")? + 1;
    }
    Ok(start)
}

/// A pixel that became brighter or darker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Microseconds from an arbitrary start.
    pub time: u64,
    /// Column.
    pub x: u16,
    /// Row.
    pub y: u16,
    /// Brighter.
    pub on: bool,
}

/// Events in the order in which they were recorded, all inside the sensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// Rows of the sensor.
    pub height: usize,
    /// Columns of the sensor.
    pub width: usize,
    /// What was recorded.
    pub events: Vec<Event>,
}

impl Recording {
    /// Of a sensor of `height` x `width` pixels, and of events with the byte where each lies, for the error.
    fn new(
        height: usize,
        width: usize,
        events: impl Iterator<Item = (usize, Event)>,
    ) -> std::result::Result<Self, String> {
        let inside = |(at, event): (usize, Event)| {
            let Event { x, y, .. } = event;
            match usize::from(x) < width && usize::from(y) < height {
                true => Ok(event),
                false => Err(format!(
                    "the event at byte {at} is at ({x}, {y}), outside of {width}x{height} pixels"
                )),
            }
        };
        Ok(Recording { height, width, events: events.map(inside).collect::<std::result::Result<_, _>>()? })
    }

    /// Reads a recording of N-MNIST (.bin), N-CARS (.dat) or a DVS128 camera (.aedat, versions 2.0 and 3.1).
    pub fn load(path: &Path) -> Result<Self> {
        let parse = parser(&path.to_string_lossy()).ok_or_else(|| {
            Error::data(path, "is no recording that can be read; .bin, .dat and .aedat are".into())
        })?;
        parse(&read(path, MAX_BYTES)?).map_err(|e| Error::data(path, e))
    }
}

type Parser = fn(&[u8]) -> std::result::Result<Recording, String>;

fn parser(name: &str) -> Option<Parser> {
    match name.rsplit_once('.')?.1 {
        "bin" => Some(nmnist::parse),
        "dat" => Some(ncars::parse),
        "aedat" => Some(aedat::parse),
        _ => None,
    }
}

/// Whether `path` is that of a file of a set of recordings.
pub(super) fn is_file(path: &str) -> bool {
    classes::is_file(path) || gestures::is_file(path)
}

/// Reads the recordings of the folder or archive `source`: those of DVS-Gesture where it holds that set's lists of
/// trials, else one folder a class.
pub fn load(source: &Path, config: &FrameConfig) -> Result<Split> {
    config.validate()?;
    match gestures::Trials::read(source)? {
        Some(trials) => trials.load(source, config),
        None => classes::load(source, config),
    }
}

/// The set of `recordings`, each a label below `classes` and the codes of its frames.
fn dataset<'a>(
    classes: usize,
    recordings: impl Iterator<Item = (u16, &'a [u8])>,
    config: &FrameConfig,
) -> Dataset {
    let (mut pixels, mut labels) = (vec![], vec![]);
    for (label, codes) in recordings {
        pixels.extend_from_slice(codes);
        labels.push(label);
    }
    Dataset {
        channels: 2,
        height: config.height,
        width: config.width,
        frames: config.frames,
        classes,
        pixels: pixels.into(),
        labels,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(super) const CONFIG: FrameConfig = FrameConfig { frames: 2, height: 17, width: 17, cut: Cut::Count };

    pub(in crate::data) fn folder(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        folder
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn no_bytes_are_too_much(
            header in prop::sample::select(vec!["", "% Version 2\n\u{0}\u{8}", "#!AER-DAT2.0\r\n# x\r\n", "#!AER-DAT3.1\n#!END-HEADER\n"]),
            bytes in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            let bytes = [header.as_bytes(), &bytes].concat();
            for parse in [nmnist::parse, ncars::parse, aedat::parse] {
                if let Ok(recording) = parse(&bytes) {
                    for cut in [Cut::Count, Cut::Time] {
                        let frames = FrameConfig { cut, ..CONFIG }.frames_of(&recording);
                        prop_assert_eq!(frames.len(), 2 * 2 * 17 * 17);
                    }
                }
            }
        }
    }
}
