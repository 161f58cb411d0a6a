//! What products are made of: single numbers, or pairs of bf16 ones.

use super::lanes::{LANES, Lanes};
use crate::Float;

/// A word of a product's operands.
pub(super) trait Word<F: Float>: Copy + Default + Send + Sync {
    /// Numbers of a word, over which the product sums.
    const NUMBERS: usize;

    /// A word for each lane; the second number is dropped where a word holds one.
    fn pack(first: Lanes<F>, second: Lanes<F>) -> Lanes<Self>;
}

impl<F: Float> Word<F> for F {
    const NUMBERS: usize = 1;

    #[inline(always)]
    fn pack(first: Lanes<F>, _: Lanes<F>) -> Lanes<F> {
        first
    }
}

/// Two numbers with the sign, the exponent and the first 7 fraction bits of `f32`, the first one in the low half.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct Pair(u32);

impl Pair {
    /// The two numbers.
    pub(super) fn numbers(self) -> [f32; 2] {
        [f32::from_bits(self.0 << 16), f32::from_bits(self.0 & 0xffff_0000)]
    }
}

/// Half of the last place that bf16 keeps.
const HALF: u32 = 1 << 15;

impl<F: Float> Word<F> for Pair {
    const NUMBERS: usize = 2;

    /// To the nearest numbers, of two equally near ones the larger in magnitude.
    #[inline(always)]
    fn pack(first: Lanes<F>, second: Lanes<F>) -> Lanes<Pair> {
        let mut pairs = [Pair(0); LANES];
        for lane in 0..LANES {
            let rounded = |x: F| (x.f64() as f32).to_bits().wrapping_add(HALF);
            pairs[lane] = Pair(rounded(first[lane]) >> 16 | rounded(second[lane]) & 0xffff_0000);
        }
        pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;

    fn packed(x: f32) -> [f32; 2] {
        Pair::pack([x; LANES], [-x; LANES])[0].numbers()
    }

    #[test]
    fn signs_and_their_halves_are_exact() {
        for x in [0.0, 1.0, 0.25, 1.5, 2.25, f32::INFINITY] {
            assert_eq!(packed(x), [x, -x]);
        }
        assert!(packed(f32::NAN)[0].is_nan());
    }

    #[test]
    fn others_are_rounded_to_nearest() {
        assert_eq!(packed(1.0 + 1.0 / 256.0)[0], 1.0 + 1.0 / 128.0);
        assert_eq!(packed(1.0 + 0.9 / 256.0)[0], 1.0);
        for i in 1..1000 {
            let x = i as f32 * 0.37;
            assert_abs_diff_eq!(packed(x)[0], x, epsilon = x / 256.0);
        }
    }
}
