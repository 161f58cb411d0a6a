//! Pooling over windows and over whole maps.

use crate::layers::parallel::ForEachImage;
use crate::{Extents, Float, Tensor};
use empf_ir::Window;
use rayon::prelude::*;

/// Mean over windows without padding.
#[derive(Clone, Copy, Debug)]
pub struct AvgPool {
    /// Side of the window.
    pub kernel: usize,
    /// Step of the window.
    pub stride: usize,
}

impl AvgPool {
    fn output_extents(&self, x: Extents) -> Extents {
        let size = |n: usize| (n - self.kernel) / self.stride + 1;
        Extents { height: size(x.height), width: size(x.width), ..x }
    }

    /// Calls `visit(output offset, input offset)` for each pair of positions that a window joins.
    fn pairs(&self, x: Extents, y: Extents, mut visit: impl FnMut(usize, usize)) {
        for at in 0..y.positions() {
            let (oy, ox) = (at / y.width * self.stride, at % y.width * self.stride);
            for k in 0..self.kernel * self.kernel {
                let position = (oy + k / self.kernel) * x.width + ox + k % self.kernel;
                visit(at * y.channels, position * x.channels);
            }
        }
    }

    fn share<F: Float>(&self) -> F {
        F::of(1.0 / (self.kernel * self.kernel) as f64)
    }

    /// `y[o] = mean of x over window o`.
    pub fn forward<F: Float>(&self, x: &Tensor<F>, y: &mut Tensor<F>) {
        let ye = self.output_extents(x.extents);
        y.resize(ye);
        let (xe, c, share) = (x.extents, x.extents.channels, self.share());
        let images = y.data.par_chunks_mut(ye.image()).zip(x.data.par_chunks(xe.image()));
        images.for_each_image(|(y, x)| {
            y.fill(F::zero());
            self.pairs(xe, ye, |to, from| {
                y[to..to + c].iter_mut().zip(&x[from..from + c]).for_each(|(y, x)| *y += *x * share);
            });
        });
    }

    /// Spreads `grad_out` evenly over the windows of `grad_in`, whose extents are `x`.
    pub fn backward<F: Float>(
        &self,
        x: Extents,
        grad_out: &Tensor<F>,
        grad_in: &mut Tensor<F>,
        accumulate: bool,
    ) {
        grad_in.resize(x);
        let (ye, c, share) = (grad_out.extents, x.channels, self.share());
        let images = grad_in.data.par_chunks_mut(x.image()).zip(grad_out.data.par_chunks(ye.image()));
        images.for_each_image(|(dx, g)| {
            if !accumulate {
                dx.fill(F::zero());
            }
            self.pairs(x, ye, |from, to| {
                dx[to..to + c].iter_mut().zip(&g[from..from + c]).for_each(|(d, g)| *d += *g * share);
            });
        });
    }
}

/// Mean over all positions.
#[derive(Clone, Copy, Debug)]
pub struct GlobalAvgPool;

impl GlobalAvgPool {
    /// `y[c] = mean of x over all positions`.
    pub fn forward<F: Float>(self, x: &Tensor<F>, y: &mut Tensor<F>) {
        let (xe, c) = (x.extents, x.extents.channels);
        y.resize(Extents { height: 1, width: 1, ..xe });
        let share = F::of(1.0 / xe.positions() as f64);
        y.data.par_chunks_mut(c).zip(x.data.par_chunks(xe.image())).for_each_image(|(y, x)| {
            y.fill(F::zero());
            for row in x.chunks_exact(c) {
                y.iter_mut().zip(row).for_each(|(y, x)| *y += *x);
            }
            y.iter_mut().for_each(|y| *y *= share);
        });
    }

    /// Spreads `grad_out` evenly over `grad_in`, whose extents are `x`.
    pub fn backward<F: Float>(
        self,
        x: Extents,
        grad_out: &Tensor<F>,
        grad_in: &mut Tensor<F>,
        accumulate: bool,
    ) {
        grad_in.resize(x);
        let (c, share) = (x.channels, F::of(1.0 / x.positions() as f64));
        let images = grad_in.data.par_chunks_mut(x.image()).zip(grad_out.data.par_chunks(c));
        images.for_each_image(|(dx, g)| {
            for row in dx.chunks_exact_mut(c) {
                for (d, g) in row.iter_mut().zip(g) {
                    *d = if accumulate { *d + *g * share } else { *g * share };
                }
            }
        });
    }
}

/// Maximum over windows; a border never wins.
#[derive(Clone, Copy, Debug)]
pub struct MaxPool(pub Window);

impl MaxPool {
    fn output_extents(&self, x: Extents) -> Extents {
        Extents { height: self.0.positions(x.height), width: self.0.positions(x.width), ..x }
    }

    /// Offsets in an image of the maps' positions that window `at` sees, in raster order.
    fn seen(&self, at: usize, x: Extents, y: Extents) -> impl Iterator<Item = usize> + use<> {
        let (rows, _) = self.0.span(at / y.width, x.height);
        let (columns, _) = self.0.span(at % y.width, x.width);
        rows.flat_map(move |row| columns.clone().map(move |column| (row * x.width + column) * x.channels))
    }

    /// `y[o] = maximum of x over window o`.
    pub fn forward<F: Float>(&self, x: &Tensor<F>, y: &mut Tensor<F>) {
        let (xe, ye) = (x.extents, self.output_extents(x.extents));
        y.resize(ye);
        y.data.par_chunks_mut(ye.image()).zip(x.data.par_chunks(xe.image())).for_each_image(|(y, x)| {
            y.fill(F::neg_infinity());
            for (at, y) in y.chunks_exact_mut(ye.channels).enumerate() {
                for from in self.seen(at, xe, ye) {
                    y.iter_mut().zip(&x[from..]).for_each(|(y, x)| *y = y.max(*x));
                }
            }
        });
    }

    /// Hands `grad_out` to the first position of each window that holds its maximum.
    pub fn backward<F: Float>(
        &self,
        x: &Tensor<F>,
        grad_out: &Tensor<F>,
        grad_in: &mut Tensor<F>,
        accumulate: bool,
    ) {
        let (xe, ye) = (x.extents, grad_out.extents);
        grad_in.resize(xe);
        let maps = grad_in.data.par_chunks_mut(xe.image()).zip(x.data.par_chunks(xe.image()));
        maps.zip(grad_out.data.par_chunks(ye.image())).for_each_image(|((dx, x), g)| {
            if !accumulate {
                dx.fill(F::zero());
            }
            for (i, g) in g.iter().enumerate() {
                let (at, channel) = (i / ye.channels, i % ye.channels);
                let seen = self.seen(at, xe, ye).map(|from| from + channel);
                let best = seen.reduce(|best, from| if x[from] > x[best] { from } else { best });
                if let Some(best) = best {
                    dx[best] += *g;
                }
            }
        });
    }
}
