//! Recordings of event cameras, as frames.

mod aedat;
mod aedat2;
mod aedat3;
mod classes;
mod frames;
mod gestures;
mod ncars;
mod nmnist;
mod parser;
mod recording;
#[cfg(test)]
mod test_config;

pub use frames::{Cut, FrameConfig};
pub use recording::{Event, Recording};

use crate::dataset::Split;
use crate::error::Result;
use std::path::Path;

/// Whether `path` is that of a file of a set of recordings.
pub(crate) fn is_file(path: &str) -> bool {
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

#[cfg(test)]
mod tests {
    use super::test_config::CONFIG;
    use super::*;
    use proptest::prelude::*;

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
