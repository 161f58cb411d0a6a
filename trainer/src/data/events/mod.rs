//! Recordings of event cameras, as frames.

mod aedat;
mod frames;
mod ncars;
mod nmnist;

pub use frames::{Cut, FrameConfig};

use super::files::decode;
use super::unpack::read;
use super::{Dataset, Split};
use crate::error::{Error, Result};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

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

/// Whether `path` is that of a recording in the folder of its class.
pub(super) fn is_file(path: &str) -> bool {
    Place::of(path).is_some() && parser(path).is_some()
}

/// What a recording is, by the folders that it lies in.
struct Place<'a> {
    class: &'a str,
    /// For judging, where there is a folder `train` or `test`.
    test: Option<bool>,
}

impl<'a> Place<'a> {
    fn of(path: &'a str) -> Option<Self> {
        let parts: Vec<&str> = path.split('/').collect();
        let [outer @ .., class, _] = parts.as_slice() else { return None };
        let is = |part: &str| outer.iter().any(|folder| folder.eq_ignore_ascii_case(part));
        let test = if is("test") { Some(true) } else { is("train").then_some(false) };
        Some(Place { class, test })
    }
}

/// Reads recordings, one folder a class, from `train` and `test` of the folder or archive `source`, in any case,
/// or else all that it holds, a tenth of each class for judging. Classes are counted in the order of their names.
pub fn load(source: &Path, config: &FrameConfig) -> Result<Split> {
    config.validate()?;
    let read = |path: &str, bytes: &[u8]| {
        let parse = parser(path).ok_or("is no recording")?;
        Ok(config.frames_of(&parse(bytes)?))
    };
    let files = decode(source, &is_file, MAX_BYTES, read)?;
    let placed = files.iter().filter_map(|(path, codes)| Some((Place::of(path)?, codes)));
    let (mut train, mut test): (Classes, Classes) = (BTreeMap::new(), BTreeMap::new());
    let (mut of_class, has_parts) = (HashMap::new(), files.iter().any(|(path, _)| has_part(path)));
    for (Place { class, test: part }, codes) in placed {
        let index: &mut usize = of_class.entry(class).or_default();
        let for_judging = if has_parts { part } else { Some(index.is_multiple_of(TEST_EVERY)) };
        *index += 1;
        match for_judging {
            Some(true) => test.entry(class).or_default().push(codes),
            Some(false) => train.entry(class).or_default().push(codes),
            None => {
                let message = format!("holds recordings of `{class}` beside those of train and test");
                return Err(Error::data(source, message));
            }
        }
    }
    let classes: Vec<&str> =
        train.keys().chain(test.keys()).copied().collect::<BTreeSet<_>>().into_iter().collect();
    let unknown = classes.iter().find(|class| has_parts && !train.contains_key(*class));
    if let Some(class) = unknown.filter(|_| !train.is_empty()) {
        return Err(Error::data(
            source,
            format!("holds recordings of `{class}` for judging, but none for training"),
        ));
    }
    Ok(Split { train: set(source, &train, &classes, config)?, test: set(source, &test, &classes, config)? })
}

/// Frames of the recordings of each class.
type Classes<'a> = BTreeMap<&'a str, Vec<&'a Vec<u8>>>;

fn has_part(path: &str) -> bool {
    Place::of(path).is_some_and(|place| place.test.is_some())
}

fn set(source: &Path, recordings: &Classes, classes: &[&str], config: &FrameConfig) -> Result<Dataset> {
    if classes.len() > usize::from(u16::MAX) {
        return Err(Error::data(
            source,
            format!("has {} classes; {} can be told apart", classes.len(), u16::MAX),
        ));
    }
    if recordings.is_empty() {
        let message = "holds no recordings (.bin, .dat, .aedat) in a folder for each class, for training and for judging";
        return Err(Error::data(source, message.into()));
    }
    let (mut pixels, mut labels) = (vec![], vec![]);
    for (class, label) in classes.iter().zip(0..=u16::MAX) {
        for codes in recordings.get(class).into_iter().flatten() {
            pixels.extend_from_slice(codes);
            labels.push(label);
        }
    }
    Ok(Dataset {
        channels: 2,
        height: config.height,
        width: config.width,
        frames: config.frames,
        classes: classes.len(),
        pixels: pixels.into(),
        labels,
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    const CONFIG: FrameConfig = FrameConfig { frames: 2, height: 17, width: 17, cut: Cut::Count };

    /// An N-MNIST recording of two events, at (`x`, 0) and (33, 33).
    fn recording(x: u8) -> Vec<u8> {
        vec![x, 0, 0x80, 0, 9, 33, 33, 0, 0, 12]
    }

    pub(in crate::data) fn folder(files: &[(&str, Vec<u8>)]) -> tempfile::TempDir {
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
        assert_eq!(train.codes(9).unwrap().dim(), (2, 2, 2, 17, 17));
        assert_eq!((train.labels, test.labels, train.classes, train.frames), (vec![0, 1], vec![0], 2, 2));
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
        assert!(error(&classes).contains("`b` for judging, but none for training"));
        let beside = [("train/a/1.bin", recording(1)), ("a/1.bin", recording(1))];
        assert!(error(&beside).contains("`a` beside those of train and test"));
        assert!(error(&[("train/a/1.bin", recording(1))]).contains("for training and for judging"));
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
