//! What can be wrong with data on disk.

use crate::printable::spelled_out;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Every text says what is wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// `read`, `write`, `create`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Text that is not the JSON or TOML it should be.
    #[error("{path}: {}\n  docs/format.md describes this file", spelled_out(message, &['\n']))]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The parser's message, with line and column.
        message: String,
    },
    /// A file of another format version.
    #[error("{path}: {format} version {found}, but this program reads {}; {advice}", versions(expected))]
    Version {
        /// The file.
        path: PathBuf,
        /// The format's name.
        format: &'static str,
        /// The version in the file.
        found: u32,
        /// The versions that are read.
        expected: RangeInclusive<u32>,
        /// What to do.
        advice: &'static str,
    },
    /// A tensor file that is cut short or otherwise broken.
    #[error("{path}: not a whole safetensors file ({message}); copy or write it again")]
    Tensors {
        /// The file.
        path: PathBuf,
        /// What the reader found.
        message: String,
    },
    /// The content contradicts itself or leaves its range.
    #[error("{}: {}", spelled_out(context, &[]), spelled_out(message, &[]))]
    Invalid {
        /// Network, node or tensor.
        context: String,
        /// What is wrong and what was expected.
        message: String,
    },
    /// As [`Error::Invalid`], of a tensor.
    #[error("tensor `{}`: {message}", spelled_out(name, &[]))]
    Tensor {
        /// The tensor.
        name: String,
        /// What is wrong and what was expected.
        message: String,
    },
    /// A file whose content is not valid.
    #[error("{path}: {error}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: Box<Error>,
    },
}

impl Error {
    /// An [`Error::Io`] about `path`.
    pub fn io(action: &'static str, path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Error::Io { action, path: path.as_ref().into(), source }
    }

    /// An [`Error::Invalid`] about `context`.
    pub fn invalid(context: impl Into<String>, message: impl Into<String>) -> Self {
        Error::Invalid { context: context.into(), message: message.into() }
    }

    /// An [`Error::Tensor`] about the tensor called `name`.
    pub fn tensor(name: impl Into<String>, message: impl Into<String>) -> Self {
        Error::Tensor { name: name.into(), message: message.into() }
    }

    /// `self`, said of the file `path` that it was found in.
    pub(crate) fn of(self, path: PathBuf) -> Self {
        Error::Content { path, error: self.into() }
    }
}

fn versions(read: &RangeInclusive<u32>) -> String {
    match read.start() == read.end() {
        true => format!("version {}", read.end()),
        false => format!("versions {} to {}", read.start(), read.end()),
    }
}
