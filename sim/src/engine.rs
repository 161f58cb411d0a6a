//! What runs a network.

use crate::compare::{Comparison, Mismatch, Promise, compare};
use crate::error::{Error, Result};
use crate::origin::Origin;
use empf_ir::{Program, Trace};

/// An execution of a network: all engines give the same numbers for the same input.
pub trait Engine {
    /// Short name for messages and tables.
    fn name(&self) -> &str;

    /// What each of its traces holds.
    fn promise(&self) -> Promise;

    /// One inference. `input` is `[frame][y][x][channel]`, a byte a code.
    fn run(&mut self, input: &[u8]) -> Result<Trace>;

    /// What gave the element of `mismatch` in the last inference, where the engine knows it.
    fn origin(&self, _mismatch: &Mismatch) -> Option<Origin> {
        None
    }
}

/// Runs `engine` on `input` and holds it to `expected`, nodes in `order`; its first mismatch has its origin.
pub fn examine(
    engine: &mut dyn Engine,
    input: &[u8],
    order: &[&str],
    expected: &Trace,
) -> Result<(Comparison, Trace)> {
    let got = engine.run(input)?;
    let mut comparison = compare(order, &engine.promise(), expected, &got);
    if let Some(first) = &mut comparison.first {
        first.origin = engine.origin(first);
    }
    Ok((comparison, got))
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
