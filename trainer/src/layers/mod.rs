//! Operators and their gradients.

pub mod batch_norm;
pub(crate) mod codes;
pub mod conv;
pub(crate) mod layer;
pub mod lif;
pub mod linear;
pub(crate) mod loss;
mod matmul;
pub mod membrane;
pub mod neuron;
mod parallel;
pub(crate) mod param;
pub mod pool;
pub mod seca;
pub(crate) mod targets;
