//! The factor of channel attention, `a = round_shift(score * M, 15)`, made on the way of the parameters into the lanes.
//!
//! ```text
//! cycle   0                    5        6
//!         word; score * M      product  a in place of M, or the word itself
//! ```

use crate::arithmetic::round_shift;
use crate::product::{PRODUCT_DELAY, Product};
use crate::rtl::prelude::*;
use crate::unit_macro::unit;
use empf_ir::ArchConfig;
use empf_ir::formats::{MULTIPLIER_BITS, SCORE_BITS};

/// Cycles from a word to the word that takes its place.
pub(crate) const FACTOR_DELAY: usize = PRODUCT_DELAY + 1;

unit! {
    /// Parameters in, parameters out.
    pub(crate) struct Factor(arch: &ArchConfig, bits: usize, multiplier: usize) "factor" {
        word_i: Wire<In> = Wire::new(bits),
        /// The word is a score, of the next lane.
        score_i: Wire<In> = Wire::new(1),
        /// The word is a mantissa, of the next lane, to be multiplied with its score.
        mantissa_i: Wire<In> = Wire::new(1),
        /// [`FACTOR_DELAY`] cycles later.
        word_o: Wire<Out> = Wire::new(bits),
        /// Scores of the lanes whose mantissas have not come yet, the next one first.
        scores: Vec<Wire<Local>> = Wire::array(arch.lanes, SCORE_BITS as usize),
        product: Product = Product::new(multiplier, multiplier),
        words: Vec<Wire<Local>> = Wire::array(PRODUCT_DELAY, bits),
        is_factor: Vec<Wire<Local>> = Wire::array(PRODUCT_DELAY, 1),
    }
}

impl Factor {
    /// For the lanes of `arch`.
    pub(crate) fn new(arch: &ArchConfig) -> Self {
        let (bits, multiplier) = (arch.parameter_bits() as usize, MULTIPLIER_BITS as usize);
        let mut u = Self::declare(arch, bits, multiplier);
        let rtl = &mut u._rtl;
        rtl.doc("Factor of channel attention: a mantissa times its channel's score, among the parameters.");
        rtl.section("Scores wait for the mantissas of their lanes");
        let shifts = rtl.named("shifts", &u.score_i | &u.mantissa_i);
        let mut next = u.word_i.e().slice(0, SCORE_BITS as usize);
        for score in u.scores.iter().rev() {
            rtl.register(score, 0).when(&shifts, next).without_reset();
            next = score.e();
        }
        rtl.section("round_shift(score * M, 15) in place of M");
        rtl.clock(&u.product.clock);
        rtl.assign(&u.product.a_i, u.scores[0].e().zext(multiplier));
        rtl.assign(&u.product.b_i, u.word_i.e().slice(0, multiplier));
        let is_factor = rtl.delay_data(&u.mantissa_i, &u.is_factor);
        let word = rtl.delay_data(&u.word_i, &u.words);
        // A score is below 1, so that the factor has no more bits than the mantissa.
        let factor = round_shift(&u.product.product_o.e(), SCORE_BITS as usize).slice(0, multiplier);
        rtl.register(&u.word_o, 0).without_reset().set(mux(is_factor, factor.sext(bits), word));
        u
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn mantissas_become_factors(
            (lanes, membrane_bits) in (1usize..=8, 12u32..=24),
            of_lane in prop::collection::vec((0i64..1 << SCORE_BITS, any::<i16>(), any::<u32>()), 8),
        ) {
            let arch = ArchConfig { rows: 8, cols: 8, lanes, membrane_bits, ..ArchConfig::default() };
            let mut unit = Bench::new(Factor::new(&arch), |unit| &unit.clock);
            let mask = (1u64 << arch.parameter_bits()) - 1;
            let extremes = [((1 << SCORE_BITS) - 1, i16::MIN, 0), ((1 << SCORE_BITS) - 1, i16::MAX, 1), (0, i16::MIN, 2)];
            let of_lane: Vec<_> = extremes.into_iter().chain(of_lane).take(lanes).collect();
            // (word, is a score, is a mantissa), and what comes of it.
            let scores = of_lane.iter().map(|(score, ..)| ((*score as u64, 1, 0), *score as u64));
            let parameters = of_lane.iter().flat_map(|(score, mantissa, other)| {
                let factor = (score * i64::from(*mantissa) + (1 << (SCORE_BITS - 1))) >> SCORE_BITS;
                let (word, other) = (*mantissa as i64 as u64 & mask, u64::from(*other) & mask);
                [((word, 0, 1), factor as u64 & mask), ((other, 0, 0), other)]
            });
            let words: Vec<_> = scores.chain(parameters).collect();
            for cycle in 0..words.len() + FACTOR_DELAY {
                let ((word, score, mantissa), _) = words.get(cycle).copied().unwrap_or_default();
                unit.word_i.set(word);
                unit.score_i.set(score);
                unit.mantissa_i.set(mantissa);
                unit.tick();
                if let Some((_, expected)) = (cycle + 1).checked_sub(FACTOR_DELAY).and_then(|at| words.get(at)) {
                    prop_assert_eq!(unit.word_o.get(), *expected);
                }
            }
        }
    }
}
