//! The integer forward: what `docs/numerics.md` says, fast enough for whole test sets.
//!
//! This is a code path of its own, independent of the golden model's: channels last, windows unfolded to
//! pairs of 16-bit taps, sums of 16 outputs of 4 windows at a time, one image a core.

mod affine;
mod dot;
mod error;
mod model;
mod neuron;
mod pool;
mod products;
mod round;
mod seca;

pub use error::{Error, Result};
pub use model::IntegerModel;
