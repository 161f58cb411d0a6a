//! The handwritten digits of the UCI repository as text: 64 numbers 0..=16 and the class in each line.

use crate::dataset::{Dataset, Split};
use crate::error::{Error, Result};
use crate::unpack::{find, read};
use std::path::Path;

/// Name of the file, plain or packed.
pub(crate) const FILE: &str = "digits.csv";
const SIDE: usize = 8;
const CLASSES: u8 = 10;
/// Largest number of a pixel, and what a step of it is in codes.
const TOP: u8 = 16;
const STEP: u8 = 15;
/// Largest content of the file; the published one has 264 KB.
const MAX_BYTES: u64 = 1 << 26;
/// Every so many images one is for judging, the first of all among them: the set has no split of its own.
const TEST_EVERY: usize = 5;

/// Reads `digits.csv` from `folder`.
pub fn load(folder: &Path) -> Result<Split> {
    let path = find(folder, FILE)?;
    let bytes = read(&path, MAX_BYTES)?;
    let text = str::from_utf8(&bytes)
        .map_err(|e| Error::file(&path, format!("is not text from byte {} on", e.valid_up_to())))?;
    let [mut train, mut test] = [(vec![], vec![]), (vec![], vec![])];
    for (i, line) in text.lines().enumerate() {
        let (pixels, label) = image(line).map_err(|e| Error::file(&path, format!("line {}: {e}", i + 1)))?;
        let (all_pixels, labels) = if i % TEST_EVERY == 0 { &mut test } else { &mut train };
        all_pixels.extend(pixels);
        labels.push(label.into());
    }
    match train.1.is_empty() {
        true => Err(Error::file(&path, "holds fewer than two images".into())),
        false => Ok(Split { train: set(train), test: set(test) }),
    }
}

fn set((pixels, labels): (Vec<u8>, Vec<u16>)) -> Dataset {
    Dataset {
        channels: 1,
        height: SIDE,
        width: SIDE,
        frames: 1,
        classes: CLASSES.into(),
        class_names: Default::default(),
        pixels: pixels.into(),
        labels,
    }
}

/// Codes and class of a line.
fn image(line: &str) -> std::result::Result<(Vec<u8>, u8), String> {
    let fields: Vec<&str> = line.trim_end().split(',').collect();
    let Some((label, pixels)) = fields.split_last().filter(|(_, pixels)| pixels.len() == SIDE * SIDE) else {
        return Err(format!("has {} numbers, expected {}", fields.len(), SIDE * SIDE + 1));
    };
    let number = |field: &str, top: u8| {
        let number = field.parse().ok().filter(|n| *n <= top);
        number.ok_or_else(|| format!("`{field}` is not a number from 0 to {top}"))
    };
    let pixels = pixels.iter().map(|field| Ok(STEP * number(field, TOP)?));
    Ok((pixels.collect::<std::result::Result<_, String>>()?, number(label, CLASSES - 1)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_text(text: &str) -> Result<Split> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), text).unwrap();
        load(folder.path())
    }

    fn line(pixel: &str, label: u8) -> String {
        format!("{pixel},{}{label}\n", "16,".repeat(63))
    }

    #[test]
    fn reads_and_splits() {
        let text: String = (0..7).map(|i| line(&i.to_string(), i)).collect();
        let split = load_text(&text).unwrap();
        assert_eq!((&split.test.labels[..], &split.train.labels[..]), (&[0, 5][..], &[1, 2, 3, 4, 6][..]));
        assert_eq!(split.train.image(0).unwrap()[..3], [15, 240, 240]);
        assert_eq!((split.train.height, split.train.width, split.train.classes), (8, 8, 10));
    }

    #[test]
    fn names_the_line_that_is_wrong() {
        let error = |second: &str| load_text(&format!("{}{second}", line("1", 1))).unwrap_err().to_string();
        assert!(error(&line("17", 1)).contains("line 2: `17` is not a number from 0 to 16"));
        assert!(error(&line("", 1)).contains("line 2: `` is not a number"));
        assert!(error(&line("1", 10)).contains("line 2: `10` is not a number from 0 to 9"));
        assert!(error("1,2\n").contains("line 2: has 2 numbers, expected 65"));
        assert!(error("").contains("fewer than two images"));
    }
}
