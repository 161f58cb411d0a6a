//! Files of single pictures: read, turned upright, brought to a size.

mod decode;
mod jpeg;
mod orientation;
mod png;
mod raster;
mod resize;

pub(crate) use decode::{decode, is_other_picture, is_picture};
pub(crate) use raster::{CHANNELS, Raster};
pub(crate) use resize::fit;
