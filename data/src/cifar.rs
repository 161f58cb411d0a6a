//! The binary versions of CIFAR-10 and CIFAR-100, plain, packed or in the published archive.

use crate::dataset::{Dataset, Split};
use crate::error::{Error, Result};
use crate::files::decode;
use empf_ir::ClassNames;
use std::path::Path;

const SIDE: usize = 32;
const CHANNELS: usize = 3;
const PIXELS: usize = CHANNELS * SIDE * SIDE;
/// Largest content of a file; the published ones have at most 154 MB.
const MAX_BYTES: u64 = 1 << 29;

/// Names of classes, a line each: that of CIFAR-10 and that of CIFAR-100.
const NAMES: [(&str, Labels); 2] = [("batches.meta.txt", CIFAR10), ("fine_label_names.txt", CIFAR100)];

/// What stands in front of a record's pixels: the number of classes of each label byte. The last one counts.
type Labels = &'static [u8];
const CIFAR10: Labels = &[10];
const CIFAR100: Labels = &[20, 100];

/// Whether `path` is that of a file of either version.
pub(crate) fn is_file(path: &str) -> bool {
    kind(path).is_some()
}

/// Whether a file is for training, and its labels.
fn kind(path: &str) -> Option<(bool, Labels)> {
    let name = path.rsplit('/').next()?.strip_suffix(".bin")?;
    match name {
        "test_batch" => Some((false, CIFAR10)),
        "test" => Some((false, CIFAR100)),
        name if name.starts_with("data_batch") => Some((true, CIFAR10)),
        name if name.starts_with("train") => Some((true, CIFAR100)),
        _ => None,
    }
}

/// The version whose classes the file at `path` names, if it is such a file.
fn named(path: &str) -> Option<Labels> {
    let name = path.rsplit('/').next()?;
    NAMES.iter().find(|(file, _)| *file == name).map(|(_, labels)| *labels)
}

/// A file of the set.
enum Content {
    /// For training or not, of which version, and what it holds.
    Images(bool, Labels, Records),
    /// Of which version.
    Names(Labels, ClassNames),
}

/// Reads `data_batch*.bin` and `test_batch.bin` (CIFAR-10), or `train*.bin` and `test.bin` (CIFAR-100), from the
/// folder or the archive `source`. Several training files are read one after the other. Classes have the names that
/// the set's text file gives them, where it is there.
pub fn load(source: &Path) -> Result<Split> {
    let read = |path: &str, bytes: &[u8]| match (kind(path), named(path)) {
        (Some((training, labels)), _) => Ok(Content::Images(training, labels, records(bytes, labels)?)),
        (None, of) => Ok(Content::Names(of.unwrap_or_default(), names(bytes)?)),
    };
    let wanted = |path: &str| is_file(path) || named(path).is_some();
    let files = decode(source, &wanted, MAX_BYTES, read)?.files;
    let contents = || files.iter().map(|(_, content)| content);
    let is_cifar10 =
        contents().any(|content| matches!(content, Content::Images(true, labels, _) if *labels == CIFAR10));
    let labels = if is_cifar10 { CIFAR10 } else { CIFAR100 };
    let classes = usize::from(labels[labels.len() - 1]);
    let names = files.iter().find_map(|(path, content)| match content {
        Content::Names(of, names) if *of == labels => Some((path, names)),
        _ => None,
    });
    if let Some((path, names)) = names {
        let wrong = |e| format!("{e}; mend this file, a name a line, or take it away");
        names.validate(classes).map_err(|e| Error::file(&source.join(path), wrong(e)))?;
    }
    let names = names.map(|(_, names)| names.clone()).unwrap_or_default();
    let part = |wanted: bool, name: &str| {
        let parts: Vec<&Records> = contents()
            .filter_map(|content| match content {
                Content::Images(training, of, records) if *training == wanted && *of == labels => {
                    Some(records)
                }
                _ => None,
            })
            .collect();
        match parts.is_empty() {
            true => Err(Error::file(source, format!("has no file {name}, plain or packed as .gz or .xz"))),
            false => Ok(set(&parts, classes, &names)),
        }
    };
    let test = if labels == CIFAR10 { "test_batch.bin" } else { "test.bin" };
    Ok(Split { train: part(true, "data_batch_1.bin or train.bin")?, test: part(false, test)? })
}

/// Classes and pixels of a file.
type Records = (Vec<u8>, Vec<u8>);

fn set(parts: &[&Records], classes: usize, names: &ClassNames) -> Dataset {
    Dataset {
        channels: CHANNELS,
        height: SIDE,
        width: SIDE,
        frames: 1,
        classes,
        class_names: names.clone(),
        pixels: parts.iter().flat_map(|(_, pixels)| pixels).copied().collect(),
        labels: parts.iter().flat_map(|(classes, _)| classes).map(|class| u16::from(*class)).collect(),
    }
}

/// The lines that are not empty, of which there is at least one.
fn names(bytes: &[u8]) -> std::result::Result<ClassNames, String> {
    let text = std::str::from_utf8(bytes).map_err(|e| format!("is no UTF-8 text ({e}); write it again"))?;
    let names = ClassNames::new(text.lines().map(str::trim).filter(|line| !line.is_empty()));
    match names.is_empty() {
        true => Err("names no class; write the names into it, one a line, or take it away".into()),
        false => Ok(names),
    }
}

fn records(bytes: &[u8], labels: Labels) -> std::result::Result<Records, String> {
    let record = labels.len() + PIXELS;
    if bytes.is_empty() || !bytes.len().is_multiple_of(record) {
        let (end, whole, classes) = (bytes.len(), bytes.len() / record, labels[labels.len() - 1]);
        return Err(format!(
            "ends at byte {end}, behind {whole} whole records of {record} bytes, as no CIFAR-{classes} file does; \
             fetch it again"
        ));
    }
    let (mut classes, mut pixels) = (vec![], vec![]);
    for (i, record) in bytes.chunks_exact(record).enumerate() {
        let (given, codes) = record.split_at(labels.len());
        if let Some(l) = given.iter().zip(labels).position(|(label, classes)| label >= classes) {
            let (at, label, top) = (i * record.len() + l, given[l], labels[l] - 1);
            return Err(format!("label {label} at byte {at} is above {top}"));
        }
        classes.push(given[labels.len() - 1]);
        pixels.extend_from_slice(codes);
    }
    Ok((classes, pixels))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
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
        assert_eq!((&split.train.labels[..], split.train.classes), (&[9, 0, 3][..], 10));
        let last_and_first = [split.train.image(0).unwrap()[PIXELS - 1], split.train.image(1).unwrap()[0]];
        assert_eq!(last_and_first, [0, 1]);
        let train = records(&[&[19, 99], &[0, 4]]);
        let split =
            load_files(&[("train_part.bin", train), ("test.bin.xz", xz(&records(&[&[1, 2]])))]).unwrap();
        assert_eq!((split.train.labels, split.test.labels, split.test.classes), (vec![99, 4], vec![2], 100));
    }

    #[test]
    fn classes_have_names_where_the_set_gives_them() {
        let files = |names: &str| {
            let test = ("test_batch.bin", records(&[&[7]]));
            vec![
                ("data_batch_1.bin", records(&[&[3]])),
                test,
                ("batches.meta.txt", names.as_bytes().to_vec()),
            ]
        };
        let ten = "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n";
        let split = load_files(&files(ten)).unwrap();
        assert_eq!(
            (&*split.train.class_names.name(9), split.test.class_names),
            ("truck", split.train.class_names.clone())
        );
        assert!(
            load_files(&files("\n\n")).unwrap_err().to_string().contains("batches.meta.txt: names no class")
        );
        let error = load_files(&files("bird\ncat\n")).unwrap_err().to_string();
        assert!(error.contains("batches.meta.txt: class_names: are 2, but there are 10 classes"), "{error}");
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
        assert!(error.contains("test_batch.bin is damaged or cut short at byte"), "{error}");
    }

    #[test]
    fn the_published_archive_is_read_in_place() {
        let mut archive = tar::Builder::new(vec![]);
        for (name, bytes) in [("test_batch", records(&[&[7]])), ("data_batch_1", records(&[&[3], &[4]]))] {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            let name = format!("cifar-10-batches-bin/{name}.bin");
            archive.append_data(&mut header, name, bytes.as_slice()).unwrap();
        }
        let mut packed = GzEncoder::new(vec![], Compression::fast());
        packed.write_all(&archive.into_inner().unwrap()).unwrap();
        let split = load_files(&[("cifar-10-binary.tar.gz", packed.finish().unwrap())]).unwrap();
        assert_eq!((split.train.labels, split.test.labels), (vec![3, 4], vec![7]));
    }
}
