//! What driver and compiler complain about.

use crate::error::Error;
use std::fmt::Display;

/// The error of a call of the driver or the compiler.
pub(super) fn failed(error: impl Display) -> Error {
    Error::Gpu(error.to_string())
}
