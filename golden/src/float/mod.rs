//! The float reference: what the trained network computes, in 64-bit floating point.
//!
//! Batch normalisation uses the running statistics of each time-step. Version II neurons follow their
//! definition (Eq. 6), not the reparameterised form that the compiler makes of them.

mod conv;
mod lif;
mod neuron;
mod norm;
mod pool;
mod run;
mod seca;
mod step;

pub use conv::conv;
pub use pool::{avg_pool, max_pool};
pub use run::{FloatTrace, classify, run, values};
pub use seca::seca;
pub use step::per_step;
