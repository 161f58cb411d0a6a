//! Recordings in a folder for each class.

use super::frames::{FrameConfig, dataset};
use super::parser::parser;
use super::recording::MAX_BYTES;
use crate::dataset::{Dataset, Split};
use crate::error::{Error, Result};
use crate::files::decode;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

/// Without a split of its own, every so many recordings of a class one is for judging, the first among them.
const TEST_EVERY: usize = 10;

/// Whether `path` is that of a recording in the folder of its class.
pub(crate) fn is_file(path: &str) -> bool {
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
pub(crate) fn load(source: &Path, config: &FrameConfig) -> Result<Split> {
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
                return Err(Error::file(source, message));
            }
        }
    }
    let classes: Vec<&str> =
        train.keys().chain(test.keys()).copied().collect::<BTreeSet<_>>().into_iter().collect();
    let unknown = classes.iter().find(|class| has_parts && !train.contains_key(*class));
    if let Some(class) = unknown.filter(|_| !train.is_empty()) {
        return Err(Error::file(
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
        return Err(Error::file(
            source,
            format!("has {} classes; {} can be told apart", classes.len(), u16::MAX),
        ));
    }
    if recordings.is_empty() {
        let message = "holds no recordings (.bin, .dat, .aedat) in a folder for each class, for training and for judging";
        return Err(Error::file(source, message.into()));
    }
    let labels = classes.iter().zip(0..=u16::MAX);
    let recordings = labels.flat_map(|(class, label)| {
        recordings.get(class).into_iter().flatten().map(move |codes| (label, codes.as_slice()))
    });
    Ok(dataset(classes.len(), recordings, config))
}

#[cfg(test)]
mod tests {
    use super::super::load;
    use super::super::test_config::CONFIG;
    use super::*;
    use crate::test_files::folder;

    /// An N-MNIST recording of two events, at (`x`, 0) and (33, 33).
    fn recording(x: u8) -> Vec<u8> {
        vec![x, 0, 0x80, 0, 9, 33, 33, 0, 0, 12]
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
}
