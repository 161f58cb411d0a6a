//! Channel attention: currents to currents.

use crate::round::{round_shift, saturate};
use empf_ir::formats::SCORE_BITS;
use ndarray::{Array4, ArrayView2, ArrayView3, ArrayView4, Axis};

/// Parameters of channel attention.
#[derive(Clone, Copy, Debug)]
pub struct Seca<'a> {
    /// K: channels that a score sees, odd.
    pub kernel: usize,
    /// `[3^K]`, [`SCORE_BITS`] fraction bits.
    pub score: &'a [i32],
    /// M, `[T, C]`.
    pub mantissa: ArrayView2<'a, i32>,
    /// Right shift of the product.
    pub shift: u8,
    /// V.
    pub membrane_bits: u32,
}

/// Each channel times its score. `current` is `[T, C, y, x]`.
pub fn seca(current: ArrayView4<i32>, p: &Seca) -> Array4<i32> {
    let mut result = current.to_owned();
    for (t, mut frame) in result.outer_iter_mut().enumerate() {
        let signs = signs(frame.view());
        for (c, mut channel) in frame.outer_iter_mut().enumerate() {
            let score = i64::from(p.score[entry(&signs, c, p.kernel)]);
            let factor = round_shift(score * i64::from(p.mantissa[[t, c]]), SCORE_BITS as u8);
            channel.mapv_inplace(|i| {
                saturate(round_shift(i64::from(i) * factor, p.shift), p.membrane_bits) as i32
            });
        }
    }
    result
}

/// +1 for each channel whose sum is at least 0, else -1.
fn signs(frame: ArrayView3<i32>) -> Vec<i32> {
    let sum = |channel: ArrayView3<i32>| channel.iter().copied().map(i64::from).sum::<i64>();
    frame.axis_chunks_iter(Axis(0), 1).map(|channel| if sum(channel) >= 0 { 1 } else { -1 }).collect()
}

/// Where the score of channel `c` lies in the table: the signs that it sees as digits of base 3, 0 for those
/// beyond both ends.
fn entry(signs: &[i32], c: usize, kernel: usize) -> usize {
    let seen = |k: usize| (c + k).checked_sub(kernel / 2).and_then(|at| signs.get(at)).unwrap_or(&0);
    (0..kernel).rev().fold(0, |entry, k| 3 * entry + (seen(k) + 1) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    #[test]
    fn entries_are_signs_in_base_three() {
        let signs = [1, -1, 1, 1];
        let at = |digits: [usize; 3]| digits[0] + 3 * digits[1] + 9 * digits[2];
        assert_eq!(entry(&signs, 0, 3), at([1, 2, 0]));
        assert_eq!(entry(&signs, 1, 3), at([2, 0, 2]));
        assert_eq!(entry(&signs, 3, 3), at([2, 2, 1]));
        // A single channel sees nothing on either side.
        assert_eq!(entry(&[-1], 0, 5), 1 + 3 + 27 + 81);
    }

    #[test]
    fn a_frame_worked_out_by_hand() {
        // Sums 1, 0 (whose sign is +1) and -5.
        let current = array![[[[2, -1]], [[3, -3]], [[-4, -1]]], [[[-2047, -2048]], [[8, 8]], [[100, 0]]]];
        let mut score = vec![0; 27];
        score[1 + 3 * 2 + 9 * 2] = 1 << 14;
        score[2 + 3 * 2] = (1 << 15) - 1;
        score[2 + 9] = 1 << 13;
        score[1 + 9 * 2] = 1 << 14;
        score[3 * 2 + 9 * 2] = 5;
        score[2 + 3 * 2 + 9] = 1 << 14;
        let mantissa = array![[8, -4, 16], [-32768, 32767, 4]];
        let p = Seca { kernel: 3, score: &score, mantissa: mantissa.view(), shift: 2, membrane_bits: 12 };
        // Factors 4, -4 (3.9 rounded) and 4; -16384, 5 and 2.
        let expected = array![[[[2, -1]], [[-3, 3]], [[-4, -1]]], [[[2047, 2047]], [[10, 10]], [[50, 0]]]];
        assert_eq!(seca(current.view(), &p), expected);
    }

    #[test]
    fn a_large_map_does_not_overflow() {
        let current = Array4::from_elem((1, 1, 400, 400), (1 << 23) - 1);
        let score = vec![(1 << 15) - 1; 27];
        let mantissa = Array2::from_elem((1, 1), 1 << 14);
        let p = Seca { kernel: 3, score: &score, mantissa: mantissa.view(), shift: 14, membrane_bits: 24 };
        // The factor is 2^14 - 0.5, rounded up.
        assert_eq!(seca(current.view(), &p), current);
    }
}
