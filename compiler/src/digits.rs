//! Integer weights as +-1 digit planes, and the passes that compute with them.

use crate::plan::DigitPass;
use empf_ir::formats::{MAX_WEIGHT, WEIGHT_DIGITS};

/// Passes of a layer: `digits` weight digits (`None`: the weights are +-1 themselves) over `planes` activation
/// planes of `act_bits` bits, in falling order of the exponent `digit + act_bits * plane`.
pub fn passes(digits: Option<u32>, planes: u32, act_bits: u32) -> Vec<DigitPass> {
    let digits: Vec<Option<u32>> = digits.map_or(vec![None], |n| (0..n).map(Some).collect());
    let exponent = |digit: Option<u32>, plane: u32| digit.unwrap_or(0) + act_bits * plane;
    let mut order: Vec<(u32, u32, Option<u32>)> = (0..planes)
        .flat_map(|plane| digits.iter().map(move |digit| (exponent(*digit, plane), plane, *digit)))
        .collect();
    order.sort_unstable_by(|a, b| b.cmp(a));
    let mut before = None;
    order
        .into_iter()
        .map(|(exponent, plane, digit)| {
            let doubles = before.replace(exponent).is_some_and(|before| before != exponent);
            DigitPass { digit, plane, doubles }
        })
        .collect()
}

/// Digits of a layer's weights: +-1 weights have digits only where codes are cut into planes, because the
/// passes over several planes must double one step at a time.
pub fn digits(sign: bool, planes: u32) -> Option<u32> {
    if sign && planes == 1 { None } else { Some(WEIGHT_DIGITS) }
}

/// `weight`'s digit: +1 or -1. `weight` is odd, -255..=255, or +-1 where there is no digit.
pub fn digit(weight: i32, digit: Option<u32>) -> i32 {
    let bit = match digit {
        Some(k) => ((weight + MAX_WEIGHT) / 2) >> k & 1 == 1,
        None => weight > 0,
    };
    if bit { 1 } else { -1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_sum_up_to_the_weight() {
        for weight in (-MAX_WEIGHT..=MAX_WEIGHT).step_by(2) {
            let sum: i32 = (0..WEIGHT_DIGITS).map(|k| digit(weight, Some(k)) << k).sum();
            assert_eq!(sum, weight);
        }
        assert_eq!([digit(1, None), digit(-1, None)], [1, -1]);
    }

    #[test]
    fn passes_compute_the_product() {
        for act_bits in 2..=8u32 {
            let planes = 8u32.div_ceil(act_bits);
            let passes = passes(Some(8), planes, act_bits);
            assert_eq!(passes.len() as u32, 8 * planes);
            assert!(passes.len() <= empf_ir::isa::MAX_PASSES as usize && !passes[0].doubles);
            for (weight, code) in [(255, 255), (-255, 255), (-1, 170), (77, 85), (3, 0)] {
                let mut acc = 0;
                for pass in &passes {
                    let part = code >> (act_bits * pass.plane) & ((1 << act_bits) - 1);
                    acc = if pass.doubles { 2 * acc } else { acc } + digit(weight, pass.digit) * part;
                }
                assert_eq!(acc, weight * code, "A = {act_bits}");
            }
        }
    }

    #[test]
    fn sign_weights_take_one_pass() {
        assert_eq!(passes(digits(true, 1), 1, 4), [DigitPass { digit: None, plane: 0, doubles: false }]);
        assert_eq!(passes(digits(true, 2), 2, 4).len(), 16);
    }
}
