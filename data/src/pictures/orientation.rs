//! Pictures that say in EXIF how they are to be turned.

use super::raster::{CHANNELS, Raster};
use exif::{In, Reader, Tag};
use std::io::Cursor;

/// The orientation that the EXIF data of a JPEG or a PNG give, 1 to 8; 1, upright, where they give none.
pub(crate) fn orientation(bytes: &[u8]) -> u32 {
    let exif = Reader::new().read_from_container(&mut Cursor::new(bytes)).ok();
    let value = exif.and_then(|exif| exif.get_field(Tag::Orientation, In::PRIMARY)?.value.get_uint(0));
    value.filter(|value| (1..=8).contains(value)).unwrap_or(1)
}

impl Raster {
    /// The picture as it is to be seen, where it is stored in `orientation`.
    pub(crate) fn upright(self, orientation: u32) -> Self {
        if orientation == 1 {
            return self;
        }
        let (last_row, last_column) = (self.height - 1, self.width - 1);
        // From where in the stored picture a place of the upright one comes.
        let source = |y: usize, x: usize| match orientation {
            2 => (y, last_column - x),
            3 => (last_row - y, last_column - x),
            4 => (last_row - y, x),
            5 => (x, y),
            6 => (last_row - x, y),
            7 => (last_row - x, last_column - y),
            8 => (x, last_column - y),
            _ => (y, x),
        };
        let (height, width) =
            if orientation >= 5 { (self.width, self.height) } else { (self.height, self.width) };
        let mut codes = Vec::with_capacity(self.codes.len());
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            let (row, column) = source(y, x);
            codes.extend_from_slice(&self.codes[(row * self.width + column) * CHANNELS..][..CHANNELS]);
        }
        Raster { height, width, codes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rows of three: the pixel numbers, thrice each.
    fn stored() -> Raster {
        Raster { height: 2, width: 3, codes: (0..6).flat_map(|i| [i; CHANNELS]).collect() }
    }

    /// As TIFF 6 and EXIF define them: where row 0 and column 0 of what is stored are to be seen.
    #[test]
    fn all_eight_orientations() {
        for (orientation, rows) in [
            (1, vec![[0, 1, 2].to_vec(), [3, 4, 5].to_vec()]),
            (2, vec![[2, 1, 0].to_vec(), [5, 4, 3].to_vec()]),
            (3, vec![[5, 4, 3].to_vec(), [2, 1, 0].to_vec()]),
            (4, vec![[3, 4, 5].to_vec(), [0, 1, 2].to_vec()]),
            (5, vec![[0, 3].to_vec(), [1, 4].to_vec(), [2, 5].to_vec()]),
            (6, vec![[3, 0].to_vec(), [4, 1].to_vec(), [5, 2].to_vec()]),
            (7, vec![[5, 2].to_vec(), [4, 1].to_vec(), [3, 0].to_vec()]),
            (8, vec![[2, 5].to_vec(), [1, 4].to_vec(), [0, 3].to_vec()]),
        ] {
            let upright = stored().upright(orientation);
            let codes: Vec<u8> = rows.concat().into_iter().flat_map(|i| [i; CHANNELS]).collect();
            let expected = Raster { height: rows.len(), width: rows[0].len(), codes };
            assert_eq!(upright, expected, "orientation {orientation}");
        }
    }
}
