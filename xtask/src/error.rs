//! What a command can fail with.

/// A command's result; the error is for people.
pub(crate) type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;
