//! Labelled images.

mod augment;
mod batches;
mod cifar;
mod digits;
pub mod events;
mod glyphs;
mod idx;
mod tiny_imagenet;
mod unpack;

pub use augment::Augment;
pub use batches::Batches;
pub(crate) use batches::{Purpose, stream};
pub use cifar::load as load_cifar;
pub use digits::load as load_digits;
pub use events::load as load_events;
pub use glyphs::glyphs;
pub use idx::load as load_idx;
pub use tiny_imagenet::load as load_tiny_imagenet;

use crate::error::{Error, Result};
use empf_ir::Shape;
use sha2::{Digest, Sha256};
use std::path::Path;

/// The name of the generated data set.
pub const GLYPHS: &str = "glyphs";

/// Images of one size with their classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// Channels of an image.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// 1: static images; else each has so many frames, one a time-step.
    pub frames: usize,
    /// Number of classes.
    pub classes: usize,
    /// Codes 0..=255, `[image, frame, channel, y, x]`.
    pub pixels: Vec<u8>,
    /// Class of each image, below `classes`.
    pub labels: Vec<u8>,
}

impl Dataset {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Codes of one image.
    fn size(&self) -> usize {
        self.frames * self.channels * self.height * self.width
    }

    /// Codes of image `i`, `[frame, channel, y, x]`.
    pub fn image(&self, i: usize) -> &[u8] {
        &self.pixels[i * self.size()..][..self.size()]
    }

    /// Keeps the first `count` images.
    pub fn truncate(&mut self, count: usize) {
        self.labels.truncate(count);
        self.pixels.truncate(self.labels.len() * self.size());
    }

    /// SHA-256 of sizes, pixels and labels.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for size in [self.frames, self.channels, self.height, self.width, self.classes] {
            hash.update(size.to_le_bytes());
        }
        hash.update(&self.pixels);
        hash.update(&self.labels);
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Size of an image and number of classes, for people.
    pub(crate) fn describe(&self) -> String {
        describe(self.frames, Shape::new(self.channels, self.height, self.width), self.classes)
    }
}

/// What images of `shape` are, or what a network takes, for people.
pub(crate) fn describe(frames: usize, shape: Shape, classes: usize) -> String {
    match frames {
        1 => format!("{shape}, {classes} classes"),
        frames => format!("{shape}, {frames} frames, {classes} classes"),
    }
}

/// Images to learn from and images to be judged by.
#[derive(Clone, Debug)]
pub struct Split {
    /// For learning.
    pub train: Dataset,
    /// For judging.
    pub test: Dataset,
}

impl Split {
    /// The generated set where `source` is [`GLYPHS`], else the data set whose files the folder or archive
    /// `source` holds. `seed` is that of the generated set.
    pub fn load(source: &str, seed: u64) -> Result<Self> {
        let path = Path::new(source);
        match source {
            GLYPHS => Ok(glyphs(seed)),
            _ if path.is_dir() => load_folder(path),
            _ if path.is_file() && tiny_imagenet::is_archive(source) => load_tiny_imagenet(path),
            _ => Err(Error::data(path, format!("is no folder or tar archive; give one, or `{GLYPHS}`"))),
        }
    }
}

fn load_folder(folder: &Path) -> Result<Split> {
    let names = unpack::names(folder)?;
    let has = |wanted: fn(&str) -> bool| names.iter().find(|name| wanted(name));
    if has(|name| name.contains("-idx3-ubyte")).is_some() {
        load_idx(folder)
    } else if has(cifar::is_training_file).is_some() {
        load_cifar(folder)
    } else if has(|name| unpack::unpacked_name(name) == digits::FILE).is_some() {
        load_digits(folder)
    } else if has(|name| name == tiny_imagenet::CLASSES).is_some() {
        load_tiny_imagenet(folder)
    } else if let Some(name) = has(tiny_imagenet::is_archive) {
        load_tiny_imagenet(&folder.join(name))
    } else {
        let message = "holds no data set that is known: idx files of the MNIST family, .bin files of CIFAR-10 or \
                       CIFAR-100, digits.csv, or Tiny ImageNet";
        Err(Error::data(folder, message.into()))
    }
}
