//! What the tape keeps.

use crate::Tensor;
use crate::layers::batch_norm::Normalisation;
use crate::layers::neuron::Potential;
use crate::layers::seca::Attention;

/// What a node keeps of a time-step.
#[derive(Debug, Default)]
pub(super) struct Slot<F> {
    pub(super) output: Tensor<F>,
    pub(super) norm: Normalisation<F>,
    pub(super) potential: Potential<F>,
    pub(super) attention: Attention<F>,
}

/// `dL/d(output)` of a node at the time-step in progress.
#[derive(Debug, Default)]
pub(super) struct Gradient<F> {
    pub(super) tensor: Tensor<F>,
    /// Whether `tensor` holds something to add to.
    pub(super) filled: bool,
    /// `dL/dv` on its way back through time.
    pub(super) carry: Vec<F>,
}
