//! Cross entropy.

use super::buffer::View;
use super::device::Device;
use super::grid::Grid;
use super::kernels;
use super::pointer::Pointer;
use crate::Float;
use crate::error::Result;

/// Mean cross entropy of `softmax(logits)` against `targets`, times `weight`: a term an image at `losses`, and its
/// gradient at `grad`.
pub(super) fn cross_entropy<F: Float>(
    device: &mut Device<F>,
    logits: View<F>,
    targets: Pointer<F>,
    weight: f64,
    grad: Pointer<F>,
    losses: Pointer<f64>,
) -> Result<()> {
    let images = logits.extents.images;
    let (count, classes) = (images as i32, logits.extents.channels as i32);
    let share = weight / images as f64;
    device.launch(
        kernels::cross_entropy(),
        Grid::elements(images),
        (logits.data, targets, count, classes, share, grad, losses),
    )
}
