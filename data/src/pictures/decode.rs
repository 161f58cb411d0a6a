//! Pictures of all formats that are read.

use super::orientation::orientation;
use super::raster::Raster;
use super::{jpeg, png};

/// Endings of the names of pictures that are read.
const READ: [&str; 3] = ["jpg", "jpeg", "png"];
/// Endings of the names of other pictures.
const OTHERS: [&str; 11] = ["bmp", "gif", "webp", "tif", "tiff", "ppm", "pgm", "avif", "heic", "jp2", "jxl"];

/// Formats by the first bytes of a file, for the error.
const SIGNATURES: [(&[u8], &str); 6] = [
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"RIFF", "WebP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
];

/// Whether a file of this name is a picture that is read.
pub(crate) fn is_picture(name: &str) -> bool {
    has_ending(name, &READ)
}

/// Whether a file of this name is a picture that would have to be converted.
pub(crate) fn is_other_picture(name: &str) -> bool {
    has_ending(name, &OTHERS)
}

fn has_ending(name: &str, endings: &[&str]) -> bool {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    endings.iter().any(|known| ending.eq_ignore_ascii_case(known))
}

/// The picture of a file with at most `side` rows and columns, whatever its name is: a JPEG or a PNG, upright. Grey
/// ones get three equal channels, and what is transparent is shown.
///
/// # Errors
/// What is wrong with it, on one line.
pub(crate) fn decode(bytes: &[u8], side: usize) -> Result<Raster, String> {
    let stored = if bytes.starts_with(jpeg::SIGNATURE) {
        jpeg::decode(bytes, side)?
    } else if bytes.starts_with(png::SIGNATURE) {
        png::decode(bytes, side)?
    } else {
        return Err(match SIGNATURES.iter().find(|(signature, _)| bytes.starts_with(signature)) {
            Some((_, format)) => format!("is a {format}, but JPEG and PNG are read; convert it"),
            None => "is no JPEG or PNG".into(),
        });
    };
    Ok(stored.upright(orientation(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_files::{jpeg, png};

    /// An EXIF segment, as a JPEG holds it, that gives `orientation`.
    fn exif(orientation: u8) -> Vec<u8> {
        let mut tiff = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0".to_vec();
        tiff[19] = orientation;
        [&[0xff, 0xe1, 0, (8 + tiff.len()) as u8][..], b"Exif\0\0", &tiff].concat()
    }

    fn turned(orientation: u8) -> Raster {
        let mut bytes = jpeg(16, 3);
        bytes.splice(2..2, exif(orientation));
        decode(&bytes, 16).unwrap()
    }

    #[test]
    fn the_content_decides_not_the_name() {
        let grey = decode(&jpeg(8, 1), 8).unwrap();
        assert_eq!((grey.height, grey.width, &grey.codes[..4]), (8, 8, &[128; 4][..]));
        let colours = decode(&png(2, 3, |y, x| [y as u8, x as u8, 7]), 8).unwrap();
        assert_eq!((colours.height, colours.width), (2, 3));
        assert_eq!(colours.codes[..12], [0, 0, 7, 0, 1, 7, 0, 2, 7, 1, 0, 7]);
        assert!(["a.JPEG", "b.jpg", "c.PNG"].iter().all(|name| is_picture(name)));
        assert!(is_other_picture("a.WebP") && !is_other_picture("a.txt") && !is_picture("png"));
    }

    #[test]
    fn what_exif_says_is_done() {
        assert_eq!(orientation(&jpeg(8, 3)), 1);
        for given in 0..=10 {
            let mut bytes = jpeg(8, 3);
            bytes.splice(2..2, exif(given));
            let expected = if (1..=8).contains(&given) { given.into() } else { 1 };
            assert_eq!(orientation(&bytes), expected);
        }
        assert_eq!((turned(6).height, turned(6).width), (16, 16));
        let mut broken = jpeg(8, 3);
        broken.splice(2..2, [&[0xff, 0xe1, 0, 12][..], b"Exif\0\0MM\0*"].concat());
        assert_eq!(orientation(&broken), 1);
    }

    #[test]
    fn errors_are_one_line_in_our_words() {
        let error = |bytes: &[u8]| {
            let error = decode(bytes, 32).unwrap_err();
            assert!(!error.contains('\n') && !error.contains("set_limits"), "{error}");
            error
        };
        let whole = jpeg(24, 3);
        for end in [2, 3, 20, 100, whole.len() - 3] {
            assert!(error(&whole[..end]).contains("is no JPEG that can be read: it is cut short"), "{end}");
        }
        assert!(error(&jpeg(40, 3)).contains("has 40x40 pixels, at most 32x32"));
        let whole = png(9, 9, |_, _| [1, 2, 3]);
        for end in [8, 20, 40, whole.len() - 20] {
            assert!(error(&whole[..end]).contains("is no PNG that can be read: it is cut short"), "{end}");
        }
        let mut damaged = whole.clone();
        damaged[whole.len() - 30] ^= 0x40;
        let said =
            "is no PNG that can be read: it is damaged, a checksum does not fit; copy or save it again";
        assert_eq!(error(&damaged), said);
        let mut damaged = jpeg(24, 3);
        let tables = damaged.windows(2).position(|mark| mark == [0xff, 0xc4]).unwrap();
        damaged[tables + 4] = 0xee;
        assert_eq!(error(&damaged), "is no JPEG that can be read: it is damaged; copy or save it again");
        assert!(error(&png(1, 40, |_, _| [0; 3])).contains("has 40x1 pixels, at most 32x32"));
        assert_eq!(error(b"GIF89a..."), "is a GIF, but JPEG and PNG are read; convert it");
        assert_eq!(error(b""), "is no JPEG or PNG");
    }
}
