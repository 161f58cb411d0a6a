//! What a network means: slow, obvious, exact.
//!
//! [`run()`] is `docs/numerics.md` in code, an operator a file, and every engine is held to it bit by bit.
//! [`float`] evaluates the network that the trainer wrote in 64-bit floating point, independently of the
//! trainer.
//!
//! Tensors have axes `[frame, channel, y, x]`, batches `[image, frame, channel, y, x]`.

pub mod add;
pub mod conv;
pub mod error;
pub mod float;
pub mod linear;
pub mod neuron;
mod parameters;
pub mod pool;
pub mod round;
pub mod run;
pub mod scale;
pub mod seca;
pub mod widen;

pub use error::{Error, Result};
pub use run::{classify, run};
