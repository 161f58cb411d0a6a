//! Convolutions as matrix products over unfolded windows, for windows of any size and stride.

use super::method::Method;
use crate::layers::matmul::{Matrix, matmul};
use crate::layers::parallel::Scratch;
use crate::{Extents, Float, Tensor};
use empf_ir::Window;
use rayon::prelude::*;

/// Elements of unfolded windows made at a time: 512 KiB of `f32`, which stays in a core's cache.
const BLOCK_ELEMENTS: usize = 1 << 17;

/// A convolution by products over unfolded windows.
#[derive(Debug)]
pub(super) struct Unfolded<F> {
    window: Window,
    in_channels: usize,
    out_channels: usize,
    scratch: Scratch<F>,
}

impl<F: Float> Unfolded<F> {
    pub(super) fn new(window: Window, in_channels: usize, out_channels: usize) -> Self {
        Unfolded { window, in_channels, out_channels, scratch: Scratch::default() }
    }

    /// Elements of a window.
    fn unfolded(&self) -> usize {
        self.window.kernel * self.window.kernel * self.in_channels
    }

    /// Output rows per block of unfolded windows.
    fn block_rows(&self, y: Extents) -> usize {
        (BLOCK_ELEMENTS / (y.width * self.unfolded())).clamp(1, y.height)
    }

    /// Lays the windows of `windows.len()` elements from output row `first` on side by side, one a row:
    /// `[positions, kernel, kernel, in]`, zero where a window leaves the map.
    fn unfold(&self, x: &[F], xe: Extents, first: usize, out_width: usize, windows: &mut [F]) {
        let (c, k) = (self.in_channels, self.window.kernel);
        for (at, window) in windows.chunks_exact_mut(self.unfolded()).enumerate() {
            let (ys, ky) = self.window.span(first + at / out_width, xe.height);
            let (xs, kx) = self.window.span(at % out_width, xe.width);
            if ys.len() < k || xs.len() < k {
                window.fill(F::zero());
            }
            for (row, y) in ys.enumerate() {
                let to = ((ky + row) * k + kx) * c;
                let from = (y * xe.width + xs.start) * c;
                let run = xs.len() * c;
                window[to..to + run].copy_from_slice(&x[from..from + run]);
            }
        }
    }

    /// Adds windows laid out as by [`Unfolded::unfold`] back to where they came from.
    fn fold(&self, windows: &[F], xe: Extents, first: usize, out_width: usize, x: &mut [F]) {
        let (c, k) = (self.in_channels, self.window.kernel);
        for (at, window) in windows.chunks_exact(self.unfolded()).enumerate() {
            let (ys, ky) = self.window.span(first + at / out_width, xe.height);
            let (xs, kx) = self.window.span(at % out_width, xe.width);
            for (row, y) in ys.enumerate() {
                let from = ((ky + row) * k + kx) * c;
                let to = (y * xe.width + xs.start) * c;
                let run = xs.len() * c;
                let sums = x[to..to + run].iter_mut().zip(&window[from..from + run]);
                sums.for_each(|(x, w)| *x += *w);
            }
        }
    }
}

impl<F: Float> Method<F> for Unfolded<F> {
    fn prepare(&mut self, _: &[F]) {}

    fn forward(&self, weights: &[F], x: &Tensor<F>, y: &mut Tensor<F>) {
        let (rows, unfolded, out) = (self.block_rows(y.extents), self.unfolded(), self.out_channels);
        let (ye, weights) = (y.extents, Matrix::new(weights, unfolded, out));
        let images = x.data.par_chunks(x.extents.image()).zip(y.data.par_chunks_mut(ye.image()));
        images.for_each(|(x_image, y_image)| {
            for (block, y_block) in y_image.chunks_mut(rows * ye.width * out).enumerate() {
                let positions = y_block.len() / out;
                self.scratch.with(positions * unfolded, |windows| {
                    self.unfold(x_image, x.extents, block * rows, ye.width, windows);
                    matmul(y_block, Matrix::new(windows, positions, unfolded), weights, false);
                });
            }
        });
    }

    fn weight_gradient(&self, (x, xe): (&[F], Extents), (g, ye): (&[F], Extents), gradient: &mut [F]) {
        gradient.fill(F::zero());
        let (rows, unfolded, out) = (self.block_rows(ye), self.unfolded(), self.out_channels);
        for (x_image, g_image) in x.chunks(xe.image()).zip(g.chunks(ye.image())) {
            for (block, g_block) in g_image.chunks(rows * ye.width * out).enumerate() {
                let positions = g_block.len() / out;
                self.scratch.with(positions * unfolded, |windows| {
                    self.unfold(x_image, xe, block * rows, ye.width, windows);
                    let windows = Matrix::new(windows, positions, unfolded).transposed();
                    matmul(gradient, windows, Matrix::new(g_block, positions, out), true);
                });
            }
        }
    }

    fn input_gradient(&self, weights: &[F], grad_out: &Tensor<F>, grad_in: &mut Tensor<F>, accumulate: bool) {
        let (xe, ye, out) = (grad_in.extents, grad_out.extents, self.out_channels);
        let (rows, unfolded) = (self.block_rows(ye), self.unfolded());
        let weights = Matrix::new(weights, unfolded, out).transposed();
        let images = grad_out.data.par_chunks(ye.image()).zip(grad_in.data.par_chunks_mut(xe.image()));
        images.for_each(|(g_image, x_image)| {
            if !accumulate {
                x_image.fill(F::zero());
            }
            for (block, g_block) in g_image.chunks(rows * ye.width * out).enumerate() {
                let positions = g_block.len() / out;
                self.scratch.with(positions * unfolded, |windows| {
                    matmul(windows, Matrix::new(g_block, positions, out), weights, false);
                    self.fold(windows, xe, block * rows, ye.width, x_image);
                });
            }
        });
    }
}
