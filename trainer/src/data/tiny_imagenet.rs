//! Tiny ImageNet: JPEGs of 64x64 pixels in a folder or a tar archive.

use super::unpack::{open, unpacked_name};
use super::{Dataset, Split};
use crate::error::{Error, Result};
use rayon::prelude::*;
use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use tar::Archive;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

const SIDE: usize = 64;
const CHANNELS: usize = 3;
/// Largest file; the published JPEGs have a few kB, the largest text 3 MB.
const MAX_FILE: u64 = 1 << 23;
/// Largest number of files; the published archive has 120 thousand.
const MAX_FILES: usize = 1 << 18;
/// List of the classes' names; a class is its line.
pub(super) const CLASSES: &str = "wnids.txt";
/// Class of each test image.
const ANNOTATIONS: &str = "val/val_annotations.txt";

/// Whether `name` is that of an archive.
pub(super) fn is_archive(name: &str) -> bool {
    unpacked_name(name).ends_with(".tar")
}

/// Files by their paths from the folder that holds [`CLASSES`].
type Files = Vec<(String, Vec<u8>)>;

/// Reads the folder or the archive `source`. Training images lie in `train/CLASS/images`, test images are
/// those of `val`, whose classes are published.
pub fn load(source: &Path) -> Result<Split> {
    let files = if source.is_dir() { folder_files(source)? } else { archive_files(source)? };
    let text = |name: &str| {
        let file = files.iter().find(|(path, _)| path == name);
        let (_, bytes) = file.ok_or_else(|| Error::data(source, format!("has no {name}")))?;
        str::from_utf8(bytes).map_err(|e| Error::data(source, format!("{name} is not text: {e}")))
    };
    let classes: HashMap<&str, u8> = text(CLASSES)?.lines().map(str::trim).zip(0..=u8::MAX).collect();
    let annotations: HashMap<&str, &str> = (text(ANNOTATIONS)?.lines())
        .filter_map(|line| {
            let mut columns = line.split('\t');
            Some((columns.next()?, columns.next()?.trim()))
        })
        .collect();
    let (mut train, mut test) = (vec![], vec![]);
    for (path, bytes) in files.iter().filter(|(path, _)| path.ends_with(".JPEG")) {
        let parts: Vec<&str> = path.split('/').collect();
        let (set, class) = match parts[..] {
            ["train", class, "images", _] => (&mut train, Some(class)),
            ["val", "images", name] => (&mut test, annotations.get(name).copied()),
            _ => continue,
        };
        let label = class.and_then(|class| classes.get(class)).copied();
        let label = label.ok_or_else(|| Error::data(source, format!("{path} is of no known class")))?;
        set.push((path.as_str(), bytes.as_slice(), label));
    }
    Ok(Split { train: set(source, &train, classes.len())?, test: set(source, &test, classes.len())? })
}

fn set(source: &Path, images: &[(&str, &[u8], u8)], classes: usize) -> Result<Dataset> {
    if images.is_empty() {
        return Err(Error::data(source, "has no training images or no test images".into()));
    }
    let decode = |(path, bytes, _): &(&str, &[u8], u8)| {
        decode(bytes).map_err(|e| Error::data(source, format!("{path}: {e}")))
    };
    let pixels: Vec<Vec<u8>> = images.par_iter().map(decode).collect::<Result<_>>()?;
    Ok(Dataset {
        channels: CHANNELS,
        height: SIDE,
        width: SIDE,
        frames: 1,
        classes,
        pixels: pixels.concat(),
        labels: images.iter().map(|(_, _, label)| *label).collect(),
    })
}

/// Codes `[channel, y, x]` of a JPEG; grey ones have three equal channels.
fn decode(bytes: &[u8]) -> std::result::Result<Vec<u8>, String> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(SIDE)
        .set_max_height(SIDE)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let pixels = decoder.decode().map_err(|e| format!("is no JPEG that can be read: {e}"))?;
    let size = decoder.info().map_or((0, 0), |info| (usize::from(info.width), usize::from(info.height)));
    if size != (SIDE, SIDE) || pixels.len() != CHANNELS * SIDE * SIDE {
        return Err(format!("has {}x{} pixels, expected {SIDE}x{SIDE}", size.0, size.1));
    }
    Ok((0..CHANNELS).flat_map(|c| pixels.iter().skip(c).step_by(CHANNELS)).copied().collect())
}

fn archive_files(path: &Path) -> Result<Files> {
    let damaged =
        |e: std::io::Error| Error::data(path, format!("is damaged or cut short: {e}; fetch it again"));
    let mut files: Files = vec![];
    for entry in Archive::new(open(path)?).entries().map_err(damaged)? {
        let entry = entry.map_err(damaged)?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = entry.path().map_err(damaged)?.to_string_lossy().into_owned();
        // Everything lies in a folder of the archive's name.
        let name = name.split_once('/').map_or(name.as_str(), |(_, rest)| rest).to_string();
        files.push((name, content(path, entry)?));
        enough(path, files.len())?;
    }
    // Wherever an archive was packed, its images have one order.
    files.sort();
    Ok(files)
}

fn folder_files(folder: &Path) -> Result<Files> {
    let failed = |path: &Path, e| Error::data(path, format!("cannot be read: {e}"));
    let (mut files, mut folders): (Files, _) = (vec![], vec![folder.to_path_buf()]);
    while let Some(inner) = folders.pop() {
        for entry in std::fs::read_dir(&inner).map_err(|e| failed(&inner, e))? {
            let path = entry.map_err(|e| failed(&inner, e))?.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(name) = path.strip_prefix(folder) {
                let parts: Vec<_> = name.iter().map(|part| part.to_string_lossy()).collect();
                files.push((parts.join("/"), content(&path, open(&path)?)?));
                enough(folder, files.len())?;
            }
        }
    }
    files.sort();
    Ok(files)
}

fn content(path: &Path, file: impl Read) -> Result<Vec<u8>> {
    let mut bytes = vec![];
    let result = file.take(MAX_FILE + 1).read_to_end(&mut bytes);
    result.map_err(|e| Error::data(path, format!("is damaged or cut short: {e}; fetch it again")))?;
    match bytes.len() as u64 > MAX_FILE {
        true => Err(Error::data(path, format!("holds a file of more than {MAX_FILE} bytes"))),
        false => Ok(bytes),
    }
}

fn enough(path: &Path, files: usize) -> Result<()> {
    match files > MAX_FILES {
        true => Err(Error::data(path, format!("holds more than {MAX_FILES} files"))),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A baseline JPEG of one grey: every coefficient is 0, a table of one code of one bit each says so.
    fn jpeg(side: u16, components: u8) -> Vec<u8> {
        let mut bytes = vec![0xff, 0xd8, 0xff, 0xdb, 0, 67, 0];
        bytes.extend([1; 64]);
        let [high, low] = side.to_be_bytes();
        bytes.extend([0xff, 0xc0, 0, 8 + 3 * components, 8, high, low, high, low, components]);
        (1..=components).for_each(|c| bytes.extend([c, 0x11, 0]));
        for class in [0x00, 0x10] {
            bytes.extend([0xff, 0xc4, 0, 20, class, 1]);
            bytes.extend([0; 16]);
        }
        bytes.extend([0xff, 0xda, 0, 6 + 2 * components, components]);
        (1..=components).for_each(|c| bytes.extend([c, 0]));
        bytes.extend([0, 63, 0]);
        let blocks = usize::from(side).div_ceil(8).pow(2) * usize::from(components);
        bytes.resize(bytes.len() + (2 * blocks).div_ceil(8), 0);
        bytes.extend([0xff, 0xd9]);
        bytes
    }

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
        assert_eq!((split.train.classes, split.train.pixels.len()), (2, 2 * 3 * 64 * 64));
        assert!(split.train.pixels.iter().all(|p| *p == 128));
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
        assert!(with(image, Some(jpeg(72, 1))).contains("n01_0.JPEG: is no JPEG that can be read"));
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
            let _ = decode(&changed(jpeg(64, 3), changes));
        }
    }
}
