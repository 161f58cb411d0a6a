//! Changes of an image of codes; what is done, without chance.

/// A change. Factors are those of a mixture with a degenerate image: 1 leaves an image as it is, 0 gives the
/// degenerate one, and beyond 1 the image moves away from it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// Move by so many pixels; what enters is empty.
    Shift {
        /// Rows towards the lower edge.
        down: isize,
        /// Columns towards the right edge.
        right: isize,
    },
    /// Move by so many pixels; what leaves on one side enters on the other.
    Roll {
        /// Rows towards the lower edge.
        down: isize,
        /// Columns towards the right edge.
        right: isize,
    },
    /// Mirror left and right.
    Flip,
    /// Turn around the middle, in degrees, anticlockwise.
    Rotate(f64),
    /// Move each row by so many columns for every row below the upper edge.
    ShearX(f64),
    /// Move each column by so many rows for every column right of the left edge.
    ShearY(f64),
    /// Empty a square around a pixel.
    Cut {
        /// Side of the square.
        side: usize,
        /// Row of the pixel.
        y: usize,
        /// Column of the pixel.
        x: usize,
    },
    /// 255 less each code.
    Invert,
    /// Spread each channel's codes linearly over all of 0..=255.
    AutoContrast,
    /// Spread each channel's codes so that all are about equally frequent.
    Equalize,
    /// Keep so many high bits of a code, 0 to 8.
    Posterize(u32),
    /// Invert codes from here on, 0 to 256.
    Solarize(u16),
    /// Mix with black.
    Brightness(f64),
    /// Mix with the mean grey.
    Contrast(f64),
    /// Mix with grey.
    Colour(f64),
    /// Mix with a smoothed image.
    Sharpness(f64),
}

/// An image that changes.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// Channels.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Code of what is empty, one for each channel.
    pub empty: Vec<u8>,
    /// `[channel, y, x]`.
    pub codes: Vec<u8>,
    spare: Vec<u8>,
}

impl Picture {
    /// Of this size, without codes yet; changes fill each channel with its code in `empty`.
    pub fn new(height: usize, width: usize, empty: Vec<u8>) -> Self {
        Picture { channels: empty.len(), height, width, empty, ..Picture::default() }
    }

    /// Takes the codes of an image of this size.
    pub fn load(&mut self, codes: &[u8]) {
        self.codes.clear();
        self.codes.extend_from_slice(codes);
    }

    /// Makes `change`.
    pub fn apply(&mut self, change: &Change) {
        let (height, width) = (self.height, self.width);
        let inside = |y: isize, x: isize| {
            let (y, x) = (usize::try_from(y).ok()?, usize::try_from(x).ok()?);
            (y < height && x < width).then_some((y, x))
        };
        match *change {
            Change::Shift { down, right } => {
                self.gather(|y, x| inside(y as isize - down, x as isize - right));
            }
            Change::Roll { down, right } => self.gather(|y, x| {
                let wrap =
                    |at: usize, by: isize, size: usize| (at as isize - by).rem_euclid(size as isize) as usize;
                Some((wrap(y, down, height), wrap(x, right, width)))
            }),
            Change::Flip => self.gather(|y, x| Some((y, width - 1 - x))),
            Change::Rotate(degrees) => {
                let (sin, cos) = degrees.to_radians().sin_cos();
                let (middle_y, middle_x) = (height as f64 / 2.0, width as f64 / 2.0);
                self.gather(|y, x| {
                    let (y, x) = (y as f64 + 0.5 - middle_y, x as f64 + 0.5 - middle_x);
                    let (y, x) = (sin * x + cos * y + middle_y, cos * x - sin * y + middle_x);
                    inside(y.floor() as isize, x.floor() as isize)
                });
            }
            Change::ShearX(slope) => {
                self.gather(|y, x| inside(y as isize, x as isize - (slope * y as f64).round() as isize));
            }
            Change::ShearY(slope) => {
                self.gather(|y, x| inside(y as isize - (slope * x as f64).round() as isize, x as isize));
            }
            Change::Cut { side, y: middle_y, x: middle_x } => {
                let cut = |at: usize, middle: usize| (middle..middle + side).contains(&(at + side / 2));
                self.gather(|y, x| (!(cut(y, middle_y) && cut(x, middle_x))).then_some((y, x)));
            }
            Change::Invert => self.codes.iter_mut().for_each(|code| *code = 255 - *code),
            Change::AutoContrast => self.channels(auto_contrast),
            Change::Equalize => self.channels(equalize),
            Change::Posterize(bits) => {
                let mask = (0xff00u32 >> bits) as u8;
                self.codes.iter_mut().for_each(|code| *code &= mask);
            }
            Change::Solarize(from) => {
                let solarize = |code: u8| if u16::from(code) >= from { 255 - code } else { code };
                self.codes.iter_mut().for_each(|code| *code = solarize(*code));
            }
            Change::Brightness(factor) => {
                self.codes.iter_mut().for_each(|code| *code = mix(0, *code, factor));
            }
            Change::Contrast(factor) => {
                let size = height * width;
                let sum: u64 = (0..size).map(|i| u64::from(self.grey(i))).sum();
                let mean = (sum as f64 / size as f64).round() as u8;
                self.codes.iter_mut().for_each(|code| *code = mix(mean, *code, factor));
            }
            Change::Colour(factor) => {
                for i in 0..height * width {
                    let grey = self.grey(i);
                    for code in self.codes.iter_mut().skip(i).step_by(height * width) {
                        *code = mix(grey, *code, factor);
                    }
                }
            }
            Change::Sharpness(factor) => self.sharpen(factor),
        }
    }

    /// Pixel `(y, x)` becomes what was at `source(y, x)`, or empty where that is nowhere.
    fn gather(&mut self, source: impl Fn(usize, usize) -> Option<(usize, usize)>) {
        let (size, width) = (self.height * self.width, self.width);
        self.spare.clear();
        self.spare.extend(self.empty.iter().flat_map(|code| std::iter::repeat_n(*code, size)));
        for i in 0..size {
            if let Some((y, x)) = source(i / width, i % width) {
                let from = self.codes.iter().skip(y * width + x).step_by(size);
                self.spare.iter_mut().skip(i).step_by(size).zip(from).for_each(|(to, from)| *to = *from);
            }
        }
        std::mem::swap(&mut self.codes, &mut self.spare);
    }

    fn channels(&mut self, change: impl Fn(&mut [u8])) {
        self.codes.chunks_exact_mut(self.height * self.width).for_each(change);
    }

    /// Brightness of pixel `i`: of red, green and blue as eyes see them (ITU-R 601), else the channels' mean.
    fn grey(&self, i: usize) -> u8 {
        let mut codes =
            self.codes.iter().skip(i).step_by(self.height * self.width).map(|code| u32::from(*code));
        match self.channels {
            3 => {
                let weighted =
                    codes.zip([19_595, 38_470, 7_471]).map(|(code, weight)| code * weight).sum::<u32>();
                ((weighted + (1 << 15)) >> 16) as u8
            }
            channels => (codes.by_ref().sum::<u32>() / channels as u32) as u8,
        }
    }

    /// Mixes with the mean of the 3x3 pixels around each, in which it counts five times; the border stays.
    fn sharpen(&mut self, factor: f64) {
        let (height, width, size) = (self.height, self.width, self.height * self.width);
        self.spare.clone_from(&self.codes);
        for (from, to) in self.codes.chunks_exact(size).zip(self.spare.chunks_exact_mut(size)) {
            for y in 1..height.saturating_sub(1) {
                for x in 1..width.saturating_sub(1) {
                    let row =
                        |y: usize| from[y * width + x - 1..][..3].iter().map(|c| u32::from(*c)).sum::<u32>();
                    let at = y * width + x;
                    let sum = row(y - 1) + row(y) + row(y + 1) + 4 * u32::from(from[at]);
                    to[at] = mix(((2 * sum + 13) / 26) as u8, from[at], factor);
                }
            }
        }
        std::mem::swap(&mut self.codes, &mut self.spare);
    }
}

/// `degenerate` for a factor of 0, `code` for 1; the fraction is dropped.
fn mix(degenerate: u8, code: u8, factor: f64) -> u8 {
    let (degenerate, code) = (f64::from(degenerate), f64::from(code));
    (degenerate + factor * (code - degenerate)).clamp(0.0, 255.0) as u8
}

fn auto_contrast(codes: &mut [u8]) {
    let (low, high) = codes.iter().fold((255, 0), |(low, high), code| (low.min(*code), high.max(*code)));
    if low < high {
        let spread = |code: u8| (255 * u32::from(code - low) / u32::from(high - low)) as u8;
        codes.iter_mut().for_each(|code| *code = spread(*code));
    }
}

/// Code `c` becomes the number of codes below it, in steps of a 255th of all but the most frequent end.
fn equalize(codes: &mut [u8]) {
    let mut counts = [0usize; 256];
    codes.iter().for_each(|code| counts[usize::from(*code)] += 1);
    let last = counts.iter().rfind(|count| **count > 0).copied().unwrap_or(0);
    let step = (codes.len() - last) / 255;
    if step == 0 {
        return;
    }
    let mut below = step / 2;
    let table = counts.map(|count| {
        let code = (below / step).min(255) as u8;
        below += count;
        code
    });
    codes.iter_mut().for_each(|code| *code = table[usize::from(*code)]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn changed(channels: usize, height: usize, width: usize, codes: &[u8], change: Change) -> Vec<u8> {
        let mut picture = Picture::new(height, width, vec![99; channels]);
        picture.load(codes);
        picture.apply(&change);
        picture.codes
    }

    const SIX: [u8; 6] = [1, 2, 3, 4, 5, 6];

    #[test]
    fn pixels_move() {
        let six = |change| changed(1, 2, 3, &SIX, change);
        assert_eq!(six(Change::Shift { down: 1, right: -1 }), [99, 99, 99, 2, 3, 99]);
        assert_eq!(six(Change::Roll { down: 1, right: -1 }), [5, 6, 4, 2, 3, 1]);
        assert_eq!(six(Change::Roll { down: -3, right: 7 }), [6, 4, 5, 3, 1, 2]);
        assert_eq!(six(Change::Flip), [3, 2, 1, 6, 5, 4]);
        assert_eq!(six(Change::Rotate(180.0)), [6, 5, 4, 3, 2, 1]);
        assert_eq!(six(Change::ShearX(1.0)), [1, 2, 3, 99, 4, 5]);
        assert_eq!(six(Change::ShearX(-2.0)), [1, 2, 3, 6, 99, 99]);
        assert_eq!(six(Change::ShearY(0.5)), [1, 99, 99, 4, 2, 3]);
        let channels = [SIX, [11, 12, 13, 14, 15, 16]].concat();
        assert_eq!(changed(2, 2, 3, &channels, Change::Flip)[6..], [13, 12, 11, 16, 15, 14]);
    }

    #[test]
    fn turns_anticlockwise() {
        let nine: Vec<u8> = (1..=9).collect();
        assert_eq!(changed(1, 3, 3, &nine, Change::Rotate(90.0)), [3, 6, 9, 2, 5, 8, 1, 4, 7]);
        let turned = changed(1, 3, 3, &nine, Change::Rotate(45.0));
        assert_eq!((turned[4], turned[0], turned[2], turned[6]), (5, 2, 6, 4));
    }

    #[test]
    fn a_square_is_cut_around_a_pixel() {
        let cut = |side, y, x| {
            let codes = changed(1, 4, 4, &[7; 16], Change::Cut { side, y, x });
            (0..16).filter(|at| codes[*at] == 99).collect::<Vec<_>>()
        };
        assert!(cut(0, 1, 1).is_empty());
        assert_eq!(cut(2, 1, 2), [1, 2, 5, 6]);
        assert_eq!(cut(3, 0, 3), [2, 3, 6, 7]);
    }

    #[test]
    fn codes_change_one_by_one() {
        let codes = |change| changed(1, 1, 4, &[0, 100, 127, 255], change);
        assert_eq!(codes(Change::Invert), [255, 155, 128, 0]);
        assert_eq!(codes(Change::Posterize(8)), [0, 100, 127, 255]);
        assert_eq!(codes(Change::Posterize(1)), [0, 0, 0, 128]);
        assert_eq!(codes(Change::Posterize(0)), [0; 4]);
        assert_eq!(codes(Change::Solarize(127)), [0, 100, 128, 0]);
        assert_eq!(codes(Change::Solarize(256)), [0, 100, 127, 255]);
        assert_eq!(codes(Change::Brightness(0.5)), [0, 50, 63, 127]);
        assert_eq!(codes(Change::Brightness(1.9)), [0, 190, 241, 255]);
    }

    #[test]
    fn contrast_and_colour_move_from_grey() {
        let grey = changed(1, 1, 2, &[100, 140], Change::Contrast(0.0));
        assert_eq!(grey, [120, 120]);
        assert_eq!(changed(1, 1, 2, &[100, 140], Change::Contrast(1.5)), [90, 150]);
        // Pure green is grey 150, pure blue grey 29.
        assert_eq!(
            changed(3, 1, 2, &[0, 0, 255, 0, 0, 255], Change::Colour(0.0)),
            [150, 29, 150, 29, 150, 29]
        );
        assert_eq!(changed(3, 1, 1, &[200, 100, 50], Change::Colour(1.5)), [238, 88, 13]);
        assert_eq!(changed(1, 1, 2, &[100, 140], Change::Colour(0.3)), [100, 140]);
    }

    #[test]
    fn channels_are_spread_each_for_itself() {
        let two = changed(2, 1, 3, &[10, 20, 30, 5, 5, 5], Change::AutoContrast);
        assert_eq!(two, [0, 127, 255, 5, 5, 5]);
        let ramp: Vec<u8> = (0..1024).map(|i| (i / 8) as u8).collect();
        let equal = changed(1, 32, 32, &ramp, Change::Equalize);
        assert_eq!((equal[0], equal[8], equal[512], equal[1023]), (0, 3, 171, 255));
        assert!(equal.is_sorted());
        assert_eq!(changed(1, 2, 3, &SIX, Change::Equalize), SIX, "too few pixels for 255 steps");
    }

    #[test]
    fn sharpness_moves_from_the_smoothed() {
        let mut spot = [0; 16];
        spot[5] = 130;
        let smooth = changed(1, 4, 4, &spot, Change::Sharpness(0.0));
        assert_eq!(smooth, [0, 0, 0, 0, 0, 50, 10, 0, 0, 10, 10, 0, 0, 0, 0, 0]);
        assert_eq!(changed(1, 4, 4, &spot, Change::Sharpness(1.5))[5], 170);
    }

    fn any_change() -> impl Strategy<Value = Change> {
        let (small, factor) = (-9isize..9, 0.0..2.0f64);
        prop_oneof![
            (small.clone(), small.clone()).prop_map(|(down, right)| Change::Shift { down, right }),
            (small.clone(), small).prop_map(|(down, right)| Change::Roll { down, right }),
            (-400.0..400.0f64).prop_map(Change::Rotate),
            (-2.0..2.0f64).prop_map(Change::ShearX),
            (-2.0..2.0f64).prop_map(Change::ShearY),
            (0usize..9, 0usize..5, 0usize..5).prop_map(|(side, y, x)| Change::Cut { side, y, x }),
            (0u32..=8).prop_map(Change::Posterize),
            (0u16..=256).prop_map(Change::Solarize),
            factor.clone().prop_map(Change::Brightness),
            factor.clone().prop_map(Change::Contrast),
            factor.clone().prop_map(Change::Colour),
            factor.prop_map(Change::Sharpness),
            prop::sample::select(vec![Change::Flip, Change::Invert, Change::AutoContrast, Change::Equalize]),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn any_image_stands_any_change(
            channels in 1usize..4,
            height in 1usize..6,
            width in 1usize..6,
            codes in prop::collection::vec(any::<u8>(), 75),
            change in any_change(),
        ) {
            let codes = &codes[..channels * height * width];
            let result = changed(channels, height, width, codes, change);
            prop_assert_eq!(result.len(), codes.len());
            if matches!(change, Change::Flip | Change::Invert) {
                prop_assert_eq!(&changed(channels, height, width, &result, change), codes);
            }
            for factor in [Change::Brightness(1.0), Change::Contrast(1.0), Change::Colour(1.0), Change::Sharpness(1.0)] {
                prop_assert_eq!(&changed(channels, height, width, codes, factor), codes);
            }
        }
    }
}
