//! A picture in memory.

/// Red, green, blue.
pub(crate) const CHANNELS: usize = 3;

/// Largest picture; the largest of ImageNet has 61 million pixels.
const MAX_PIXELS: usize = 1 << 26;

/// Codes `[y, x, channel]`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Raster {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) codes: Vec<u8>,
}

impl Raster {
    /// A header that announces `height` rows and `width` columns is not asking for memory in vain: they are at most
    /// `side`, and the file's `bytes` can hold them, where a byte holds at most `pixels_a_byte`.
    pub(crate) fn check_size(
        (height, width): (usize, usize),
        side: usize,
        bytes: usize,
        pixels_a_byte: usize,
    ) -> Result<(), String> {
        if height == 0 || width == 0 {
            return Err("has no pixels".into());
        }
        if height > side || width > side {
            return Err(format!("has {width}x{height} pixels, at most {side}x{side} are read"));
        }
        if height * width > MAX_PIXELS.min(bytes.saturating_mul(pixels_a_byte)) {
            return Err(format!("cannot hold {width}x{height} pixels in {bytes} bytes"));
        }
        Ok(())
    }
}
