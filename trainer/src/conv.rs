//! 2-D convolution with float or sign weights, as matrix products over unfolded windows.

use crate::matmul::{Matrix, matmul};
use crate::parallel::Scratch;
use crate::param::{Layout, Param};
use crate::{Extents, Float, Tensor};
use empf_ir::WeightKind;
use rayon::prelude::*;

/// Parts into which a batch is cut for the weight gradient. Each is summed by itself and the parts are
/// added in order, so the result does not depend on the number of cores.
const GRADIENT_PARTS: usize = 8;

/// Elements of unfolded windows made at a time: 512 KiB of `f32`, which stays in a core's cache.
const BLOCK_ELEMENTS: usize = 1 << 17;

/// `Sign(w)` with `Sign(0) = +1`.
pub(crate) fn sign<F: Float>(w: F) -> F {
    if w >= F::zero() { F::one() } else { -F::one() }
}

/// Window of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Side.
    pub kernel: usize,
    /// Step.
    pub stride: usize,
    /// Border of zeros on each side.
    pub padding: usize,
}

impl Window {
    /// Number of positions along an axis of `size`, which with its border is at least the window's side.
    pub fn positions(&self, size: usize) -> usize {
        (size + 2 * self.padding - self.kernel) / self.stride + 1
    }

    /// Input indices under window position `at`, clipped to `0..size`, and the first one's window index.
    pub(crate) fn span(&self, at: usize, size: usize) -> (std::ops::Range<usize>, usize) {
        let start = at * self.stride;
        let first = start.clamp(self.padding, size + self.padding);
        let end = (start + self.kernel).clamp(first, size + self.padding);
        (first - self.padding..end - self.padding, first.saturating_sub(start).min(self.kernel))
    }
}

/// Convolution without bias (`I = W s`).
#[derive(Debug)]
pub struct Conv<F> {
    /// Window of each side.
    pub window: Window,
    /// Float or sign.
    pub kind: WeightKind,
    /// `[out, in, kernel, kernel]`; for sign weights the real numbers behind the signs.
    pub weight: Param<F>,
    in_channels: usize,
    out_channels: usize,
    signs: Vec<F>,
    scratch: Scratch<F>,
}

impl<F: Float> Conv<F> {
    /// With weights `value(i)` for element `i` of `[out, in, kernel, kernel]`.
    pub fn new(
        in_channels: usize,
        out_channels: usize,
        window: Window,
        kind: WeightKind,
        value: impl FnMut(usize) -> F,
    ) -> Self {
        let positions = window.kernel * window.kernel;
        let shape = vec![out_channels, in_channels, window.kernel, window.kernel];
        let size = shape.iter().product();
        let layout = Layout::Reversed { out: out_channels, inner: in_channels, positions };
        let mut weight = Param::new(shape, vec![F::zero(); size], true, layout);
        weight.assign((0..size).map(value));
        Conv { window, kind, weight, in_channels, out_channels, signs: vec![], scratch: Scratch::default() }
    }

    /// Takes the signs of the weights; once after they have changed, before the next pass.
    pub fn prepare(&mut self) {
        if self.kind == WeightKind::Sign {
            self.signs.clear();
            self.signs.extend(self.weight.value.iter().map(|w| sign(*w)));
        }
    }

    fn effective(&self) -> &[F] {
        match self.kind {
            WeightKind::Float => &self.weight.value,
            WeightKind::Sign => &self.signs,
        }
    }

    /// Extents of the result for an input of extents `x`.
    pub fn output_extents(&self, x: Extents) -> Extents {
        Extents {
            images: x.images,
            height: self.window.positions(x.height),
            width: self.window.positions(x.width),
            channels: self.out_channels,
        }
    }

    fn unfolded(&self) -> usize {
        self.window.kernel * self.window.kernel * self.in_channels
    }

    /// Output rows per block of unfolded windows.
    fn block_rows(&self, y: Extents) -> usize {
        (BLOCK_ELEMENTS / (y.width * self.unfolded())).clamp(1, y.height)
    }

    /// `y = W x`.
    pub fn forward(&self, x: &Tensor<F>, y: &mut Tensor<F>) {
        y.resize(self.output_extents(x.extents));
        let (rows, unfolded, out) = (self.block_rows(y.extents), self.unfolded(), self.out_channels);
        let (ye, weights) = (y.extents, Matrix::new(self.effective(), unfolded, out));
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

    /// Adds `dL/dW`, where for sign weights only `-1 <= w <= 1` passes (clipped straight-through), and
    /// writes `dL/dx` to `grad_in` where it is asked for, adding when `accumulate`.
    pub fn backward(&mut self, x: &Tensor<F>, grad_out: &Tensor<F>, grad_in: Option<(&mut Tensor<F>, bool)>) {
        if let Some((grad_in, accumulate)) = grad_in {
            grad_in.resize(x.extents);
            self.input_gradient(grad_out, grad_in, accumulate);
        }
        let parts = self.weight_gradient_parts(x, grad_out);
        let clip = self.kind == WeightKind::Sign;
        let Param { value, grad, .. } = &mut self.weight;
        for part in parts {
            for ((g, p), w) in grad.iter_mut().zip(&part).zip(value.iter()) {
                if !clip || w.abs() <= F::one() {
                    *g += *p;
                }
            }
        }
    }

    fn weight_gradient_parts(&self, x: &Tensor<F>, grad_out: &Tensor<F>) -> Vec<Vec<F>> {
        let (ye, unfolded, out) = (grad_out.extents, self.unfolded(), self.out_channels);
        let rows = self.block_rows(ye);
        let part_images = ye.images.div_ceil(GRADIENT_PARTS).max(1);
        let x_parts = x.data.par_chunks(part_images * x.extents.image());
        let parts = x_parts.zip(grad_out.data.par_chunks(part_images * ye.image()));
        parts
            .map(|(x_part, g_part)| {
                let mut sum = vec![F::zero(); unfolded * out];
                for (x_image, g_image) in x_part.chunks(x.extents.image()).zip(g_part.chunks(ye.image())) {
                    for (block, g_block) in g_image.chunks(rows * ye.width * out).enumerate() {
                        let positions = g_block.len() / out;
                        self.scratch.with(positions * unfolded, |windows| {
                            self.unfold(x_image, x.extents, block * rows, ye.width, windows);
                            let windows = Matrix::new(windows, positions, unfolded).transposed();
                            matmul(&mut sum, windows, Matrix::new(g_block, positions, out), true);
                        });
                    }
                }
                sum
            })
            .collect()
    }

    fn input_gradient(&self, grad_out: &Tensor<F>, grad_in: &mut Tensor<F>, accumulate: bool) {
        let (xe, ye, out) = (grad_in.extents, grad_out.extents, self.out_channels);
        let (rows, unfolded) = (self.block_rows(ye), self.unfolded());
        let weights = Matrix::new(self.effective(), unfolded, out).transposed();
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

    /// Adds windows laid out as by [`Conv::unfold`] back to where they came from.
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
