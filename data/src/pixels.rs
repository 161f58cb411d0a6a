//! The codes of a data set's images, held or decoded when they are asked for.

use crate::photographs::Photographs;

/// Codes 0..=255 of images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pixels {
    /// `[image, frame, channel, y, x]`.
    Held(Vec<u8>),
    /// Decoded when they are asked for, so that memory does not grow with their number.
    Photographs(Photographs),
}

impl From<Vec<u8>> for Pixels {
    fn from(codes: Vec<u8>) -> Self {
        Pixels::Held(codes)
    }
}

impl FromIterator<u8> for Pixels {
    fn from_iter<I: IntoIterator<Item = u8>>(codes: I) -> Self {
        Pixels::Held(codes.into_iter().collect())
    }
}
