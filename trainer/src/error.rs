//! What can go wrong in training.

use empf_ir::counted;
use std::path::PathBuf;

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Every text says what is wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading, writing or validating a network failed.
    #[error(transparent)]
    Ir(#[from] empf_ir::Error),
    /// A tensor that does not exist or has another shape.
    #[error("tensor `{name}`: {message}")]
    Tensor {
        /// `<node>.<tensor>`.
        name: String,
        /// What is wrong.
        message: String,
    },
    /// Inputs that the network does not take.
    #[error("batch: {0}")]
    Batch(String),
    /// A loss that is not a number any more.
    #[error(
        "training diverged at epoch {}, batch {}: `{layer}` is not finite; \
         lower the learning rate or start from an earlier checkpoint",
        epoch + 1,
        batch + 1
    )]
    Diverged {
        /// Counted from 0.
        epoch: usize,
        /// Counted from 0 within the epoch.
        batch: usize,
        /// First tensor or node, in the order of the graph, with a number that is not finite.
        layer: String,
    },
    /// Data that cannot be read.
    #[error(transparent)]
    Data(#[from] empf_data::Error),
    /// No work can be done on the GPU.
    #[error("GPU: {0}")]
    Gpu(String),
    /// A setting that makes no sense.
    #[error("{setting}: {message}")]
    Setting {
        /// Name of the setting.
        setting: &'static str,
        /// The value and what is allowed.
        message: String,
    },
    /// A checkpoint that does not belong to this run.
    #[error("checkpoint {path}: {message}")]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        message: String,
    },
    /// Whoever watches a run could not go on.
    #[error(transparent)]
    Watcher(Box<dyn std::error::Error + Send + Sync>),
    /// The run was asked to stop; its checkpoint lets it go on.
    #[error("stopped in epoch {}, after {}; start again with the same settings to go on", epoch + 1, counted(*batch, "batch"))]
    Stopped {
        /// Counted from 0.
        epoch: usize,
        /// Batches of that epoch that are done.
        batch: usize,
    },
}
