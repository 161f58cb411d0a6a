//! The number types that the trainer computes in.

use num_traits::NumAssign;
use std::fmt::{Debug, Display};

/// `f32` to train, `f64` to check gradients: every layer is written once for both.
pub trait Float: num_traits::Float + NumAssign + Default + Debug + Display + Send + Sync + 'static {
    /// The nearest value to `x`.
    fn of(x: f64) -> Self;
    /// The same value in double precision.
    fn f64(self) -> f64;
}

impl Float for f32 {
    fn of(x: f64) -> Self {
        x as f32
    }

    fn f64(self) -> f64 {
        self.into()
    }
}

impl Float for f64 {
    fn of(x: f64) -> Self {
        x
    }

    fn f64(self) -> f64 {
        self
    }
}
