//! The binary versions of CIFAR-10 and CIFAR-100, plain or packed.

use super::unpack::{names, read, unpacked_name};
use super::{Dataset, Split};
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

const SIDE: usize = 32;
const CHANNELS: usize = 3;
const PIXELS: usize = CHANNELS * SIDE * SIDE;
/// Largest content of a file; the published ones have at most 154 MB.
const MAX_BYTES: u64 = 1 << 29;

/// What stands in front of a record's pixels: the number of classes of each label byte. The last one counts.
type Labels = &'static [u8];
const CIFAR10: Labels = &[10];
const CIFAR100: Labels = &[20, 100];

/// Whether `name` is a training file of either version.
pub(super) fn is_training_file(name: &str) -> bool {
    let name = unpacked_name(name);
    (name.starts_with("data_batch") || name.starts_with("train")) && name.ends_with(".bin")
}

/// Reads `data_batch*.bin` and `test_batch.bin` (CIFAR-10), or `train*.bin` and `test.bin` (CIFAR-100), from
/// `folder`. Several training files are read one after the other.
pub fn load(folder: &Path) -> Result<Split> {
    let names = names(folder)?;
    let files = |wanted: &dyn Fn(&str) -> bool| -> Vec<PathBuf> {
        names.iter().filter(|name| wanted(unpacked_name(name))).map(|name| folder.join(name)).collect()
    };
    let batches = files(&|name| name.starts_with("data_batch") && name.ends_with(".bin"));
    let (train, test_name, labels) = if batches.is_empty() {
        (files(&|name| name.starts_with("train") && name.ends_with(".bin")), "test.bin", CIFAR100)
    } else {
        (batches, "test_batch.bin", CIFAR10)
    };
    let test = files(&|name| name == test_name);
    for (files, name) in [(&train, "data_batch_1.bin or train.bin"), (&test, test_name)] {
        if files.is_empty() {
            return Err(Error::data(folder, format!("has no file {name}, plain or packed as .gz or .xz")));
        }
    }
    Ok(Split { train: set(&train, labels)?, test: set(&test, labels)? })
}

fn set(files: &[PathBuf], labels: Labels) -> Result<Dataset> {
    let classes = labels[labels.len() - 1].into();
    let (channels, height, width) = (CHANNELS, SIDE, SIDE);
    let mut set = Dataset { channels, height, width, frames: 1, classes, pixels: vec![], labels: vec![] };
    for path in files {
        let record = labels.len() + PIXELS;
        let bytes = read(path, MAX_BYTES)?;
        if bytes.is_empty() || bytes.len() % record != 0 {
            let (end, whole) = (bytes.len(), bytes.len() / record);
            let message = format!(
                "ends at byte {end}, behind {whole} whole records of {record} bytes, as no CIFAR-{classes} file \
                 does; fetch it again"
            );
            return Err(Error::data(path, message));
        }
        for (i, record) in bytes.chunks_exact(record).enumerate() {
            let (given, pixels) = record.split_at(labels.len());
            if let Some(l) = given.iter().zip(labels).position(|(label, classes)| label >= classes) {
                let (at, label, top) = (i * record.len() + l, given[l], labels[l] - 1);
                return Err(Error::data(path, format!("label {label} at byte {at} is above {top}")));
            }
            set.labels.push(given[labels.len() - 1]);
            set.pixels.extend_from_slice(pixels);
        }
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lzma_rust2::{XzOptions, XzWriter};
    use std::io::Write;

    fn records(labels: &[&[u8]]) -> Vec<u8> {
        let record = |(i, labels): (usize, &&[u8])| [labels.to_vec(), vec![i as u8; PIXELS]].concat();
        labels.iter().enumerate().flat_map(record).collect()
    }

    fn xz(bytes: &[u8]) -> Vec<u8> {
        let mut writer = XzWriter::new(vec![], XzOptions::with_preset(1)).unwrap();
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap()
    }

    fn load_files(files: &[(&str, Vec<u8>)]) -> Result<Split> {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        load(folder.path())
    }

    #[test]
    fn reads_both_versions() {
        let split = load_files(&[
            ("data_batch_2.bin", records(&[&[3]])),
            ("data_batch_1.bin.xz", xz(&records(&[&[9], &[0]]))),
            ("test_batch.bin", records(&[&[7]])),
        ])
        .unwrap();
        assert_eq!((split.train.labels, split.train.classes), (vec![9, 0, 3], 10));
        assert_eq!(split.train.pixels[PIXELS - 1..=PIXELS], [0, 1]);
        let train = records(&[&[19, 99], &[0, 4]]);
        let split =
            load_files(&[("train_part.bin", train), ("test.bin.xz", xz(&records(&[&[1, 2]])))]).unwrap();
        assert_eq!((split.train.labels, split.test.labels, split.test.classes), (vec![99, 4], vec![2], 100));
    }

    #[test]
    fn names_what_is_wrong() {
        let with = |test: &str, bytes: Vec<u8>| {
            let files = [("data_batch_1.bin", records(&[&[3]])), (test, bytes)];
            load_files(&files).unwrap_err().to_string()
        };
        assert!(with("other.bin", vec![]).contains("has no file test_batch.bin"));
        assert!(with("test_batch.bin", vec![0; 4000]).contains("ends at byte 4000, behind 1 whole records"));
        assert!(with("test_batch.bin", vec![]).contains("ends at byte 0"));
        assert!(with("test_batch.bin", records(&[&[1], &[10]])).contains("label 10 at byte 3073 is above 9"));
        let mut packed = xz(&records(&[&[1]]));
        packed.truncate(packed.len() / 2);
        let error = with("test_batch.bin.xz", packed);
        assert!(error.contains("test_batch.bin.xz: is damaged or cut short at byte"), "{error}");
    }
}
