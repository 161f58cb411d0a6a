//! Photographs of which only the names are held; each is decoded when a batch needs it.

use crate::error::{Error, Result};
use crate::pictures::{decode, fit};
use crate::unpack::read;
use std::path::PathBuf;

/// Largest photograph, packed and in rows or columns; ImageNet's have at most 16 MB and 10,000 pixels.
const MAX_BYTES: u64 = 1 << 26;
const MAX_SIDE: usize = 1 << 14;

/// Photographs by their paths in a folder, brought to one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Photographs {
    pub(crate) folder: PathBuf,
    /// Paths inside the folder.
    pub(crate) names: Vec<String>,
    /// Rows and columns.
    pub(crate) size: (usize, usize),
}

impl Photographs {
    /// Codes `[channel, y, x]` of photograph `i`: the middle, scaled.
    pub(crate) fn decode(&self, i: usize) -> Result<Vec<u8>> {
        let path = self.folder.join(&self.names[i]);
        let picture = decode(&read(&path, MAX_BYTES)?, MAX_SIDE)
            .map_err(|e| Error::file(&path, format!("{e}; put a JPEG or a PNG in its place, and go on")))?;
        Ok(fit(&picture, self.size))
    }
}
