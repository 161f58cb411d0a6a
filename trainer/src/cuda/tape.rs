//! What is kept of time-steps.

use super::buffer::{Buffer, Maps, View};
use super::device::Device;
use super::neuron::Potential;
use super::norm::Norm;
use super::pointer::Pointer;
use super::seca::Attention;
use crate::Float;
use crate::error::Result;
use crate::model::Plan;

/// What a node keeps of a time-step.
#[derive(Debug)]
pub(super) struct Slot<F> {
    pub(super) output: Maps<F>,
    pub(super) norm: Norm<F>,
    pub(super) potential: Potential<F>,
    pub(super) attention: Attention<F>,
}

impl<F> Default for Slot<F> {
    fn default() -> Self {
        Slot {
            output: Maps::default(),
            norm: Norm::default(),
            potential: Potential::default(),
            attention: Attention::default(),
        }
    }
}

/// `dL/d(output)` of a node at the time-step in progress.
#[derive(Debug)]
pub(super) struct Gradient<F> {
    pub(super) maps: Maps<F>,
    /// Whether `maps` hold something to add to.
    pub(super) filled: bool,
    /// `dL/dv` on its way back through time, where there is one already.
    pub(super) carry: Buffer<F>,
    pub(super) carries: bool,
}

impl<F: Float> Gradient<F> {
    /// `dL/dv`, zero at first.
    pub(super) fn carry(&mut self, device: &Device<F>, elements: usize) -> Result<Pointer<F>> {
        if !self.carries {
            self.carry.zeros(device, elements)?;
            self.carries = true;
        }
        Ok(self.carry.address())
    }
}

impl<F> Default for Gradient<F> {
    fn default() -> Self {
        Gradient { maps: Maps::default(), filled: false, carry: Buffer::default(), carries: false }
    }
}

/// Where a step is in a batch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment<'a, F> {
    /// The time-step.
    pub(super) t: usize,
    /// Its entry of the tape.
    pub(super) at: usize,
    pub(super) input: View<F>,
    pub(super) plans: &'a [Plan],
}
