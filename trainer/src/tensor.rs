//! Feature maps in memory.

use crate::Float;
use empf_ir::{Shape, counted};
use std::fmt::{self, Display, Formatter};

/// Extents of a batch of feature maps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extents {
    /// Images.
    pub images: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Channels.
    pub channels: usize,
}

impl Extents {
    /// Positions of one image.
    pub fn positions(&self) -> usize {
        self.height * self.width
    }

    /// Elements of one image.
    pub fn image(&self) -> usize {
        self.positions() * self.channels
    }

    /// Elements altogether.
    pub fn elements(&self) -> usize {
        self.images * self.image()
    }
}

/// `2 images of 1x28x28`, channels first.
impl Display for Extents {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let Extents { images, height, width, channels } = *self;
        write!(f, "{} of {}", counted(images, "image"), Shape::new(channels, height, width))
    }
}

/// A batch of feature maps, channels last: `[images, height, width, channels]`.
///
/// With the channels innermost a window's row is one contiguous run, and per-channel parameters meet the
/// data in the order in which vector units load both.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tensor<F> {
    /// Extents of the axes.
    pub extents: Extents,
    /// Elements, channel fastest.
    pub data: Vec<F>,
}

impl<F: Float> Tensor<F> {
    /// All zero.
    pub fn zeros(extents: Extents) -> Self {
        Tensor { extents, data: vec![F::zero(); extents.elements()] }
    }

    /// Takes `extents`, keeping the allocation; the elements are unspecified afterwards.
    pub fn resize(&mut self, extents: Extents) {
        self.extents = extents;
        self.data.resize(extents.elements(), F::zero());
    }

    /// From values in the order `[images, channels, height, width]`.
    pub fn from_nchw(extents: Extents, values: &[F]) -> Self {
        let mut tensor = Tensor::zeros(extents);
        let (p, c, size) = (extents.positions(), extents.channels, extents.image());
        for (image, values) in tensor.data.chunks_exact_mut(size).zip(values.chunks_exact(size)) {
            image.iter_mut().enumerate().for_each(|(i, x)| *x = values[(i % c) * p + i / c]);
        }
        tensor
    }

    /// The values in the order `[images, channels, height, width]`.
    pub fn to_nchw(&self) -> Vec<F> {
        let (p, c) = (self.extents.positions(), self.extents.channels);
        let image = |data: &[F]| (0..p * c).map(|i| data[(i % p) * c + i / p]).collect::<Vec<F>>();
        self.data.chunks_exact(self.extents.image()).flat_map(image).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_round_trip() {
        let extents = Extents { images: 2, height: 3, width: 2, channels: 5 };
        let values: Vec<f64> = (0..60).map(f64::from).collect();
        let tensor = Tensor::from_nchw(extents, &values);
        assert_eq!(tensor.data[..6], [0.0, 6.0, 12.0, 18.0, 24.0, 1.0]);
        assert_eq!(tensor.to_nchw(), values);
    }
}
