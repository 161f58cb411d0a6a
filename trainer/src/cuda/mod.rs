//! Batches on an NVIDIA GPU.
//!
//! Parameters, running statistics and the optimizer stay with the [`Model`](crate::Model): an engine copies them to the
//! device, computes a batch there, and brings gradients and statistics back. Everything else of a run - checkpoints,
//! averages, logs - does not know where its batches are computed. Kernels are compiled when an engine is made, by the
//! driver's own compiler; all sums have a fixed order, so a GPU repeats its results bit for bit.

mod buffer;
mod conv;
mod copy;
mod device;
mod engine;
mod fault;
mod grid;
mod kernels;
mod layer;
mod lif;
mod linear;
mod loss;
mod neuron;
mod norm;
mod norm_view;
mod param;
mod pointer;
mod pool;
mod rounding;
mod seca;
mod sliding;
mod state;
mod step;
mod tape;

#[cfg(feature = "cuda")]
pub(crate) use engine::Cuda;
