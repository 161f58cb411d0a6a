//! Pictures brought to a size.

use super::raster::{CHANNELS, Raster};
use std::ops::Range;

/// The picture is scaled to cover this many times the size that is asked for, and the middle is cut out: the
/// usual 256 pixels for 224.
const MARGIN: f64 = 8.0 / 7.0;

/// Codes `[channel, y, x]` of the middle of a picture, scaled to `size`, rows and columns.
pub(crate) fn fit(picture: &Raster, size: (usize, usize)) -> Vec<u8> {
    let covers = |to: usize, from: usize| MARGIN * to as f64 / from as f64;
    let scale = covers(size.0, picture.height).max(covers(size.1, picture.width));
    let rows = axis(picture.height, size.0, scale);
    let columns = axis(picture.width, size.1, scale);
    let mut codes = Vec::with_capacity(CHANNELS * size.0 * size.1);
    for channel in 0..CHANNELS {
        // `[row of the picture, column of the result]`
        let narrow: Vec<f32> = (0..picture.height)
            .flat_map(|y| {
                let row = &picture.codes[y * picture.width * CHANNELS..];
                columns.iter().map(move |column| column.sum(|x| f32::from(row[x * CHANNELS + channel])))
            })
            .collect();
        for row in &rows {
            codes.extend((0..size.1).map(|x| row.sum(|y| narrow[y * size.1 + x]).round() as u8));
        }
    }
    codes
}

/// The places that make one place of a result, and the share of each; the shares add up to 1.
struct Shares {
    places: Range<usize>,
    shares: Vec<f32>,
}

impl Shares {
    fn sum(&self, code: impl Fn(usize) -> f32) -> f32 {
        self.places.clone().zip(&self.shares).map(|(place, share)| share * code(place)).sum()
    }
}

/// For each of `to` places in the middle of `from` scaled by `scale`: a triangle around its middle, as wide as two
/// places of the result, but never narrower than two of the picture.
fn axis(from: usize, to: usize, scale: f64) -> Vec<Shares> {
    let radius = (1.0 / scale).max(1.0);
    let start = (from as f64 - to as f64 / scale) / 2.0;
    let of_place = |place: usize| {
        let middle = start + (place as f64 + 0.5) / scale;
        let first = (middle - radius).floor().max(0.0) as usize;
        let end = ((middle + radius).ceil() as usize).min(from);
        let share = |at: usize| (1.0 - (at as f64 + 0.5 - middle).abs() / radius).max(0.0);
        let sum: f64 = (first..end).map(share).sum();
        Shares { places: first..end, shares: (first..end).map(|at| (share(at) / sum) as f32).collect() }
    };
    (0..to).map(of_place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn picture(height: usize, width: usize, code: impl Fn(usize, usize, usize) -> u8) -> Raster {
        let place = |i: usize| (i / CHANNELS / width, i / CHANNELS % width, i % CHANNELS);
        let codes = (0..height * width * CHANNELS).map(place).map(|(y, x, c)| code(y, x, c)).collect();
        Raster { height, width, codes }
    }

    #[test]
    fn the_middle_is_cut_out() {
        let code = |y: usize, x: usize, c: usize| (16 * y + x + 80 * c) as u8;
        let codes = fit(&picture(16, 16, code), (14, 14));
        let expected: Vec<u8> =
            (0..3).flat_map(|c| (1..15).flat_map(move |y| (1..15).map(move |x| code(y, x, c)))).collect();
        assert_eq!(codes, expected);
    }

    #[test]
    fn pixels_are_averaged() {
        // 32x48 pixels become 16x24, of which the middle 14x14 is kept; columns alternate between 0 and 200.
        let codes = fit(&picture(32, 48, |_, x, _| 200 * (x as u8 % 2)), (14, 14));
        assert!(codes.iter().all(|code| *code == 100), "{codes:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn one_colour_stays_and_mirrors_commute(
            (height, width) in (1usize..20, 1usize..20),
            size in (1usize..20, 1usize..20),
            seed in any::<u64>(),
        ) {
            let grey = fit(&picture(height, width, |_, _, c| 10 + 100 * c as u8), size);
            prop_assert_eq!(grey.len(), 3 * size.0 * size.1);
            let plane = size.0 * size.1;
            prop_assert!(grey.iter().enumerate().all(|(i, code)| usize::from(*code) == 10 + 100 * (i / plane)));

            let code = |y: usize, x: usize| (seed.rotate_left((7 * y + x) as u32) & 0xff) as u8;
            let plain = fit(&picture(height, width, |y, x, _| code(y, x)), size);
            let mirrored = fit(&picture(height, width, |y, x, _| code(y, width - 1 - x)), size);
            for (row, other) in plain.chunks_exact(size.1).zip(mirrored.chunks_exact(size.1)) {
                prop_assert!(row.iter().zip(other.iter().rev()).all(|(a, b)| a.abs_diff(*b) <= 1));
            }
        }
    }
}
