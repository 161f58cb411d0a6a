//! Labelled images of one size.

use crate::error::{Error, Result};
use crate::pixels::Pixels;
use empf_ir::{ClassNames, Input, Shape, counted};
use ndarray::Array5;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use std::borrow::Cow;

/// From so many photographs the mean and the variance of all are taken.
const SAMPLE: usize = 1024;

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
    /// What they are called, where the set's files or folders say it.
    pub class_names: ClassNames,
    /// Codes of the images.
    pub pixels: Pixels,
    /// Class of each image, below `classes`.
    pub labels: Vec<u16>,
}

/// Images to learn from and images to be judged by.
#[derive(Clone, Debug)]
pub struct Split {
    /// For learning.
    pub train: Dataset,
    /// For judging.
    pub test: Dataset,
}

/// What images of `shape` are, or what a network takes, for people.
pub fn describe(frames: usize, shape: Shape, classes: usize) -> String {
    match frames {
        1 => format!("{shape}, {}", counted(classes, "class")),
        frames => format!("{shape}, {frames} frames, {}", counted(classes, "class")),
    }
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

    /// Numbers of the classes that no image is of.
    pub fn empty_classes(&self) -> Vec<usize> {
        let mut seen = vec![false; self.classes];
        for label in &self.labels {
            if let Some(seen) = seen.get_mut(usize::from(*label)) {
                *seen = true;
            }
        }
        (0..self.classes).filter(|class| !seen[*class]).collect()
    }

    /// Codes of one image.
    fn size(&self) -> usize {
        self.frames * self.channels * self.height * self.width
    }

    /// Codes of image `i`, `[frame, channel, y, x]`. A photograph that cannot be decoded is an error.
    pub fn image(&self, i: usize) -> Result<Cow<'_, [u8]>> {
        match &self.pixels {
            Pixels::Held(codes) => Ok(codes[i * self.size()..][..self.size()].into()),
            Pixels::Photographs(photographs) => Ok(photographs.decode(i)?.into()),
        }
    }

    /// Codes of several images, photographs decoded on all cores.
    pub fn images(&self, indices: &[usize]) -> Result<Vec<Cow<'_, [u8]>>> {
        match self.pixels {
            Pixels::Held(_) => indices.iter().map(|i| self.image(*i)).collect(),
            Pixels::Photographs(_) => indices.par_iter().map(|i| self.image(*i)).collect(),
        }
    }

    /// Codes of the first `count` images, or of all, `[image, frame, channel, y, x]`.
    pub fn codes(&self, count: usize) -> Result<Array5<u8>> {
        let indices: Vec<usize> = (0..count.min(self.len())).collect();
        let shape = (indices.len(), self.frames, self.channels, self.height, self.width);
        let codes = self.images(&indices)?.concat();
        Array5::from_shape_vec(shape, codes).map_err(|e| Error::Images(e.to_string()))
    }

    /// Keeps the first `count` images.
    pub fn truncate(&mut self, count: usize) {
        self.labels.truncate(count);
        let (images, size) = (self.labels.len(), self.size());
        match &mut self.pixels {
            Pixels::Held(codes) => codes.truncate(images * size),
            Pixels::Photographs(photographs) => photographs.names.truncate(images),
        }
    }

    /// SHA-256 of sizes, pixels and labels; of photographs the names stand for their pixels.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for size in [self.frames, self.channels, self.height, self.width, self.classes] {
            hash.update(size.to_le_bytes());
        }
        match &self.pixels {
            Pixels::Held(codes) => hash.update(codes),
            Pixels::Photographs(photographs) => {
                photographs.names.iter().for_each(|name| hash.update(format!("{name}\n")));
            }
        }
        // One byte where that is enough.
        let bytes = if self.classes > 256 { 2 } else { 1 };
        self.labels.iter().for_each(|label| hash.update(&label.to_le_bytes()[..bytes]));
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What a network for these images takes: values with about mean 0 and variance 1, but of events those
    /// where none happened are 0. Many photographs are judged by a part of them.
    pub fn input(&self) -> Result<Input> {
        let counts = self.histogram()?;
        let total: u64 = counts.iter().sum();
        let mean_of = |value: &dyn Fn(f64) -> f64| {
            let sum: f64 =
                counts.iter().enumerate().map(|(code, count)| *count as f64 * value(code as f64)).sum();
            sum / total.max(1) as f64
        };
        let mean = mean_of(&|code| code);
        let centre = if self.frames > 1 { 0.0 } else { mean };
        let variance = mean_of(&|code| (code - centre).powi(2));
        Ok(Input {
            channels: self.channels,
            height: self.height,
            width: self.width,
            frames: self.frames,
            zero_point: (centre.round() as f32).into(),
            scale: ((1.0 / variance.sqrt().max(1.0)) as f32).into(),
        })
    }

    /// How often each code is seen.
    fn histogram(&self) -> Result<[u64; 256]> {
        let mut counts = [0; 256];
        let mut count = |codes: &[u8]| codes.iter().for_each(|code| counts[usize::from(*code)] += 1);
        match &self.pixels {
            Pixels::Held(codes) => count(codes),
            Pixels::Photographs(_) => {
                let step = self.len().div_ceil(SAMPLE).max(1);
                let sample: Vec<usize> = (0..self.len()).step_by(step).collect();
                self.images(&sample)?.iter().for_each(|codes| count(codes));
            }
        }
        Ok(counts)
    }

    /// Size of an image and number of classes, for people.
    pub fn describe(&self) -> String {
        describe(self.frames, Shape::new(self.channels, self.height, self.width), self.classes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;

    /// Two images of 1x1x2, of two classes.
    fn dataset(pixels: Vec<u8>) -> Dataset {
        Dataset {
            channels: 1,
            height: 1,
            width: 2,
            frames: 1,
            classes: 2,
            class_names: Default::default(),
            pixels: pixels.into(),
            labels: vec![0, 1],
        }
    }

    #[test]
    fn values_are_standardised() {
        let mut data = dataset(vec![10, 30, 10, 30]);
        let input = data.input().unwrap();
        assert_eq!((input.zero_point, input.scale, input.frames), (20.0.into(), 0.1.into(), 1));
        (data.frames, data.labels) = (2, vec![0]);
        let input = data.input().unwrap();
        assert_eq!((input.zero_point.of(0), input.frames), (0.0, 2));
        assert_abs_diff_eq!(input.scale.of(0), 1.0 / 500f32.sqrt(), epsilon = 1e-6);
    }

    #[test]
    fn a_digest_sees_every_part() {
        let data = dataset(vec![1, 2, 3, 4]);
        let other = |change: &dyn Fn(&mut Dataset)| {
            let mut other = data.clone();
            change(&mut other);
            other.digest()
        };
        assert_ne!(other(&|d| d.labels[1] = 0), data.digest());
        assert_ne!(other(&|d| d.pixels = vec![1, 2, 3, 5].into()), data.digest());
        assert_ne!(other(&|d| d.classes = 3), data.digest());
        assert_ne!(other(&|d| d.truncate(1)), data.digest());
    }
}
