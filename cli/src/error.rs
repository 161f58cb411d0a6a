//! What a verb can fail with.

use std::path::PathBuf;

/// A result of a verb.
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Every text says what is wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Data on disk.
    #[error(transparent)]
    Data(#[from] empf_ir::Error),
    #[error(transparent)]
    Samples(#[from] empf_data::Error),
    #[error(transparent)]
    Train(#[from] empf_trainer::Error),
    #[error(transparent)]
    Compile(#[from] empf_compiler::Error),
    /// The network has integers, but no accelerator.
    #[error("{0}; with --integers-only it compiles for the golden model and the trainer")]
    NoHardware(empf_compiler::Error),
    #[error("cannot emit the accelerator: {0}")]
    Emit(#[from] empf_hw::emit::EmitError),
    #[error(transparent)]
    Evaluate(#[from] empf_golden::Error),
    #[error(transparent)]
    Simulate(#[from] empf_sim::Error),
    /// Another process of this command has said what is wrong.
    #[error("said before")]
    Told,
    /// `empf check` has printed where.
    #[error("the engines do not agree")]
    Disagreement,
    /// A file or folder that cannot be used.
    #[error("{path}: {message}")]
    File {
        path: PathBuf,
        /// What is wrong with it and what to do.
        message: String,
    },
    /// A file that does not come.
    #[error("{url}: {message}")]
    Fetch {
        url: String,
        /// Why, and what to do.
        message: String,
    },
    /// An option whose value cannot be used.
    #[error("--{option}: {message}")]
    Option {
        option: &'static str,
        /// The value and what is allowed.
        message: String,
    },
}

impl Error {
    /// An [`Error::File`] about `path`.
    pub(crate) fn file(path: impl Into<PathBuf>, message: impl std::fmt::Display) -> Self {
        Error::File { path: path.into(), message: message.to_string() }
    }
}

/// Refuses the first of `options` that is given, with a `message` that says why none may be.
pub(crate) fn refuse(options: &[(&'static str, bool)], message: impl std::fmt::Display) -> Result<()> {
    match options.iter().find(|(_, is_given)| *is_given) {
        Some((option, _)) => Err(Error::Option { option, message: message.to_string() }),
        None => Ok(()),
    }
}
