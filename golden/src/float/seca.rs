//! Channel attention (Eq. 9).

use ndarray::{Array4, ArrayView4, Axis, s};

/// Every channel times its score, `sigmoid(sum over k of weight[k] * Sign(mean of channel c + k - K/2))`.
pub fn seca(x: ArrayView4<f64>, weight: &[f64]) -> Array4<f64> {
    let mut y = x.to_owned();
    let half = weight.len() / 2;
    for (mut y, x) in y.outer_iter_mut().zip(x.outer_iter()) {
        let mean = |c: usize| x.index_axis(Axis(0), c).mean().unwrap_or(0.0);
        let signs: Vec<f64> = (0..x.dim().0).map(|c| if mean(c) >= 0.0 { 1.0 } else { -1.0 }).collect();
        for c in 0..signs.len() {
            let seen = |k: usize| (c + k).checked_sub(half).and_then(|at| signs.get(at)).unwrap_or(&0.0);
            let sum: f64 = weight.iter().enumerate().map(|(k, w)| w * seen(k)).sum();
            y.slice_mut(s![c, .., ..]).mapv_inplace(|value| value / (1.0 + (-sum).exp()));
        }
    }
    y
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;

    #[test]
    fn scores_see_neighbours_and_zeros_beyond_the_ends() {
        // Means 0.5, 0 (whose sign is +1), -2.
        let x = Array4::from_shape_vec((1, 3, 1, 2), vec![2.0, -1.0, 3.0, -3.0, -4.0, 0.0]).unwrap();
        let y = seca(x.view(), &[0.5, 1.0, -2.0]);
        let score = |sum: f64| 1.0 / (1.0 + f64::exp(-sum));
        let scores = [score(1.0 - 2.0), score(0.5 + 1.0 + 2.0), score(0.5 - 1.0)];
        let expected =
            [2.0 * scores[0], -scores[0], 3.0 * scores[1], -3.0 * scores[1], -4.0 * scores[2], 0.0];
        for (y, expected) in y.iter().zip(expected) {
            assert_abs_diff_eq!(*y, expected, epsilon = 1e-15);
        }
    }
}
