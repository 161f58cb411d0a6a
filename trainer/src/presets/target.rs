//! What networks are built for.

use crate::error::Result;
use empf_data::Dataset;
use empf_ir::Input;

/// What a network is built for.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// What enters.
    pub input: Input,
    /// Number of classes.
    pub classes: usize,
    /// T.
    pub time_steps: usize,
    /// Factor on every channel count but input and classes, rounded to at least 1.
    pub width: f64,
}

impl Target {
    /// For images like those of `data`; a photograph that cannot be decoded is an error.
    pub fn of(data: &Dataset, time_steps: usize, width: f64) -> Result<Self> {
        Ok(Target { input: data.input()?, classes: data.classes, time_steps, width })
    }
}
