//! Copies on the device.

use super::device::{Device, Grid};
use super::pointer::Pointer;
use crate::Float;
use crate::error::Result;

/// Copies, or adds.
pub(super) fn pass_on<F: Float>(
    device: &mut Device<F>,
    from: Pointer,
    elements: usize,
    to: Pointer,
    accumulate: bool,
) -> Result<()> {
    device.launch(
        "pass_on",
        Grid::elements(elements),
        &[&from, &(elements as i32), &to, &i32::from(accumulate)],
    )
}
