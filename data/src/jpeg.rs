//! JPEG pictures.

use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Red, green, blue.
pub(crate) const CHANNELS: usize = 3;

/// Largest picture; the largest of ImageNet has 61 million pixels.
const MAX_PIXELS: usize = 1 << 26;
/// A block of 64 pixels takes at least a bit, so a header that announces more asks for memory in vain.
const PIXELS_A_BYTE: usize = 8 * 64;

/// Codes `[y, x, channel]`.
#[derive(Debug)]
pub(crate) struct Jpeg {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) codes: Vec<u8>,
}

impl Jpeg {
    /// Of a file's bytes, with at most `side` rows and columns; grey ones get three equal channels.
    pub(crate) fn decode(bytes: &[u8], side: usize) -> Result<Self, String> {
        let options = DecoderOptions::default()
            .set_strict_mode(true)
            .set_max_width(side)
            .set_max_height(side)
            .jpeg_set_out_colorspace(ColorSpace::RGB);
        let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
        let unreadable = |e: &dyn std::fmt::Display| format!("is no JPEG that can be read: {e}");
        decoder.decode_headers().map_err(|e| unreadable(&e))?;
        let info = decoder.info().ok_or_else(|| unreadable(&"it has no header"))?;
        let (height, width) = (usize::from(info.height), usize::from(info.width));
        if height * width > MAX_PIXELS.min(PIXELS_A_BYTE * bytes.len()) {
            return Err(format!("cannot hold {width}x{height} pixels in {} bytes", bytes.len()));
        }
        let codes = decoder.decode().map_err(|e| unreadable(&e))?;
        match codes.len() == CHANNELS * height * width && !codes.is_empty() {
            true => Ok(Jpeg { height, width, codes }),
            false => Err(format!("has no {width}x{height} pixels of three colours")),
        }
    }
}
