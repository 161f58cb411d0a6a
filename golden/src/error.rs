//! What can be wrong with a network or its input.

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Every text says what is wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The network contradicts itself.
    #[error(transparent)]
    Network(#[from] empf_ir::Error),
    /// The input is not of the network's shape.
    #[error("the input has shape {found:?} ([frame, channel, y, x]), the network reads {expected:?}")]
    Input {
        /// Shape given.
        found: Vec<usize>,
        /// Shape that the network reads.
        expected: Vec<usize>,
    },
    /// A logit that no engine can hold; the compiler refuses such a network.
    #[error("node `{node}`: logit {class} is {value}, which does not fit 32 bits; use smaller weights")]
    Logit {
        /// The linear node.
        node: String,
        /// Index of the logit.
        class: usize,
        /// Its exact value.
        value: i64,
    },
}

/// Checks an input's shape against the network's.
pub(crate) fn check_input(found: &[usize], frames: usize, shape: empf_ir::Shape) -> Result<()> {
    let expected = [frames, shape.channels, shape.height, shape.width];
    match found == expected {
        true => Ok(()),
        false => Err(Error::Input { found: found.into(), expected: expected.into() }),
    }
}
