//! Recordings in a folder for each class.

use super::frames::{FrameConfig, dataset};
use super::parser::parser;
use super::recording::MAX_BYTES;
use crate::classes::Classes;
use crate::dataset::{Dataset, Split};
use crate::error::{Error, Result};
use crate::files::{Found, decode};
use std::collections::{BTreeSet, HashMap, HashSet};
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
/// or else all that it holds, a tenth of each class for judging. Classes are counted in the order of their names, as
/// numbers or as text. No folder of a class is empty.
pub(crate) fn load(source: &Path, config: &FrameConfig) -> Result<Split> {
    let read = |path: &str, bytes: &[u8]| {
        let parse = parser(path).ok_or("is no recording")?;
        Ok(config.frames_of(&parse(bytes)?))
    };
    let Found { files, folders } = decode(source, &is_file, MAX_BYTES, read)?;
    let has_parts = files.iter().any(|(path, _)| has_part(path));
    refuse_empty(source, &files, &folders)?;
    let (mut train, mut test): (Recordings, Recordings) = (HashMap::new(), HashMap::new());
    let mut of_class = HashMap::new();
    for (Place { class, test: part }, codes) in
        files.iter().filter_map(|(path, codes)| Some((Place::of(path)?, codes)))
    {
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
    let classes = Classes::of(source, of_class.into_keys().map(str::to_owned))?;
    let unknown = classes.names().iter().find(|class| has_parts && !train.contains_key(class.as_str()));
    if let Some(class) = unknown.filter(|_| !train.is_empty()) {
        return Err(Error::file(
            source,
            format!("holds recordings of `{class}` for judging, but none for training"),
        ));
    }
    Ok(Split { train: set(source, &train, &classes, config)?, test: set(source, &test, &classes, config)? })
}

/// Refuses a folder beside those of classes, other than for judging, that holds no recording: what is a class is not
/// left out, and the numbers of the others do not change with it.
fn refuse_empty(source: &Path, files: &[(String, Vec<u8>)], folders: &BTreeSet<String>) -> Result<()> {
    let of_classes: HashSet<&str> =
        files.iter().filter_map(|(path, _)| Some(path.rsplit_once('/')?.0)).collect();
    let above = |folder: &str| folder.rsplit_once('/').map_or(String::new(), |(above, _)| above.to_owned());
    let places: HashSet<String> = of_classes.iter().map(|class| above(class)).collect();
    let is_empty = |folder: &&String| {
        let inside = format!("{folder}/");
        places.contains(&above(folder))
            && !is_part(folder)
            && Place::of(&inside).is_some_and(|place| place.test != Some(true))
            && !files.iter().any(|(path, _)| path.starts_with(&inside))
    };
    match folders.iter().find(is_empty) {
        Some(folder) => {
            let message = format!(
                "{folder} holds no recording (.bin, .dat, .aedat); put recordings of its class into it, or take the \
                 folder away"
            );
            Err(Error::file(source, message))
        }
        None => Ok(()),
    }
}

/// Whether `folder` is one for learning or for judging.
fn is_part(folder: &str) -> bool {
    let name = folder.rsplit('/').next().unwrap_or(folder);
    ["train", "test"].iter().any(|part| name.eq_ignore_ascii_case(part))
}

/// Frames of the recordings of each class.
type Recordings<'a> = HashMap<&'a str, Vec<&'a Vec<u8>>>;

fn has_part(path: &str) -> bool {
    Place::of(path).is_some_and(|place| place.test.is_some())
}

fn set(source: &Path, recordings: &Recordings, classes: &Classes, config: &FrameConfig) -> Result<Dataset> {
    if recordings.is_empty() {
        let message = "holds no recordings (.bin, .dat, .aedat) in a folder for each class, for training and for judging";
        return Err(Error::file(source, message.into()));
    }
    let labels = classes.names().iter().zip(0..=u16::MAX);
    let recordings = labels.flat_map(|(class, label)| {
        recordings.get(class.as_str()).into_iter().flatten().map(move |codes| (label, codes.as_slice()))
    });
    Ok(dataset(classes.names().len(), classes.class_names(), recordings, config))
}

#[cfg(test)]
mod tests {
    use super::super::load;
    use super::super::test_config::CONFIG;
    use super::*;
    use crate::test_files::folder;
    use empf_ir::ClassNames;

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
    fn numbered_classes_are_sorted_as_numbers() {
        let names: Vec<String> =
            (0..12).flat_map(|i| ["a", "b"].map(|name| format!("{i}/{name}.bin"))).collect();
        let files: Vec<(&str, Vec<u8>)> = names.iter().map(|name| (name.as_str(), recording(1))).collect();
        let Split { train, test } = load(folder(&files).path(), &CONFIG).unwrap();
        assert_eq!((train.labels, test.labels), ((0..12).collect(), (0..12).collect()));
        assert_eq!(train.class_names, ClassNames::new((0..12).map(|i| i.to_string())));
    }

    #[test]
    fn empty_classes_and_recordings_are_named() {
        let with = |name: &str, bytes: Vec<u8>| {
            let mut files = vec![
                ("0/a.bin", recording(1)),
                ("0/b.bin", recording(1)),
                ("2/c.bin", recording(1)),
                ("2/d.bin", recording(1)),
            ];
            files.push((name, bytes));
            load(folder(&files).path(), &CONFIG)
        };
        let error = with("1/notes.txt", vec![]).unwrap_err().to_string();
        assert!(error.contains("1 holds no recording (.bin, .dat, .aedat)"), "{error}");
        let error = with("1/a.bin", vec![]).unwrap_err().to_string();
        assert!(error.contains("1/a.bin: holds no event"), "{error}");
        assert_eq!(with(".cache/a.bin", vec![]).unwrap().train.classes, 2);
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
