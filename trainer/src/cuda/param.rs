//! Learnable tensors on the device.

use super::device::Device;
use super::grid::Grid;
use super::kernels;
use super::pointer::Pointer;
use crate::Float;
use crate::error::Result;

/// A learnable tensor and its gradient.
#[derive(Clone, Copy, Debug)]
pub(super) struct Param<F> {
    pub(super) value: Pointer<F>,
    pub(super) grad: Pointer<F>,
    /// Elements of a time-step, where it has a row for each; of a parameter a channel the channels.
    pub(super) width: i32,
}

impl<F: Float> Param<F> {
    /// Of `[T, C]` or `[T, 1]`, the row of time-step `t`.
    pub(super) fn at_step(self, t: usize) -> Self {
        let offset = t * self.width as usize;
        Param { value: self.value.skip(offset), grad: self.grad.skip(offset), ..self }
    }
}

/// Adds a sum a channel, of `f64`, to the gradient of a parameter of a time-step.
pub(super) fn add_to_gradient<F: Float>(
    device: &mut Device<F>,
    sums: Pointer<f64>,
    channels: usize,
    param: Param<F>,
) -> Result<()> {
    device.launch(
        kernels::add_to_gradient(),
        Grid::elements(channels),
        (sums, channels as i32, param.width, param.grad),
    )
}
