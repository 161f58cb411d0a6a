//! The set that a folder or an archive holds.

use crate::cifar::{self, load as load_cifar};
use crate::dataset::Split;
use crate::digits::{self, load as load_digits};
use crate::error::{Error, Result};
use crate::events::{self, Cut, FrameConfig, load as load_events};
use crate::files;
use crate::glyphs::glyphs;
use crate::idx::{self, load as load_idx};
use crate::image_folder::{self, load as load_photographs};
use crate::tiny_imagenet::{self, load as load_tiny_imagenet};
use empf_ir::Shape;
use empf_ir::shape::MAX_ELEMENTS;
use std::ops::ControlFlow;
use std::path::Path;

/// The name of the generated data set.
pub const GLYPHS: &str = "glyphs";

/// How a data set is read where its files leave it open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Seed of the generated set.
    pub seed: u64,
    /// Frames of a recording of events, T.
    pub frames: usize,
    /// Where a frame ends.
    pub cut: Cut,
    /// Rows and columns of what has no size of its own, events and photographs; `None`: the usual ones,
    /// 48x48 and 224x224.
    pub size: Option<(usize, usize)>,
    /// The label that is class 0, in idx files.
    pub first_label: u8,
}

impl Default for Reading {
    fn default() -> Self {
        Reading::usual(4)
    }
}

impl Reading {
    /// The usual way: seed 1, and events in `frames` frames of equally many.
    pub fn usual(frames: usize) -> Self {
        Reading { seed: 1, frames, cut: Cut::Count, size: None, first_label: 0 }
    }

    /// An image of the size has a sensible number of values.
    fn check_size(&self) -> Result<()> {
        let Some((height, width)) = self.size else { return Ok(()) };
        if Shape::new(3, height, width).is_sensible() {
            return Ok(());
        }
        let message =
            format!("is {height}x{width}, of which an image would have more than {MAX_ELEMENTS} values");
        Err(Error::Setting { setting: "size of images", message })
    }

    fn frame_config(&self) -> FrameConfig {
        let (height, width) = self.size.unwrap_or((48, 48));
        FrameConfig { frames: self.frames, height, width, cut: self.cut }
    }
}

/// Kinds of sets that files belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Idx,
    Cifar,
    Digits,
    TinyImagenet,
    Photographs,
    Events,
}

impl Kind {
    /// By the path of a file, if it is of one.
    fn of(path: &str) -> Option<Self> {
        match path {
            _ if idx::is_file(path) => Some(Kind::Idx),
            _ if cifar::is_file(path) => Some(Kind::Cifar),
            _ if path == digits::FILE => Some(Kind::Digits),
            _ if tiny_imagenet::is_file(path) => Some(Kind::TinyImagenet),
            _ if image_folder::is_file(path) => Some(Kind::Photographs),
            _ if events::is_file(path) => Some(Kind::Events),
            _ => None,
        }
    }
}

impl Split {
    /// The generated set where `source` is [`GLYPHS`], else the data set whose files the folder or archive
    /// `source` holds.
    pub fn load(source: &str, reading: &Reading) -> Result<Self> {
        reading.check_size()?;
        if source == GLYPHS {
            check_first_label(reading)?;
            return Ok(glyphs(reading.seed));
        }
        let path = Path::new(source);
        let is_archive = path.is_file() && files::is_archive(source);
        if !is_archive && !path.is_dir() {
            let message = format!("is no folder or archive (.tar, .zip); give one, or `{GLYPHS}`");
            return Err(Error::file(path, message));
        }
        let mut kind = None;
        files::walk(path, &|name| Kind::of(name).is_some(), &mut |name, _| {
            kind = Kind::of(name);
            Ok(ControlFlow::Break(()))
        })?;
        if kind != Some(Kind::Idx) {
            check_first_label(reading)?;
        }
        match kind {
            Some(Kind::Idx) => load_idx(path, reading.first_label),
            Some(Kind::Cifar) => load_cifar(path),
            Some(Kind::Digits) => load_digits(path),
            Some(Kind::TinyImagenet) => load_tiny_imagenet(path),
            Some(Kind::Photographs) if is_archive => Err(Error::file(
                path,
                "is an archive of photographs; unpack it, they are read one by one".into(),
            )),
            Some(Kind::Photographs) => load_photographs(path, reading.size.unwrap_or((224, 224))),
            Some(Kind::Events) => load_events(path, &reading.frame_config()),
            None => {
                let message = "holds no data set that is known: idx files of the MNIST family, .bin files of \
                               CIFAR-10 or CIFAR-100, digits.csv, Tiny ImageNet, photographs (JPEG or PNG, train/CLASS/*.JPEG, \
                               val/CLASS/*.JPEG), recordings of events (.bin, .dat, .aedat) in a folder for each \
                               class, or DVS-Gesture (trials_to_train.txt)";
                Err(Error::file(path, message.into()))
            }
        }
    }
}

/// Of a set that is not of idx files.
fn check_first_label(reading: &Reading) -> Result<()> {
    if reading.first_label == 0 {
        return Ok(());
    }
    let message = "is given, but only in idx files labels may start elsewhere than at 0";
    Err(Error::Setting { setting: "first-label", message: message.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_files::{folder, jpeg};

    fn error(source: &Path, reading: &Reading) -> String {
        Split::load(&source.to_string_lossy(), reading).unwrap_err().to_string()
    }

    #[test]
    fn a_set_is_known_by_files_that_are_not_hidden() {
        let record = |label: u8| [vec![label], vec![7; 3072]].concat();
        let mut archive = tar::Builder::new(vec![]);
        for (name, bytes) in [
            ("cifar/._data_batch_1.bin", b"Mac".to_vec()),
            ("cifar/data_batch_1.bin", record(3)),
            ("cifar/test_batch.bin", record(4)),
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            archive.append_data(&mut header, name, bytes.as_slice()).unwrap();
        }
        let place = folder(&[("set/cifar.tar", archive.into_inner().unwrap())]);
        let read = Split::load(&place.path().join("set").to_string_lossy(), &Reading::default()).unwrap();
        assert_eq!((read.train.labels, read.test.labels), (vec![3], vec![4]));
        let hidden = folder(&[(".git/train/ant/1.JPEG", jpeg(8, 3)), ("train/.ipynb/1.JPEG", jpeg(8, 3))]);
        assert!(error(hidden.path(), &Reading::default()).contains("holds no data set that is known"));
    }

    #[test]
    fn labels_are_shifted_in_idx_files_alone() {
        let shifted = Reading { first_label: 1, ..Reading::default() };
        let photographs = folder(&[("train/ant/1.JPEG", jpeg(8, 3)), ("val/ant/1.JPEG", jpeg(8, 3))]);
        for source in [Path::new(GLYPHS), photographs.path()] {
            assert!(error(source, &shifted).contains("only in idx files"), "{}", source.display());
        }
    }
}
