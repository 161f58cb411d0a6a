//! Linear layer: codes to logits, summed over the frames.

use ndarray::{ArrayView2, ArrayView4};

/// `sum over frames and features of weight * code + bias`, exact. Features are `[channel][y][x]`, last
/// fastest; `weight` is `[out, features]`.
pub fn linear(codes: ArrayView4<i32>, weight: ArrayView2<i32>, bias: &[i32]) -> Vec<i64> {
    let mut logits: Vec<i64> = bias.iter().copied().map(i64::from).collect();
    for frame in codes.outer_iter() {
        for (logit, row) in logits.iter_mut().zip(weight.outer_iter()) {
            *logit += frame.iter().zip(&row).map(|(c, w)| i64::from(*c) * i64::from(*w)).sum::<i64>();
        }
    }
    logits
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array4, array};

    #[test]
    fn sums_over_frames() {
        let codes = Array4::from_shape_vec((2, 2, 1, 2), vec![1, 2, 3, 4, 0, 1, 0, 5]).unwrap();
        let weight = array![[1, -1, 3, 5], [-255, 255, 1, 1]];
        let logits = linear(codes.view(), weight.view(), &[10, -7]);
        assert_eq!(logits, [10 + (1 - 2 + 9 + 20) + (-1 + 25), -7 + (255 + 7) + (255 + 5)]);
    }
}
