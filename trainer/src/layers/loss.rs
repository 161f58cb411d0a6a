//! Cross entropy.

use crate::{Float, Tensor};

/// Mean cross entropy of `softmax(logits)` against `targets`, times `weight`; writes its gradient. Both have
/// one row of classes an image; a row of targets is a distribution.
pub(crate) fn cross_entropy<F: Float>(
    logits: &Tensor<F>,
    targets: &[F],
    weight: f64,
    grad: &mut Tensor<F>,
) -> f64 {
    grad.resize(logits.extents);
    let classes = logits.extents.channels;
    let share = weight / logits.extents.images as f64;
    let mut loss = 0.0;
    let rows = logits.data.chunks_exact(classes).zip(grad.data.chunks_exact_mut(classes));
    for ((row, grad), targets) in rows.zip(targets.chunks_exact(classes)) {
        let top = row.iter().fold(f64::NEG_INFINITY, |top, x| top.max(x.f64()));
        let sum: f64 = row.iter().map(|x| (x.f64() - top).exp()).sum();
        for ((g, x), target) in grad.iter_mut().zip(row).zip(targets) {
            loss -= target.f64() * (x.f64() - top - sum.ln());
            *g = F::of(share * ((x.f64() - top).exp() / sum - target.f64()));
        }
    }
    share * loss
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Extents;
    use approx::assert_abs_diff_eq;

    #[test]
    fn gradient_is_the_difference_quotient() {
        let extents = Extents { images: 2, height: 1, width: 1, channels: 3 };
        let logits = Tensor { extents, data: vec![0.5, -1.0, 2.0, 0.0, 3.0, 1.0] };
        let targets = [0.1, 0.2, 0.7, 0.0, 1.0, 0.0];
        let loss = |logits: &Tensor<f64>| cross_entropy(logits, &targets, 0.5, &mut Tensor::default());
        let mut grad = Tensor::default();
        cross_entropy(&logits, &targets, 0.5, &mut grad);
        for i in 0..6 {
            let at = |delta: f64| {
                let mut logits = logits.clone();
                logits.data[i] += delta;
                loss(&logits)
            };
            let quotient = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert_abs_diff_eq!(grad.data[i], quotient, epsilon = 1e-9);
        }
        let of_second = -(3.0 - (1f64 + 3f64.exp() + 1f64.exp()).ln());
        let of_first: f64 = [0.5, -1.0, 2.0].iter().zip(targets).map(|(x, t)| -t * x).sum::<f64>()
            + (0.5f64.exp() + (-1f64).exp() + 2f64.exp()).ln();
        assert_abs_diff_eq!(loss(&logits), 0.25 * (of_first + of_second), epsilon = 1e-12);
    }
}
