//! Learnable tensors on the device.

use super::device::{Device, Grid};
use super::pointer::Pointer;
use crate::Float;
use crate::error::Result;

/// A learnable tensor and its gradient.
#[derive(Clone, Copy, Debug)]
pub(super) struct Param {
    pub(super) value: Pointer,
    pub(super) grad: Pointer,
    /// Elements of a time-step, where it has a row for each; of a parameter a channel the channels.
    pub(super) width: i32,
}

impl Param {
    /// Of `[T, C]` or `[T, 1]`, the row of time-step `t`.
    pub(super) fn at_step<F>(self, t: usize) -> Self {
        let offset = t * self.width as usize;
        Param { value: self.value.skip::<F>(offset), grad: self.grad.skip::<F>(offset), ..self }
    }
}

/// Adds a sum a channel, of `f64`, to the gradient of a parameter of a time-step.
pub(super) fn add_to_gradient<F: Float>(
    device: &mut Device<F>,
    sums: Pointer,
    channels: usize,
    param: Param,
) -> Result<()> {
    device.launch(
        "add_to_gradient",
        Grid::elements(channels),
        &[&sums, &(channels as i32), &param.width, &param.grad],
    )
}
