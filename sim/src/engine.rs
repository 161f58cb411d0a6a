//! What runs a network.

use crate::compare::Promise;
use crate::error::{Error, Result};
use empf_ir::{Program, Trace};

/// An execution of a network: all engines give the same numbers for the same input.
pub trait Engine {
    /// Short name for messages and tables.
    fn name(&self) -> &str;

    /// What each of its traces holds.
    fn promise(&self) -> Promise;

    /// One inference. `input` is `[frame][y][x][channel]`, a byte a code.
    fn run(&mut self, input: &[u8]) -> Result<Trace>;
}

/// The bytes given are one input of `program`.
pub(crate) fn check_input(program: &Program, input: &[u8]) -> Result<()> {
    let (expected, found) = (program.input_bytes(), input.len());
    if expected == found {
        Ok(())
    } else {
        Err(Error::Input { program: program.name.clone(), expected, found })
    }
}
