//! Photographs as ImageNet has them: JPEGs or PNGs in `train/CLASS` and `val/CLASS`. Only their names are held; each
//! is decoded when a batch needs it.

use crate::classes::Classes;
use crate::dataset::{Dataset, Split};
use crate::error::{Error, Result};
use crate::photographs::Photographs;
use crate::pictures::{CHANNELS, is_other_picture, is_picture};
use crate::pixels::Pixels;
use crate::unpack::names;
use std::path::Path;

/// Names of the folders for learning and for judging.
const TRAIN: [&str; 1] = ["train"];
const TEST: [&str; 2] = ["val", "test"];

/// Whether `path` is that of a photograph in the folder of its class.
pub(crate) fn is_file(path: &str) -> bool {
    match path.split('/').collect::<Vec<_>>()[..] {
        [part, _, name] => is_picture(name) && TRAIN.iter().chain(&TEST).any(|folder| *folder == part),
        _ => false,
    }
}

/// Finds the photographs of `folder`, brought to `size`, rows and columns. Classes are the folders of `train`, as
/// numbers or as text in the order of their names; none of them is empty, and there are no others in `val`.
pub fn load(folder: &Path, size: (usize, usize)) -> Result<Split> {
    let part = |candidates: &'static [&str]| {
        let found = candidates.iter().find(|name| folder.join(name).is_dir());
        found.ok_or_else(|| Error::file(folder, format!("has no folder {} of photographs", candidates[0])))
    };
    let (train, test) = (part(&TRAIN)?, part(&TEST)?);
    let classes = Classes::of(&folder.join(train), folders_of(&folder.join(train))?)?;
    if let Some(class) = folders_of(&folder.join(test))?.iter().find(|class| classes.number(class).is_none())
    {
        let message = format!("is of no class for training; those are {}", classes.class_names());
        return Err(Error::file(&folder.join(test).join(class), message));
    }
    let split =
        Split { train: set(folder, train, &classes, size)?, test: set(folder, test, &classes, size)? };
    if let Some(class) = split.train.empty_classes().first() {
        let place = folder.join(train).join(&classes.names()[*class]);
        let message = "holds no JPEG or PNG; put pictures of its class into it, or take the folder away";
        return Err(Error::file(&place, message.into()));
    }
    Ok(split)
}

/// The folders in `place`, beside which no pictures lie.
fn folders_of(place: &Path) -> Result<Vec<String>> {
    let (folders, files): (Vec<_>, Vec<_>) =
        names(place)?.into_iter().partition(|name| place.join(name).is_dir());
    match files.iter().find(|name| is_picture(name)) {
        Some(name) => Err(Error::file(&place.join(name), "lies in no folder of a class".into())),
        None => Ok(folders),
    }
}

fn set(folder: &Path, part: &str, classes: &Classes, size: (usize, usize)) -> Result<Dataset> {
    let (mut paths, mut labels) = (vec![], vec![]);
    for (class, label) in classes.names().iter().zip(0..=u16::MAX) {
        let place = folder.join(part).join(class);
        let files = if place.is_dir() { names(&place)? } else { vec![] };
        if let Some(name) = files.iter().find(|name| is_other_picture(name)) {
            let message = "is of a format that is not read; convert it to JPEG or PNG, or take it away";
            return Err(Error::file(&place.join(name), message.into()));
        }
        let photographs = files.into_iter().filter(|name| is_picture(name));
        paths.extend(photographs.map(|name| format!("{part}/{class}/{name}")));
        labels.resize(paths.len(), label);
    }
    if paths.is_empty() {
        return Err(Error::file(
            &folder.join(part),
            "holds no JPEG or PNG in a folder for each class".into(),
        ));
    }
    Ok(Dataset {
        channels: CHANNELS,
        height: size.0,
        width: size.1,
        frames: 1,
        classes: classes.names().len(),
        class_names: classes.class_names(),
        pixels: Pixels::Photographs(Photographs { folder: folder.into(), names: paths, size }),
        labels,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_files::{folder, jpeg, png};
    use empf_ir::ClassNames;

    fn files() -> Vec<(&'static str, Vec<u8>)> {
        vec![
            ("train/dog/1.JPEG", jpeg(40, 3)),
            ("train/cat/2.jpg", jpeg(24, 1)),
            ("train/cat/3.jpeg", jpeg(64, 3)),
            ("train/cat/notes.txt", vec![]),
            ("val/dog/4.JPEG", jpeg(8, 3)),
        ]
    }

    #[test]
    fn photographs_of_all_sizes_become_one() {
        let place = folder(&files());
        let Split { train, test } = load(place.path(), (16, 12)).unwrap();
        assert_eq!((&train.labels[..], &test.labels[..], train.classes), (&[0, 0, 1][..], &[1][..], 2));
        assert_eq!((train.channels, train.height, train.width, test.len()), (3, 16, 12, 1));
        let input = train.input().unwrap();
        assert_eq!((input.zero_point, input.scale), (128.0.into(), 1.0.into()));
        assert_eq!(train.image(2).unwrap()[..], [128; 3 * 16 * 12]);
        assert_eq!(test.codes(9).unwrap().dim(), (1, 1, 3, 16, 12));
        assert_ne!(train.digest(), load(place.path(), (16, 16)).unwrap().train.digest());
    }

    #[test]
    fn classes_have_the_names_of_their_folders() {
        let names: Vec<String> =
            (0..12).flat_map(|i| [format!("train/{i}/a.png"), format!("val/{i}/b.PNG")]).collect();
        let files: Vec<(&str, Vec<u8>)> =
            names.iter().map(|name| (name.as_str(), png(4, 4, |_, _| [9; 3]))).collect();
        let Split { train, test } = load(folder(&files).path(), (4, 4)).unwrap();
        assert_eq!(train.labels, (0..12).collect::<Vec<u16>>());
        assert_eq!(train.class_names, ClassNames::new((0..12).map(|i| i.to_string())));
        assert_eq!((test.labels, test.class_names), (train.labels, train.class_names));
    }

    #[test]
    fn pictures_are_jpegs_and_pngs() {
        let mut files = files();
        // As in ImageNet: a PNG under the name of a JPEG.
        files.push(("train/cow/1.JPEG", png(30, 20, |_, _| [1, 2, 3])));
        files.push(("train/cow/2.png", png(30, 20, |_, _| [1, 2, 3])));
        let place = folder(&files);
        let train = load(place.path(), (2, 2)).unwrap().train;
        assert_eq!((&train.labels[..], train.classes), (&[0, 0, 1, 1, 2][..], 3));
        assert_eq!(train.image(2).unwrap()[..], [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3]);
        assert_eq!(train.image(2).unwrap(), train.image(3).unwrap());
    }

    #[test]
    fn what_is_hidden_is_passed_over() {
        let mut files = files();
        files.push(("train/.ipynb_checkpoints/1.JPEG", jpeg(8, 3)));
        files.push(("train/dog/._1.JPEG", b"Mac".to_vec()));
        files.push(("train/Thumbs.db", vec![]));
        files.push(("val/__MACOSX/1.JPEG", vec![]));
        let place = folder(&files);
        let plain = folder(&self::files());
        let (hidden, plain) = (load(place.path(), (8, 8)).unwrap(), load(plain.path(), (8, 8)).unwrap());
        assert_eq!(hidden.train.digest(), plain.train.digest());
        assert_eq!(hidden.test.digest(), plain.test.digest());
    }

    #[test]
    fn nothing_is_left_out_in_silence() {
        let error = |name: &str, bytes: Vec<u8>| {
            let mut files = files();
            files.push((name, bytes));
            load(folder(&files).path(), (8, 8)).unwrap_err().to_string()
        };
        assert!(error("train/cow/notes.txt", vec![]).contains("train/cow: holds no JPEG or PNG"));
        assert!(error("train/cow/inner/1.jpg", jpeg(8, 3)).contains("train/cow: holds no JPEG or PNG"));
        assert!(error("train/dog/2.webp", vec![]).contains("dog/2.webp: is of a format that is not read"));
        assert!(error("val/2.jpg", jpeg(8, 3)).contains("val/2.jpg: lies in no folder of a class"));
    }

    #[test]
    fn names_what_is_wrong() {
        let error = |name: &'static str, bytes: Vec<u8>| {
            let mut files = files();
            files.retain(|(other, _)| *other != name);
            files.push((name, bytes));
            let place = folder(&files);
            let split = load(place.path(), (16, 16))?;
            (0..split.train.len()).try_for_each(|i| split.train.image(i).map(|_| ()))
        };
        let damaged = error("train/dog/1.JPEG", vec![0xff, 0xd8, 3]).unwrap_err().to_string();
        assert!(damaged.contains("train/dog/1.JPEG: is no JPEG that can be read"), "{damaged}");
        let unknown = error("val/cow/1.JPEG", jpeg(8, 3)).unwrap_err().to_string();
        assert!(unknown.contains("val/cow: is of no class for training"), "{unknown}");
        assert!(
            load(folder(&files()[..4]).path(), (8, 8)).unwrap_err().to_string().contains("no folder val")
        );
        let mut large = jpeg(8, 3);
        let size = large.windows(4).position(|bytes| bytes == [0, 8, 0, 8]).unwrap();
        large[size..size + 4].copy_from_slice(&[0x40, 0, 0x40, 0]);
        let vain = error("train/dog/1.JPEG", large).unwrap_err().to_string();
        assert!(vain.contains("cannot hold 16384x16384 pixels in"), "{vain}");
        assert!(unknown.contains("those are [cat, dog]"), "{unknown}");
        assert!(error("train/dog/1.JPEG", jpeg(8, 3)).is_ok());
    }
}
