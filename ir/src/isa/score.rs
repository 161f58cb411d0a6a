//! The table of scores in the parameter ROM: a word for every combination of signs that a channel of attention can see.
//!
//! Where the table of numerics.md counts in base 3, as a channel that does not exist has the sign 0, a word's number here
//! is made of bits, without a multiplication: those that do not exist are always the outermost.
//!
//! ```text
//! right side, 4 bits | left side, 4 bits | own sign, 1 bit
//! a side:  a one, and behind it the signs of its channels, the nearest last; 1: the sum is at least 0
//! ```

use crate::formats::MAX_SCORE_REACH;

/// Bits of a side: a sign for each channel, and the one in front of them.
pub const SIDE_BITS: usize = MAX_SCORE_REACH + 1;

/// Bits of a word's number.
pub const SCORE_INDEX_BITS: usize = 2 * SIDE_BITS + 1;

/// The code of a side; `signs` are those of the channels that exist, the nearest first.
pub fn side(signs: impl DoubleEndedIterator<Item = bool>) -> usize {
    signs.rev().fold(1, |code, sign| code << 1 | usize::from(sign))
}

/// The number of a word.
pub fn score_index(left: usize, own: bool, right: usize) -> usize {
    right << (SIDE_BITS + 1) | left << 1 | usize::from(own)
}

/// Words of a table for scores that see `reach` channels on each side.
pub fn score_words(reach: usize) -> usize {
    score_index(0, false, 1 << (reach + 1))
}

/// The words of `score`, `[3^K]` in the order of numerics.md; words that no channel asks for are 0.
pub fn score_table(score: &[i32], kernel: usize) -> Vec<i32> {
    let reach = kernel / 2;
    let mut table = vec![0; score_words(reach)];
    let sides: Vec<usize> = (1..2 << reach).collect();
    for (left, right, own) in sides
        .iter()
        .flat_map(|left| sides.iter().flat_map(move |right| [false, true].map(|own| (*left, *right, own))))
    {
        let (left_signs, right_signs) = (signs(left, reach), signs(right, reach));
        let seen = left_signs.into_iter().rev().chain([Some(own)]).chain(right_signs);
        let digit = |sign: Option<bool>| sign.map_or(1, |is_positive| 2 * usize::from(is_positive));
        let at = seen.collect::<Vec<_>>().into_iter().rev().fold(0, |at, sign| 3 * at + digit(sign));
        table[score_index(left, own, right)] = score[at];
    }
    table
}

/// The signs of a side, the nearest first; `None` of channels that do not exist.
fn signs(side: usize, reach: usize) -> Vec<Option<bool>> {
    let existing = side.ilog2() as usize;
    (0..reach).map(|distance| (distance < existing).then_some(side >> distance & 1 == 1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every window over every row of channels finds its entry.
    #[test]
    fn a_table_has_the_scores_of_all_rows() {
        for kernel in [3, 5, 7] {
            let reach = kernel / 2;
            let score: Vec<i32> = (0..3i32.pow(kernel as u32)).collect();
            let table = score_table(&score, kernel);
            assert_eq!(table.len(), 16 << (reach + 2));
            for (channels, row) in (1..=8).flat_map(|n| (0..1usize << n).map(move |row| (n, row))) {
                let sign = |c: usize| row >> c & 1 == 1;
                for c in 0..channels {
                    let at = (0..kernel).rev().fold(0, |at, k| {
                        let seen = (c + k).checked_sub(reach).filter(|at| *at < channels);
                        3 * at + seen.map_or(1, |at| 2 * i32::from(sign(at)))
                    });
                    let left = side((c.saturating_sub(reach)..c).rev().map(sign));
                    let right = side((c + 1..channels.min(c + 1 + reach)).map(sign));
                    assert_eq!(table[score_index(left, sign(c), right)], at, "{kernel} {channels} {row} {c}");
                }
            }
        }
    }
}
