//! The golden model as an engine.

use crate::compare::Promise;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::order::planar;
use empf_ir::{QuantNetwork, Trace};

/// What the integer network means.
pub struct GoldenEngine<'n> {
    network: &'n QuantNetwork,
}

impl<'n> GoldenEngine<'n> {
    /// The meaning of `network`.
    pub fn new(network: &'n QuantNetwork) -> Self {
        GoldenEngine { network }
    }
}

impl Engine for GoldenEngine<'_> {
    fn name(&self) -> &str {
        "golden"
    }

    fn promise(&self) -> Promise {
        Promise::of_network(self.network)
    }

    fn run(&mut self, input: &[u8]) -> Result<Trace> {
        let failed = |message: String| Error::Engine { engine: "golden".into(), message };
        let frames = planar(self.network, input)?;
        empf_golden::run(self.network, frames.view()).map_err(|e| failed(e.to_string()))
    }
}
