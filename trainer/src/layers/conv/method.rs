//! Ways to compute a convolution.

use crate::{Extents, Float, Tensor};
use std::fmt::Debug;

/// A way to compute a convolution whose weights are `[kernel, kernel, in, out]`.
pub(super) trait Method<F: Float>: Debug + Send + Sync {
    /// Takes weights that have changed.
    fn prepare(&mut self, weights: &[F]);

    /// Writes `y = W x`, whose extents are set.
    fn forward(&self, weights: &[F], x: &Tensor<F>, y: &mut Tensor<F>);

    /// Writes `dL/dx`, whose extents are set, or adds it when `accumulate`.
    fn input_gradient(&self, weights: &[F], grad_out: &Tensor<F>, grad_in: &mut Tensor<F>, accumulate: bool);

    /// Writes `dL/dW` of a group of images on the calling thread.
    fn weight_gradient(&self, x: (&[F], Extents), grad_out: (&[F], Extents), gradient: &mut [F]);
}
