//! Photographs as ImageNet has them: JPEGs in `train/CLASS` and `val/CLASS`. Only their names are held; each is
//! decoded when a batch needs it.

use crate::dataset::{Dataset, Split};
use crate::error::{Error, Result};
use crate::jpeg::CHANNELS;
use crate::photographs::Photographs;
use crate::pixels::Pixels;
use crate::unpack::names;
use std::path::Path;

/// Names of the folders for learning and for judging.
const TRAIN: [&str; 1] = ["train"];
const TEST: [&str; 2] = ["val", "test"];

/// Whether `path` is that of a photograph in the folder of its class.
pub(crate) fn is_file(path: &str) -> bool {
    match path.split('/').collect::<Vec<_>>()[..] {
        [part, _, name] => is_jpeg(name) && TRAIN.iter().chain(&TEST).any(|folder| *folder == part),
        _ => false,
    }
}

fn is_jpeg(name: &str) -> bool {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    ["jpg", "jpeg"].iter().any(|known| ending.eq_ignore_ascii_case(known))
}

/// Finds the photographs of `folder`, brought to `size`, rows and columns. Classes are the folders of `train`, in
/// the order of their names.
pub fn load(folder: &Path, size: (usize, usize)) -> Result<Split> {
    let part = |candidates: &'static [&str]| {
        let found = candidates.iter().find(|name| folder.join(name).is_dir());
        found.ok_or_else(|| Error::file(folder, format!("has no folder {} of photographs", candidates[0])))
    };
    let (train, test) = (part(&TRAIN)?, part(&TEST)?);
    let mut classes = names(&folder.join(train))?;
    classes.retain(|class| folder.join(train).join(class).is_dir());
    Ok(Split { train: set(folder, train, &classes, size)?, test: set(folder, test, &classes, size)? })
}

fn set(folder: &Path, part: &str, classes: &[String], size: (usize, usize)) -> Result<Dataset> {
    let (mut paths, mut labels) = (vec![], vec![]);
    for class in names(&folder.join(part))? {
        let place = folder.join(part).join(&class);
        if !place.is_dir() {
            continue;
        }
        let label = classes.binary_search(&class).ok().and_then(|label| u16::try_from(label).ok());
        let label = label.ok_or_else(|| Error::file(&place, "is of no class for training".into()))?;
        let photographs = names(&place)?.into_iter().filter(|name| is_jpeg(name));
        paths.extend(photographs.map(|name| format!("{part}/{class}/{name}")));
        labels.resize(paths.len(), label);
    }
    if paths.is_empty() {
        return Err(Error::file(&folder.join(part), "holds no JPEG in a folder for each class".into()));
    }
    Ok(Dataset {
        channels: CHANNELS,
        height: size.0,
        width: size.1,
        frames: 1,
        classes: classes.len(),
        class_names: Default::default(),
        pixels: Pixels::Photographs(Photographs { folder: folder.into(), names: paths, size }),
        labels,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_files::{folder, jpeg};

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
        assert_eq!((input.zero_point, input.scale), (128, 1.0));
        assert_eq!(train.image(2).unwrap()[..], [128; 3 * 16 * 12]);
        assert_eq!(test.codes(9).unwrap().dim(), (1, 1, 3, 16, 12));
        assert_ne!(train.digest(), load(place.path(), (16, 16)).unwrap().train.digest());
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
        assert!(error("train/dog/1.JPEG", jpeg(8, 3)).is_ok());
    }
}
