//! Files of recordings, by the ends of their names.

use super::recording::{MAX_BYTES, Recording};
use super::{aedat, ncars, nmnist};
use crate::error::{Error, Result};
use crate::unpack::read;
use std::path::Path;

impl Recording {
    /// Reads a recording of N-MNIST (.bin), N-CARS (.dat) or a DVS128 camera (.aedat, versions 2.0 and 3.1).
    pub fn load(path: &Path) -> Result<Self> {
        let parse = parser(&path.to_string_lossy()).ok_or_else(|| {
            Error::file(path, "is no recording that can be read; .bin, .dat and .aedat are".into())
        })?;
        parse(&read(path, MAX_BYTES)?).map_err(|e| Error::file(path, e))
    }
}

pub(crate) type Parser = fn(&[u8]) -> std::result::Result<Recording, String>;

pub(crate) fn parser(name: &str) -> Option<Parser> {
    match name.rsplit_once('.')?.1 {
        "bin" => Some(nmnist::parse),
        "dat" => Some(ncars::parse),
        "aedat" => Some(aedat::parse),
        _ => None,
    }
}
