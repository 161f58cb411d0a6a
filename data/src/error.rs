//! What can go wrong with data.

use std::path::{Path, PathBuf};

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Every text says what is wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder that is not what it should be.
    #[error("{path}: {message}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong, at which byte, and what to do.
        message: String,
    },
    /// Images that do not have the size of their set.
    #[error("images: {0}")]
    Images(String),
    /// A setting that makes no sense.
    #[error("{setting}: {message}")]
    Setting {
        /// Name of the setting.
        setting: &'static str,
        /// The value and what is allowed.
        message: String,
    },
}

impl Error {
    /// A broken file or folder.
    pub(crate) fn file(path: &Path, message: String) -> Self {
        Error::File { path: path.into(), message }
    }
}
