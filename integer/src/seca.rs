//! Currents to currents, each channel times its score.

use crate::round::round_shift;
use empf_ir::formats::SCORE_BITS;

/// Channel attention; `mantissa` is `[T, C]`, `score` `[3^K]`.
#[derive(Debug)]
pub(crate) struct Seca {
    pub(crate) kernel: usize,
    pub(crate) score: Vec<i32>,
    pub(crate) mantissa: Vec<i32>,
    pub(crate) channels: usize,
    pub(crate) shift: u32,
}

impl Seca {
    /// The frame `[position, channel]` of step `t`.
    pub(crate) fn apply(&self, t: usize, x: &[i32], out: &mut [i32], (low, high): (i64, i64)) {
        let c = self.channels;
        let mut sums = vec![0i64; c];
        for row in x.chunks_exact(c) {
            sums.iter_mut().zip(row).for_each(|(sum, i)| *sum += i64::from(*i));
        }
        let factors = self.factors(&sums, &self.mantissa[t * c..][..c]);
        for (out, x) in out.chunks_exact_mut(c).zip(x.chunks_exact(c)) {
            for ((out, i), factor) in out.iter_mut().zip(x).zip(&factors) {
                *out = round_shift(i64::from(*i) * factor, self.shift).clamp(low, high) as i32;
            }
        }
    }

    /// Of each channel. The entry of a channel follows from its neighbour's: the channel that leaves the window
    /// is its lowest digit, and the one that enters the highest.
    fn factors(&self, sums: &[i64], mantissa: &[i32]) -> Vec<i64> {
        let digit = |channel: usize| sums.get(channel).map_or(1, |sum| if *sum < 0 { 0 } else { 2 });
        let highest = self.score.len() / 3;
        let ahead = self.kernel / 2;
        // Digits of 1, for channels that do not exist, in all places.
        let mut entry = (0..ahead).fold(self.score.len() / 2, |entry, c| entry / 3 + digit(c) * highest);
        let factor = |(c, m): (usize, &i32)| {
            entry = entry / 3 + digit(c + ahead) * highest;
            round_shift(i64::from(self.score[entry]) * i64::from(*m), SCORE_BITS)
        };
        mantissa.iter().enumerate().map(factor).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_of_zero_counts_as_positive() {
        // The score of an entry is the entry itself.
        let score: Vec<i32> = (0..27).collect();
        let seca = Seca { kernel: 3, score, mantissa: vec![1 << SCORE_BITS; 3], channels: 3, shift: 0 };
        let digits = |a: usize, b: usize, c: usize| {
            [1 + 3 * a + 9 * b, a + 3 * b + 9 * c, b + 3 * c + 9].map(|n| n as i64)
        };
        assert_eq!(seca.factors(&[0, -1, 5], &seca.mantissa), digits(2, 0, 2));
        assert_eq!(seca.factors(&[-7, 0, -1], &seca.mantissa), digits(0, 2, 0));
    }
}
