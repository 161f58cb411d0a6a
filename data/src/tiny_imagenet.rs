//! Tiny ImageNet: JPEGs of 64x64 pixels in a folder or an archive.

use crate::dataset::{Dataset, Split};
use crate::error::{Error, Result};
use crate::files::decode;
use crate::pictures::{self, CHANNELS, Raster};
use empf_ir::ClassNames;
use std::collections::HashMap;
use std::path::Path;

const SIDE: usize = 64;
/// Largest file; the published JPEGs have a few kB, the largest text 3 MB.
const MAX_FILE: u64 = 1 << 23;
/// List of the classes' names; a class is its line.
const CLASSES: &str = "wnids.txt";
/// Class of each test image.
const ANNOTATIONS: &str = "val_annotations.txt";

/// Whether `path` is that of a file of the set.
pub(crate) fn is_file(path: &str) -> bool {
    Place::of(path).is_some()
}

/// What a file is, by its path inside the folder or archive, which may lie in a folder of the set's name.
#[derive(Clone, Copy, PartialEq)]
enum Place<'a> {
    Classes,
    Annotations,
    Train { class: &'a str },
    Test { name: &'a str },
}

impl<'a> Place<'a> {
    fn of(path: &'a str) -> Option<Self> {
        let parts: Vec<&str> = path.split('/').collect();
        match parts[..] {
            [.., CLASSES] => Some(Place::Classes),
            [.., "val", ANNOTATIONS] => Some(Place::Annotations),
            [.., "train", class, "images", name] if name.ends_with(".JPEG") => Some(Place::Train { class }),
            [.., "val", "images", name] if name.ends_with(".JPEG") => Some(Place::Test { name }),
            _ => None,
        }
    }
}

/// Reads the folder or the archive `source`. Training images lie in `train/CLASS/images`, test images are
/// those of `val`, whose classes are published.
pub fn load(source: &Path) -> Result<Split> {
    let read = |path: &str, bytes: &[u8]| match Place::of(path) {
        Some(Place::Train { .. } | Place::Test { .. }) => pixels(bytes),
        _ => Ok(bytes.to_vec()),
    };
    let files = decode(source, &is_file, MAX_FILE, read)?.files;
    let text = |wanted: Place, name: &str| {
        let file = files.iter().find(|(path, _)| Place::of(path) == Some(wanted));
        let (_, bytes) = file.ok_or_else(|| Error::file(source, format!("has no {name}")))?;
        str::from_utf8(bytes).map_err(|e| Error::file(source, format!("{name} is not text: {e}")))
    };
    let names: Vec<&str> = text(Place::Classes, CLASSES)?.lines().map(str::trim).collect();
    let class_names = ClassNames::new(names.iter().copied());
    class_names.validate(names.len()).map_err(|e| Error::file(source, format!("{CLASSES}: {e}")))?;
    let classes: HashMap<&str, u16> = names.into_iter().zip(0..=u16::MAX).collect();
    let annotations: HashMap<&str, &str> = (text(Place::Annotations, ANNOTATIONS)?.lines())
        .filter_map(|line| {
            let mut columns = line.split('\t');
            Some((columns.next()?, columns.next()?.trim()))
        })
        .collect();
    let (mut train, mut test) = (vec![], vec![]);
    for (path, pixels) in &files {
        let (set, class) = match Place::of(path) {
            Some(Place::Train { class }) => (&mut train, Some(class)),
            Some(Place::Test { name }) => (&mut test, annotations.get(name).copied()),
            _ => continue,
        };
        let label = class.and_then(|class| classes.get(class)).copied();
        let label = label.ok_or_else(|| Error::file(source, format!("{path} is of no known class")))?;
        set.push((pixels.as_slice(), label));
    }
    Ok(Split { train: set(source, &train, &class_names)?, test: set(source, &test, &class_names)? })
}

fn set(source: &Path, images: &[(&[u8], u16)], class_names: &ClassNames) -> Result<Dataset> {
    if images.is_empty() {
        return Err(Error::file(source, "has no training images or no test images".into()));
    }
    Ok(Dataset {
        channels: CHANNELS,
        height: SIDE,
        width: SIDE,
        frames: 1,
        classes: class_names.as_slice().len(),
        class_names: class_names.clone(),
        pixels: images.iter().flat_map(|(pixels, _)| *pixels).copied().collect(),
        labels: images.iter().map(|(_, label)| *label).collect(),
    })
}

/// Codes `[channel, y, x]` of a picture.
fn pixels(bytes: &[u8]) -> std::result::Result<Vec<u8>, String> {
    let Raster { height, width, codes } = pictures::decode(bytes, SIDE)?;
    match (height, width) == (SIDE, SIDE) {
        true => Ok((0..CHANNELS).flat_map(|c| codes.iter().skip(c).step_by(CHANNELS)).copied().collect()),
        false => Err(format!("has {width}x{height} pixels, expected {SIDE}x{SIDE}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_files::jpeg;
    use proptest::prelude::*;

    fn files() -> Vec<(&'static str, Vec<u8>)> {
        vec![
            ("val/images/val_0.JPEG", jpeg(64, 1)),
            ("val/val_annotations.txt", b"val_0.JPEG\tn02\t0\t0\t63\t63\n".to_vec()),
            ("train/n02/images/n02_0.JPEG", jpeg(64, 3)),
            ("train/n01/images/n01_0.JPEG", jpeg(64, 1)),
            ("train/n02/n02_boxes.txt", b"n02_0.JPEG\t0\t0\t63\t63\n".to_vec()),
            ("wnids.txt", b"n02\nn01\n".to_vec()),
        ]
    }

    fn archive(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(vec![]);
        for (name, bytes) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, format!("tiny/{name}"), bytes.as_slice()).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn load_archive(bytes: &[u8]) -> Result<Split> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set.tar");
        std::fs::write(&path, bytes).unwrap();
        load(&path)
    }

    fn load_folder(files: &[(&str, Vec<u8>)]) -> Result<Split> {
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        load(folder.path())
    }

    #[test]
    fn an_archive_is_as_its_folder() {
        let split = load_folder(&files()).unwrap();
        assert_eq!((&split.train.labels[..], &split.test.labels[..]), (&[1, 0][..], &[0][..]));
        assert_eq!((split.train.classes, split.train.len()), (2, 2));
        assert_eq!(split.train.pixels, vec![128; 2 * 3 * 64 * 64].into());
        let packed = load_archive(&archive(&files())).unwrap();
        assert_eq!((packed.train, packed.test), (split.train, split.test));
    }

    #[test]
    fn names_what_is_wrong() {
        let with = |name: &str, bytes: Option<Vec<u8>>| {
            let mut files = files();
            files.retain(|(n, _)| *n != name);
            let changed: Vec<(&str, Vec<u8>)> = bytes.into_iter().map(|b| (name, b)).collect();
            load_archive(&archive(&[files, changed].concat())).unwrap_err().to_string()
        };
        let image = "train/n01/images/n01_0.JPEG";
        assert!(with("wnids.txt", None).contains("has no wnids.txt"));
        assert!(with("wnids.txt", Some(b"n02".to_vec())).contains("n01_0.JPEG is of no known class"));
        assert!(with("val/images/val_0.JPEG", None).contains("no test images"));
        assert!(with(image, Some(jpeg(32, 1))).contains("n01_0.JPEG: has 32x32 pixels"));
        assert!(with(image, Some(jpeg(72, 1))).contains("n01_0.JPEG: has 72x72 pixels, at most 64x64"));
        assert!(with(image, Some(vec![0xff, 0xd8])).contains("n01_0.JPEG: is no JPEG that can be read"));
        let cut = archive(&files());
        let error = load_archive(&cut[..cut.len() / 2]).unwrap_err().to_string();
        assert!(error.contains("set.tar: is damaged or cut short"), "{error}");
    }

    type Changes = Vec<(prop::sample::Index, u8)>;

    fn changes() -> impl Strategy<Value = Changes> {
        prop::collection::vec(any::<(prop::sample::Index, u8)>(), 1..20)
    }

    fn changed(mut bytes: Vec<u8>, changes: Changes) -> Vec<u8> {
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn damage_is_survived(changes in changes()) {
            let _ = load_archive(&changed(archive(&files()), changes));
        }

        #[test]
        fn a_damaged_jpeg_is_survived(changes in changes()) {
            let _ = pixels(&changed(jpeg(64, 3), changes));
        }
    }
}
