//! Copies on the device.

use super::device::Device;
use super::grid::Grid;
use super::kernels;
use super::pointer::Pointer;
use crate::Float;
use crate::error::Result;

/// Copies, or adds.
pub(super) fn pass_on<F: Float>(
    device: &mut Device<F>,
    from: Pointer<F>,
    elements: usize,
    to: Pointer<F>,
    accumulate: bool,
) -> Result<()> {
    device.launch(
        kernels::pass_on(),
        Grid::elements(elements),
        (from, elements as i32, to, i32::from(accumulate)),
    )
}
