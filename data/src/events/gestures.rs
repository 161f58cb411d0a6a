//! DVS-Gesture: a recording, such as `user01_led.aedat`, of several gestures, beside `user01_led_labels.csv`, which
//! says when each of them lasts. Two lists name the recordings to learn from and to be judged by.

use super::aedat;
use super::frames::{FrameConfig, dataset};
use super::recording::{MAX_BYTES, Recording};
use crate::dataset::{Dataset, Split};
use crate::error::{Error, Result};
use crate::files::decode;
use empf_ir::ClassNames;
use std::collections::HashMap;
use std::path::Path;

const TRAIN: &str = "trials_to_train.txt";
const TEST: &str = "trials_to_test.txt";
const RECORDING: &str = ".aedat";
const LABELS: &str = "_labels.csv";
const NAMES: &str = "gesture_mapping.csv";
/// Gestures are numbered from 1.
const CLASSES: u16 = 11;
/// Largest text; those of the set have at most 2 kB.
const MAX_TEXT: u64 = 1 << 20;

/// Whether `path` is that of a list of recordings.
pub(crate) fn is_file(path: &str) -> bool {
    [TRAIN, TEST].contains(&file_name(path))
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// A part of a recording.
#[derive(Debug, PartialEq)]
struct Gesture {
    /// Below [`CLASSES`].
    label: u16,
    /// Microseconds of the first event.
    start: u64,
    /// Microseconds behind the last one.
    end: u64,
}

impl Gesture {
    /// Reads the lines `class,startTime_usec,endTime_usec` behind the heading.
    fn all(text: &str) -> std::result::Result<Vec<Self>, String> {
        let lines = text.lines().enumerate().skip(1).filter(|(_, line)| !line.trim().is_empty());
        lines.map(|(i, line)| Gesture::of(line).ok_or_else(|| wrong_line(i, line))).collect()
    }

    fn of(line: &str) -> Option<Self> {
        let numbers: Vec<u64> =
            line.split(',').map(|number| number.trim().parse().ok()).collect::<Option<_>>()?;
        let [class, start, end] = numbers[..] else { return None };
        let label = u16::try_from(class).ok()?.checked_sub(1).filter(|label| *label < CLASSES)?;
        (start < end).then_some(Gesture { label, start, end })
    }

    /// Codes of its frames.
    fn frames(&self, recording: &Recording, config: &FrameConfig) -> std::result::Result<Vec<u8>, String> {
        let Gesture { start, end, .. } = self;
        let events: Vec<_> =
            recording.events.iter().filter(|event| (*start..*end).contains(&event.time)).copied().collect();
        match events.is_empty() {
            true => Err(format!("has no event from {start} us to {end} us, where its labels have a gesture")),
            false => Ok(config.frames_of(&Recording { events, ..*recording })),
        }
    }
}

fn wrong_line(i: usize, line: &str) -> String {
    format!("line {}, `{line}`, is not `class,start,end` with a class of 1 to {CLASSES}", i + 1)
}

/// Gestures of the set's recordings.
pub(crate) struct Trials {
    class_names: ClassNames,
    /// File names of the recordings to learn from.
    train: Vec<String>,
    /// And of those to be judged by.
    test: Vec<String>,
    /// By the file name of the recording.
    gestures: HashMap<String, Vec<Gesture>>,
}

impl Trials {
    /// Reads lists and labels of the folder or archive `source`; `None` where it is no such set.
    pub(crate) fn read(source: &Path) -> Result<Option<Self>> {
        let wanted = |path: &str| is_file(path) || path.ends_with(LABELS) || file_name(path) == NAMES;
        let read = |_: &str, bytes: &[u8]| Ok(String::from_utf8_lossy(bytes).into_owned());
        let texts = decode(source, &wanted, MAX_TEXT, read)?.files;
        let list = |name: &str| texts.iter().find(|(path, _)| file_name(path) == name).map(|(_, text)| text);
        let (train, test) = match (list(TRAIN), list(TEST)) {
            (Some(train), Some(test)) => (train, test),
            (None, None) => return Ok(None),
            (train, _) => {
                let missing = if train.is_none() { TRAIN } else { TEST };
                return Err(Error::file(source, format!("has no {missing}")));
            }
        };
        let labels = texts.iter().filter_map(|(path, text)| Some((path, path.strip_suffix(LABELS)?, text)));
        let gestures = labels.map(|(path, stem, text)| {
            let all = Gesture::all(text).map_err(|message| Error::file(source, format!("{path}: {message}")));
            Ok((format!("{}{RECORDING}", file_name(stem)), all?))
        });
        let names = |list: &str| {
            list.lines().map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
        };
        Ok(Some(Trials {
            class_names: list(NAMES).map(|text| class_names(text)).unwrap_or_default(),
            train: names(train),
            test: names(test),
            gestures: gestures.collect::<Result<_>>()?,
        }))
    }

    /// The set, an image a gesture, in the order of the lists.
    pub(crate) fn load(&self, source: &Path, config: &FrameConfig) -> Result<Split> {
        let is_listed = |path: &str| self.train.iter().chain(&self.test).any(|name| name == file_name(path));
        let read = |path: &str, bytes: &[u8]| {
            let name = file_name(path);
            let gestures = self.gestures.get(name).ok_or("has no labels beside it")?;
            let recording = aedat::parse(bytes)?;
            gestures.iter().map(|gesture| Ok((gesture.label, gesture.frames(&recording, config)?))).collect()
        };
        let files: Vec<(String, Labelled)> = decode(source, &is_listed, MAX_BYTES, read)?.files;
        let by_name = files.iter().map(|(path, gestures)| (file_name(path), gestures)).collect();
        Ok(Split {
            train: self.set(source, TRAIN, &self.train, &by_name, config)?,
            test: self.set(source, TEST, &self.test, &by_name, config)?,
        })
    }

    fn set(
        &self,
        source: &Path,
        list: &str,
        names: &[String],
        recordings: &HashMap<&str, &Labelled>,
        config: &FrameConfig,
    ) -> Result<Dataset> {
        if let Some(name) = names.iter().find(|name| !recordings.contains_key(name.as_str())) {
            return Err(Error::file(source, format!("has no recording {name}, which {list} names")));
        }
        let gestures = names.iter().flat_map(|name| recordings[name.as_str()]);
        let gestures = gestures.map(|(label, codes)| (*label, codes.as_slice()));
        let set = dataset(CLASSES.into(), self.class_names.clone(), gestures, config);
        match set.labels.is_empty() {
            true => Err(Error::file(source, format!("has no gesture in the recordings that {list} names"))),
            false => Ok(set),
        }
    }
}

/// Names of the gestures from the lines `name,number` of the set; none where one is missing.
fn class_names(text: &str) -> ClassNames {
    let named: HashMap<u16, &str> = text
        .lines()
        .filter_map(|line| line.trim().split_once(','))
        .filter_map(|(name, number)| Some((number.trim().parse().ok()?, name.trim())))
        .collect();
    let names: Vec<&str> = (1..=CLASSES).filter_map(|number| named.get(&number).copied()).collect();
    let names = ClassNames::new(names);
    if names.validate(CLASSES.into()).is_ok() { names } else { ClassNames::default() }
}

/// Labels and codes of the gestures of a recording.
type Labelled = Vec<(u16, Vec<u8>)>;

#[cfg(test)]
mod tests {
    use super::super::aedat3::tests::{HEADER, on, packet};
    use super::super::load;
    use super::super::test_config::CONFIG;
    use super::*;
    use crate::test_files::folder;

    const HEADING: &str = "class,startTime_usec,endTime_usec\n";

    /// Events at 10 us, in packets of two, at (0, 0), (8, 0), (16, 0), ...
    fn recording(events: u32) -> Vec<u8> {
        let events: Vec<_> = (0..events).map(|i| on(8 * i, 0, 10 * i)).collect();
        let packets: Vec<u8> = events.chunks(2).flat_map(|events| packet(1, 0, events)).collect();
        [HEADER, &packets].concat()
    }

    fn files(labels: &str) -> Vec<(&'static str, Vec<u8>)> {
        vec![
            ("DvsGesture/trials_to_train.txt", b"b.aedat\na.aedat\n\n".to_vec()),
            ("DvsGesture/trials_to_test.txt", b"c.aedat\r\n".to_vec()),
            ("DvsGesture/a.aedat", recording(6)),
            ("DvsGesture/a_labels.csv", format!("{HEADING}{labels}").into_bytes()),
            ("DvsGesture/b.aedat", recording(2)),
            ("DvsGesture/b_labels.csv", format!("{HEADING}11,10,11\r\n").into_bytes()),
            ("DvsGesture/c.aedat", recording(4)),
            ("DvsGesture/c_labels.csv", format!("{HEADING}3,0,100\n").into_bytes()),
            ("DvsGesture/unlisted.aedat", b"no recording".to_vec()),
        ]
    }

    /// Pixels of the first row that became brighter, in each frame of image `i`.
    fn lit(set: &Dataset, i: usize) -> Vec<Vec<usize>> {
        let codes = set.codes(set.len()).unwrap();
        let frames = codes.index_axis(ndarray::Axis(0), i);
        let row = |frame: usize| (0..CONFIG.width).filter(|x| frames[[frame, 1, 0, *x]] > 0).collect();
        (0..CONFIG.frames).map(row).collect()
    }

    #[test]
    fn gestures_have_names_where_the_set_gives_them() {
        let with = |lines: &str| {
            let mut files = files("2,0,30");
            files.push(("DvsGesture/gesture_mapping.csv", format!("action,label\n{lines}").into_bytes()));
            load(folder(&files).path(), &CONFIG).unwrap().train.class_names
        };
        let lines: String = (1..=11).rev().map(|i| format!("gesture {i},{i}\r\n")).collect();
        assert_eq!(with(&lines).name(10), "gesture 11");
        assert!(with("clap,1\n").is_empty());
    }

    #[test]
    fn cuts_recordings_into_gestures() {
        let Split { train, test } = load(folder(&files("2,0,30\n1,30,50\n")).path(), &CONFIG).unwrap();
        assert_eq!((&train.labels, &test.labels, train.classes), (&vec![10, 1, 0], &vec![2], 11));
        assert_eq!(lit(&train, 0), [vec![1], vec![]]);
        assert_eq!(lit(&train, 1), [vec![0, 1], vec![2]]);
        assert_eq!(lit(&train, 2), [vec![3], vec![4]]);
        assert_eq!(lit(&test, 0), [vec![0, 1], vec![2, 3]]);
    }

    #[test]
    fn names_what_is_wrong() {
        let error = |files: &[(&str, Vec<u8>)]| load(folder(files).path(), &CONFIG).unwrap_err().to_string();
        for line in ["0,1,2", "12,1,2", "1,2,2", "1,2", "1,2,3,4", "1,-2,3", "x,1,2"] {
            let message = error(&files(line));
            assert!(message.contains(&format!("a_labels.csv: line 2, `{line}`")), "{message}");
        }
        assert!(error(&files("1,51,60")).contains("a.aedat: has no event from 51 us to 60 us"));
        let without = |name: &str| {
            let all = files("1,0,30");
            error(&all.into_iter().filter(|(path, _)| !path.ends_with(name)).collect::<Vec<_>>())
        };
        assert!(without(TEST).contains("has no trials_to_test.txt"));
        assert!(without(TRAIN).contains("has no trials_to_train.txt"));
        assert!(without("/b.aedat").contains("has no recording b.aedat, which trials_to_train.txt names"));
        assert!(without("a_labels.csv").contains("a.aedat: has no labels beside it"));
        let mut empty = files("1,0,30");
        empty[1].1.clear();
        assert!(error(&empty).contains("has no gesture in the recordings that trials_to_test.txt names"));
    }
}
