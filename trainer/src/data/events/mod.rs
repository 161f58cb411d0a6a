//! Recordings of event cameras, as frames.

mod aedat;
mod frames;
mod ncars;
mod nmnist;

pub use frames::{Cut, FrameConfig};

use super::unpack::{names, read};
use super::{Dataset, Split};
use crate::error::{Error, Result};
use rayon::prelude::*;
use std::path::{Path, PathBuf};

/// Largest recording; those of the known sets have at most 20 MB.
const MAX_BYTES: u64 = 1 << 28;
/// Without a split of its own, every so many recordings of a class one is for judging, the first among them.
const TEST_EVERY: usize = 10;

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
    /// Of a sensor of `height` x `width` pixels; `at(i)` is the byte of event `i`, for the error.
    fn new(
        height: usize,
        width: usize,
        events: Vec<Event>,
        at: impl Fn(usize) -> usize,
    ) -> std::result::Result<Self, String> {
        let outside = |e: &Event| usize::from(e.x) >= width || usize::from(e.y) >= height;
        match events.iter().position(outside) {
            Some(i) => {
                let (Event { x, y, .. }, at) = (events[i], at(i));
                Err(format!("the event at byte {at} is at ({x}, {y}), outside of {width}x{height} pixels"))
            }
            None => Ok(Recording { height, width, events }),
        }
    }

    /// Reads a recording of N-MNIST (.bin), N-CARS (.dat) or a DVS128 camera (.aedat, version 2).
    pub fn load(path: &Path) -> Result<Self> {
        let parse = parser(path).ok_or_else(|| {
            Error::data(path, "is no recording that can be read; .bin, .dat and .aedat are".into())
        })?;
        parse(&read(path, MAX_BYTES)?).map_err(|e| Error::data(path, e))
    }
}

type Parser = fn(&[u8]) -> std::result::Result<Recording, String>;

fn parser(path: &Path) -> Option<Parser> {
    match path.extension()?.to_str()? {
        "bin" => Some(nmnist::parse),
        "dat" => Some(ncars::parse),
        "aedat" => Some(aedat::parse),
        _ => None,
    }
}

/// Reads recordings, one folder a class, from `train` and `test` of `folder`, in any case, or else from
/// `folder` itself, a tenth of each class for judging. Classes are counted in the order of their names.
pub fn load(folder: &Path, config: &FrameConfig) -> Result<Split> {
    config.validate()?;
    let inner = names(folder)?;
    let part = |wanted: &str| inner.iter().find(|name| name.eq_ignore_ascii_case(wanted));
    let (train, test) = match (part("train"), part("test")) {
        (Some(train), Some(test)) => {
            let (train, test) = (classes(&folder.join(train))?, classes(&folder.join(test))?);
            if train.iter().map(|c| &c.0).ne(test.iter().map(|c| &c.0)) {
                return Err(Error::data(folder, "has other classes for training than for judging".into()));
            }
            (train, test)
        }
        _ => split(classes(folder)?),
    };
    Ok(Split { train: set(folder, &train, config)?, test: set(folder, &test, config)? })
}

/// Name and recordings of each class.
type Classes = Vec<(String, Vec<PathBuf>)>;

fn classes(folder: &Path) -> Result<Classes> {
    let mut classes = vec![];
    for name in names(folder)? {
        let class = folder.join(&name);
        if class.is_dir() {
            let files = names(&class)?.into_iter().map(|file| class.join(file));
            classes.push((name, files.filter(|file| parser(file).is_some()).collect()));
        }
    }
    Ok(classes)
}

fn split(classes: Classes) -> (Classes, Classes) {
    let part = |test: bool| {
        let chosen = |files: &[PathBuf]| {
            let files = files.iter().enumerate().filter(|(i, _)| i.is_multiple_of(TEST_EVERY) == test);
            files.map(|(_, file)| file.clone()).collect()
        };
        classes.iter().map(|(name, files)| (name.clone(), chosen(files))).collect()
    };
    (part(false), part(true))
}

fn set(folder: &Path, classes: &Classes, config: &FrameConfig) -> Result<Dataset> {
    if classes.len() > usize::from(u8::MAX) + 1 {
        return Err(Error::data(folder, format!("has {} classes; 256 can be told apart", classes.len())));
    }
    let labelled = |(label, (_, files)): (usize, &(String, Vec<PathBuf>))| {
        files.iter().map(|file| (label as u8, file.clone())).collect::<Vec<_>>()
    };
    let files: Vec<(u8, PathBuf)> = classes.iter().enumerate().flat_map(labelled).collect();
    if files.is_empty() {
        let message = "holds no recordings (.bin, .dat, .aedat) in a folder for each class";
        return Err(Error::data(folder, message.into()));
    }
    let frames = |(_, path): &(u8, PathBuf)| Ok(config.frames_of(&Recording::load(path)?));
    let pixels: Vec<Vec<u8>> = files.par_iter().map(frames).collect::<Result<_>>()?;
    Ok(Dataset {
        channels: 2,
        height: config.height,
        width: config.width,
        frames: config.frames,
        classes: classes.len(),
        pixels: pixels.concat(),
        labels: files.iter().map(|(label, _)| *label).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CONFIG: FrameConfig = FrameConfig { frames: 2, height: 17, width: 17, cut: Cut::Count };

    /// An N-MNIST recording of two events, at (`x`, 0) and (33, 33).
    fn recording(x: u8) -> Vec<u8> {
        vec![x, 0, 0x80, 0, 9, 33, 33, 0, 0, 12]
    }

    fn folder(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        folder
    }

    #[test]
    fn reads_a_set_with_its_split() {
        let place = folder(&[
            ("Train/0/a.bin", recording(0)),
            ("Train/1/b.bin", recording(4)),
            ("Test/0/c.bin", recording(2)),
            ("Test/1/readme.txt", vec![]),
        ]);
        let Split { train, test } = load(place.path(), &CONFIG).unwrap();
        assert_eq!((train.labels, test.labels, train.classes, train.frames), (vec![0, 1], vec![0], 2, 2));
        assert_eq!(train.pixels.len(), 2 * 2 * 2 * 17 * 17);
    }

    #[test]
    fn splits_a_set_that_has_none() {
        let names: Vec<String> = (10..22).map(|i| format!("cat/{i}.bin")).collect();
        let mut files: Vec<(&str, Vec<u8>)> = names.iter().map(|n| (n.as_str(), recording(1))).collect();
        files.push(("dog/1.bin", recording(1)));
        let Split { train, test } = load(folder(&files).path(), &CONFIG).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((train.labels, test.labels), (vec![0; 10], vec![0, 0, 1]));
    }

    #[test]
    fn names_what_is_wrong() {
        let error = |files: &[(&str, Vec<u8>)]| load(folder(files).path(), &CONFIG).unwrap_err().to_string();
        assert!(error(&[("x.txt", vec![])]).contains("holds no recordings"));
        let outside = [("a/1.bin", recording(1)), ("a/2.bin", recording(34))];
        assert!(error(&outside).contains("2.bin: the event at byte 0 is at (34, 0), outside of 34x34"));
        let classes = [("train/a/1.bin", recording(1)), ("test/b/1.bin", recording(1))];
        assert!(error(&classes).contains("other classes"));
        let config = FrameConfig { frames: 0, ..CONFIG };
        assert!(load(folder(&[]).path(), &config).unwrap_err().to_string().contains("frames"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn no_bytes_are_too_much(
            header in prop::sample::select(vec!["", "% Version 2\n\u{0}\u{8}", "#!AER-DAT2.0\r\n# x\r\n"]),
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
