//! Batch normalisation with running statistics.

use super::step::per_step;
use ndarray::{Array2, Array4, ArrayView4};

/// Statistics of each step, `[T, C]`, and one affine map for all of them, `[C]`.
pub(super) struct BatchNorm<'a> {
    pub(super) gamma: &'a [f32],
    pub(super) bias: &'a [f32],
    pub(super) mean: Array2<f64>,
    pub(super) var: Array2<f64>,
    pub(super) eps: f64,
}

/// `gamma * (x - mean[t]) / sqrt(var[t] + eps) + bias`, T frames.
pub(super) fn batch_norm(x: ArrayView4<f64>, p: &BatchNorm) -> Array4<f64> {
    per_step(x, p.mean.nrows(), |t, c, value| {
        let normal = (value - p.mean[[t, c]]) / (p.var[[t, c]] + p.eps).sqrt();
        f64::from(p.gamma[c]) * normal + f64::from(p.bias[c])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn each_step_has_its_statistics() {
        let p = BatchNorm {
            gamma: &[2.0],
            bias: &[1.0],
            mean: array![[3.0], [1.0]],
            var: array![[3.0], [8.0]],
            eps: 1.0,
        };
        let y = batch_norm(array![[[[7.0]]]].view(), &p);
        assert_eq!(y, array![[[[5.0]]], [[[5.0]]]]);
    }
}
