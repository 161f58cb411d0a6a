//! What channel attention sees.

use empf_ir::{QuantNetwork, QuantOp};

/// Channels on each side of one that the scores of `node` see; 0 of a node that is no attention.
pub(crate) fn reach_of(network: &QuantNetwork, node: &str) -> usize {
    match network.op(node) {
        Some(QuantOp::Seca { kernel, .. }) => kernel / 2,
        _ => 0,
    }
}
