//! The number types that the trainer computes in.

use num_traits::NumAssign;
use std::fmt::{Debug, Display};

/// What the memory of every device can hold.
#[cfg(any(feature = "cuda", test))]
pub trait Element: cudarc::driver::DeviceRepr + cudarc::driver::ValidAsZeroBits {}
/// What the memory of every device can hold.
#[cfg(not(any(feature = "cuda", test)))]
pub trait Element {}
impl Element for f32 {}
impl Element for f64 {}

/// `f32` to train, `f64` to check gradients: every layer is written once for both.
pub trait Float:
    num_traits::Float + NumAssign + Element + Default + Debug + Display + Send + Sync + 'static
{
    /// The nearest value to `x`.
    fn of(x: f64) -> Self;
    /// The same value in double precision.
    fn f64(self) -> f64;
    /// The same values, where they are `f32`.
    fn f32s(values: &[Self]) -> Option<&[f32]>;
    /// As [`Float::f32s`].
    fn f32s_mut(values: &mut [Self]) -> Option<&mut [f32]>;
}

impl Float for f32 {
    fn of(x: f64) -> Self {
        x as f32
    }

    fn f64(self) -> f64 {
        self.into()
    }

    fn f32s(values: &[f32]) -> Option<&[f32]> {
        Some(values)
    }

    fn f32s_mut(values: &mut [f32]) -> Option<&mut [f32]> {
        Some(values)
    }
}

impl Float for f64 {
    fn of(x: f64) -> Self {
        x
    }

    fn f64(self) -> f64 {
        self
    }

    fn f32s(_: &[f64]) -> Option<&[f32]> {
        None
    }

    fn f32s_mut(_: &mut [f64]) -> Option<&mut [f32]> {
        None
    }
}
