//! What can go wrong with an integer network.

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Every text says what is wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading or validating a network failed.
    #[error(transparent)]
    Ir(#[from] empf_ir::Error),
    /// The network uses something that cannot be computed here.
    #[error("node `{node}`: {message}")]
    Unsupported {
        /// Name of the node.
        node: String,
        /// What, and what can be used instead.
        message: String,
    },
    /// Inputs that the network does not take.
    #[error("batch: {0}")]
    Input(String),
}
