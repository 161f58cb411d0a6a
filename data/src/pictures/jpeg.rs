//! JPEG pictures.

use super::raster::{CHANNELS, Raster};
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

pub(crate) const SIGNATURE: &[u8] = &[0xff, 0xd8];
/// The last bytes of a JPEG; what follows them belongs to something else.
const END: &[u8] = &[0xff, 0xd9];

/// A block of 64 pixels takes at least a bit, so a header that announces more asks for memory in vain.
const PIXELS_A_BYTE: usize = 8 * 64;

/// Of a file's bytes, with at most `side` rows and columns.
pub(crate) fn decode(bytes: &[u8], side: usize) -> Result<Raster, String> {
    // Larger ones are refused below, in our words.
    let all = usize::from(u16::MAX);
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(all)
        .set_max_height(all)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let unreadable = |error| unreadable(bytes, &error);
    decoder.decode_headers().map_err(unreadable)?;
    let info = decoder.info().ok_or("is no JPEG that can be read: it has no header")?;
    let (height, width) = (usize::from(info.height), usize::from(info.width));
    Raster::check_size((height, width), side, bytes.len(), PIXELS_A_BYTE)?;
    let codes = decoder.decode().map_err(unreadable)?;
    match codes.len() == CHANNELS * height * width {
        true => Ok(Raster { height, width, codes }),
        false => Err(format!("has no {width}x{height} pixels of three colours")),
    }
}

/// What is wrong, on one line.
fn unreadable(bytes: &[u8], error: &DecodeErrors) -> String {
    let why = match error {
        DecodeErrors::Unsupported(_) => {
            "it is coded without loss or arithmetically; save it as a baseline or progressive JPEG"
        }
        _ if !bytes.windows(END.len()).any(|window| window == END) => {
            "it is cut short; copy or save it again"
        }
        _ => "it is damaged; copy or save it again",
    };
    format!("is no JPEG that can be read: {why}")
}
