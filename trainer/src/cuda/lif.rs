//! Leaky integrate-and-fire neurons with spikes of 0 and 1.

use super::buffer::View;
use super::device::Device;
use super::grid::Chunk;
use super::kernels;
use super::neuron::{CurrentGradient, Potential};
use super::norm_view::Current;
use super::pointer::Pointer;
use crate::Float;
use crate::error::Result;

/// `m = leak v + I`, `s = 1` where `m >= threshold`, `v = m - threshold s`.
#[derive(Debug)]
pub(super) struct Lif<F> {
    pub(super) leak: F,
    pub(super) threshold: F,
}

impl<F: Float> Lif<F> {
    pub(super) fn forward(
        &self,
        device: &mut Device<F>,
        current: Current<F>,
        potential: &Potential<F>,
        spikes: View<F>,
    ) -> Result<()> {
        let (before, after) = (potential.before.address(), potential.after.address());
        device.map(
            kernels::lif(),
            Chunk::of(spikes.extents),
            (current, self.leak, self.threshold, before, after, spikes.data),
        )
    }

    /// Writes `dL/dI`, given `upstream = dL/ds`.
    pub(super) fn backward(
        &self,
        device: &mut Device<F>,
        current: Current<F>,
        potential: &Potential<F>,
        upstream: View<F>,
        CurrentGradient { to, carry }: CurrentGradient<F>,
    ) -> Result<()> {
        let (before, carry) = (potential.before.address(), carry.unwrap_or(Pointer::NULL));
        let (grad, accumulate) = (to.maps.data, i32::from(to.accumulate));
        device.map(
            kernels::lif_backward(),
            Chunk::of(upstream.extents),
            (current, self.leak, self.threshold, before, upstream.data, carry, grad, accumulate),
        )
    }
}
