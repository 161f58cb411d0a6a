//! What runs a network.

use crate::{Error, Result, planar};
use empf_ir::{Program, QuantNetwork, Trace};
use ndarray::ArrayView4;
use std::fmt::Display;

/// An execution of a network: all engines give the same numbers for the same input.
pub trait Engine {
    /// Short name for messages and tables.
    fn name(&self) -> &str;

    /// One inference. `input` is `[frame][y][x][channel]`, a byte a code.
    fn run(&mut self, input: &[u8]) -> Result<Trace>;
}

/// An engine made of a function from one input `[frame, channel, y, x]` of a network to its trace, for
/// implementations that know nothing of this crate.
pub struct PlanarEngine<'n, R> {
    name: &'static str,
    network: &'n QuantNetwork,
    run: R,
}

impl<'n, R, E> PlanarEngine<'n, R>
where
    R: FnMut(ArrayView4<u8>) -> std::result::Result<Trace, E>,
{
    /// Calls `run` for inputs of `network`.
    pub fn new(name: &'static str, network: &'n QuantNetwork, run: R) -> Self {
        PlanarEngine { name, network, run }
    }
}

impl<R, E> Engine for PlanarEngine<'_, R>
where
    R: FnMut(ArrayView4<u8>) -> std::result::Result<Trace, E>,
    E: Display,
{
    fn name(&self) -> &str {
        self.name
    }

    fn run(&mut self, input: &[u8]) -> Result<Trace> {
        let frames = planar(self.network, input)?;
        (self.run)(frames.view())
            .map_err(|e| Error::Engine { engine: self.name.into(), message: e.to_string() })
    }
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
