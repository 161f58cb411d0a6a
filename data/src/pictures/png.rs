//! PNG pictures.

use super::raster::{CHANNELS, Raster};
use png::{ColorType, Decoder, DecodingError, Limits, Transformations};

pub(crate) const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// A byte of deflate stands for at most 1032, and a byte of those for at most 8 pixels of one bit.
const PIXELS_A_BYTE: usize = 8 * 1032;
/// Memory that decoding may take.
const LIMITS: Limits = Limits { bytes: 1 << 29 };

const CUT: &str = "it is cut short; copy or save it again";
const DAMAGED: &str = "it is damaged; copy or save it again";

/// Of a file's bytes, with at most `side` rows and columns; of an animation the first picture. Of 16 bits the high 8
/// count.
pub(crate) fn decode(bytes: &[u8], side: usize) -> Result<Raster, String> {
    let mut decoder = Decoder::new_with_limits(bytes, LIMITS);
    decoder.set_transformations(Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(unreadable)?;
    let (width, height) = reader.info().size();
    let (height, width) = (height as usize, width as usize);
    Raster::check_size((height, width), side, bytes.len(), PIXELS_A_BYTE)?;
    let mut samples = vec![0; reader.output_buffer_size()];
    let frame = reader.next_frame(&mut samples).map_err(unreadable)?;
    samples.truncate(frame.buffer_size());
    let codes: Vec<u8> = match frame.color_type {
        ColorType::Rgb => samples,
        ColorType::Rgba => samples.chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect(),
        ColorType::Grayscale => samples.iter().flat_map(|grey| [*grey; CHANNELS]).collect(),
        ColorType::GrayscaleAlpha => samples.chunks_exact(2).flat_map(|pixel| [pixel[0]; CHANNELS]).collect(),
        ColorType::Indexed => return Err("has a palette that cannot be read".into()),
    };
    match codes.len() == CHANNELS * height * width {
        true => Ok(Raster { height, width, codes }),
        false => Err(format!("has no {width}x{height} pixels of three colours")),
    }
}

fn unreadable(error: DecodingError) -> String {
    let why = match error {
        DecodingError::LimitsExceeded => "it takes too much memory",
        DecodingError::IoError(_) => CUT,
        DecodingError::Parameter(_) => DAMAGED,
        DecodingError::Format(error) => {
            let text = error.to_string();
            let says = |what| text.contains(what);
            match () {
                () if says("end of file") || says("end of image") || says("EOF") => CUT,
                () if says("CRC error") => "it is damaged, a checksum does not fit; copy or save it again",
                () => DAMAGED,
            }
        }
    };
    format!("is no PNG that can be read: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use png::{BitDepth, Encoder};

    fn encoded(
        (height, width): (u32, u32),
        color: ColorType,
        depth: BitDepth,
        palette: &[u8],
        data: &[u8],
    ) -> Vec<u8> {
        let mut bytes = vec![];
        let mut encoder = Encoder::new(&mut bytes, width, height);
        encoder.set_color(color);
        encoder.set_depth(depth);
        if color == ColorType::Indexed {
            encoder.set_palette(palette);
        }
        encoder.write_header().unwrap().write_image_data(data).unwrap();
        bytes
    }

    #[test]
    fn all_kinds_of_colours_become_three() {
        let one_row = |color, depth, palette: &[u8], data: &[u8]| {
            decode(&encoded((1, 2), color, depth, palette, data), 8).unwrap().codes
        };
        use ColorType::*;
        assert_eq!(one_row(Grayscale, BitDepth::Eight, &[], &[3, 200]), [3, 3, 3, 200, 200, 200]);
        assert_eq!(one_row(Grayscale, BitDepth::One, &[], &[0b0100_0000]), [0, 0, 0, 255, 255, 255]);
        assert_eq!(one_row(Grayscale, BitDepth::Sixteen, &[], &[9, 1, 8, 255]), [9, 9, 9, 8, 8, 8]);
        assert_eq!(one_row(GrayscaleAlpha, BitDepth::Eight, &[], &[3, 0, 4, 255]), [3, 3, 3, 4, 4, 4]);
        assert_eq!(one_row(Rgba, BitDepth::Eight, &[], &[1, 2, 3, 0, 4, 5, 6, 9]), [1, 2, 3, 4, 5, 6]);
        assert_eq!(one_row(Indexed, BitDepth::Eight, &[1, 2, 3, 7, 8, 9], &[1, 0]), [7, 8, 9, 1, 2, 3]);
    }

    #[test]
    fn a_header_cannot_ask_for_memory() {
        let mut bytes = encoded((1, 2), ColorType::Grayscale, BitDepth::Eight, &[], &[1, 2]);
        // Width and height, and the checksum of their chunk.
        bytes[16..24].copy_from_slice(&[0, 0, 0x40, 0, 0, 0, 0x40, 0]);
        let error = decode(&bytes, 1 << 14).unwrap_err();
        assert!(error.contains("is no PNG that can be read: it is damaged"), "{error}");
    }
}
