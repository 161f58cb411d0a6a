//! Spikes and means of A bits.

use super::buffer::{Maps, View};
use super::device::Device;
use super::grid::Grid;
use super::kernels;
use crate::Float;
use crate::error::Result;
use crate::layers::codes::Rounding;

/// Rounds `values` in place, after `rounding` has looked at them where it observes.
pub(super) fn round<F: Float>(
    device: &mut Device<F>,
    rounding: &mut Rounding,
    values: &Maps<F>,
) -> Result<()> {
    let elements = values.extents.elements();
    if rounding.observes() {
        let mut seen = vec![F::zero(); Rounding::observed(values.extents)];
        values.data.read(device, &mut seen)?;
        rounding.add_errors(&seen);
    }
    let Some(format) = rounding.format() else { return Ok(()) };
    let [step, inverse, limit] = [format.step, 1.0 / format.step, format.limit()].map(F::of);
    let data = values.data.address();
    device.launch(
        kernels::round_to_codes(),
        Grid::elements(elements),
        (data, elements as i32, step, inverse, limit),
    )
}

/// Takes the gradient off values that are clipped.
pub(super) fn clip_gradient<F: Float>(
    device: &mut Device<F>,
    rounding: &Rounding,
    values: View<F>,
    grad: View<F>,
) -> Result<()> {
    let Some(format) = rounding.format() else { return Ok(()) };
    let (elements, limit) = (values.extents.elements(), F::of(format.limit()));
    device.launch(
        kernels::clip_gradient(),
        Grid::elements(elements),
        (values.data, elements as i32, limit, grad.data),
    )
}
