//! Why a network cannot be compiled.

use crate::passes::{Pass, UnknownPass};
use empf_ir::arch::Memory;
use empf_ir::graph::written_name;
use std::fmt::Write;

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Every text says what is wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Network or architecture contradict themselves.
    #[error(transparent)]
    Invalid(#[from] empf_ir::Error),
    /// The calibration images do not fit the network.
    #[error("calibration: {0}")]
    Calibration(#[from] empf_golden::Error),
    /// There is nothing to calibrate on.
    #[error("calibration needs at least one image; give a data set")]
    NoImages,
    /// An operator, or a combination of operators, that is not supported.
    #[error("node `{node}`: {message}")]
    Unsupported {
        /// The node.
        node: String,
        /// What is not supported and what is.
        message: String,
    },
    /// A number of the network that has no integer form.
    #[error("node `{node}`, {tensor}[{step}][{channel}]: {value} {message}")]
    Number {
        /// The node.
        node: String,
        /// What the number is.
        tensor: &'static str,
        /// Time-step.
        step: usize,
        /// Channel.
        channel: usize,
        /// The number.
        value: f64,
        /// Why it does not fit and what to do.
        message: String,
    },
    /// The network was trained for codes of another width.
    #[error(
        "the network was trained for spikes of {trained} bits, the architecture has {arch}; compile with act_bits = {trained}"
    )]
    TrainedBits {
        /// Bits of the training.
        trained: u32,
        /// Bits of the architecture.
        arch: u32,
    },
    /// Network and architecture differ in a width.
    #[error(
        "the integer network has {name} = {network}, the architecture {name} = {arch}; quantize for this architecture"
    )]
    Width {
        /// `act_bits` or `membrane_bits`.
        name: &'static str,
        /// The network's.
        network: u32,
        /// The architecture's.
        arch: u32,
    },
    /// The last value of an accumulator, or a logit, may not fit.
    #[error(
        "node `{node}`: {what} of output channel {channel} can need {needed} bits, there are {available}; {advice}"
    )]
    Overflow {
        /// The layer.
        node: String,
        /// `the accumulator` or `the logit`.
        what: &'static str,
        /// The worst output channel.
        channel: usize,
        /// Bits that hold every reachable value.
        needed: u32,
        /// Bits of the architecture.
        available: u32,
        /// What to do.
        advice: &'static str,
    },
    /// A number that the hardware does not count to.
    #[error("node `{node}`: {source}")]
    Limit {
        /// The layer.
        node: String,
        /// The number, its range, and what to do.
        source: empf_ir::isa::LimitError,
    },
    /// The network does not fit the memories.
    #[error("the network does not fit the architecture:{}", listed(.0))]
    Memory(Vec<Shortage>),
    /// A pass was given what an earlier one has not made yet.
    #[error("pass `{pass}` needs {expected}; run the passes in their order")]
    PassOrder {
        /// The pass.
        pass: Pass,
        /// What it reads.
        expected: &'static str,
    },
    /// No pass has this name.
    #[error(transparent)]
    UnknownPass(#[from] UnknownPass),
}

/// A memory that is too small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shortage {
    /// Which memory.
    pub memory: Memory,
    /// Words needed.
    pub needed: usize,
    /// Words there are.
    pub available: usize,
}

fn listed(shortages: &[Shortage]) -> String {
    let mut text = String::new();
    for Shortage { memory, needed, available } in shortages {
        let (name, key, missing) = (memory.name(), memory.key(), needed - available);
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n  the {name} needs {needed} words, has {available}: {missing} are missing; raise {key}"
        );
    }
    text
}

impl Error {
    /// An [`Error::Unsupported`] about the node that people wrote.
    pub(crate) fn unsupported(node: &str, message: impl Into<String>) -> Self {
        Error::Unsupported { node: written_name(node).into(), message: message.into() }
    }

    /// A batch normalisation that no convolution takes up.
    pub(crate) fn unfoldable(node: &str) -> Self {
        let message = "a batch normalisation is folded into a convolution that nothing else reads; \
                       put it right behind one";
        Error::unsupported(node, message)
    }

    /// A LIF neuron.
    pub(crate) fn without_integers(node: &str) -> Self {
        Error::unsupported(node, "a LIF neuron has no integer form; use EM-PF neurons")
    }
}
