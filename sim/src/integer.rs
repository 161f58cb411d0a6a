//! The fast integer forward as an engine.

use crate::compare::Promise;
use crate::engine::Engine;
use crate::error::Result;
use crate::order::planar;
use empf_integer::IntegerModel;
use empf_ir::{QuantNetwork, Trace};

/// The integer network by other code than the golden model's: the integers of training studies.
pub struct IntegerEngine<'n> {
    network: &'n QuantNetwork,
    model: IntegerModel,
}

impl<'n> IntegerEngine<'n> {
    /// Makes `network` ready. A layer whose sums might leave 32 bits is refused.
    pub fn new(network: &'n QuantNetwork) -> Result<Self> {
        Ok(IntegerEngine { network, model: IntegerModel::new(network)? })
    }
}

impl Engine for IntegerEngine<'_> {
    fn name(&self) -> &str {
        "trainer"
    }

    fn promise(&self) -> Promise {
        Promise::of_network(self.network)
    }

    fn run(&mut self, input: &[u8]) -> Result<Trace> {
        let frames = planar(self.network, input)?;
        Ok(self.model.run(frames.view())?)
    }
}
