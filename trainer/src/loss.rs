//! Cross entropy.

use crate::{Float, Tensor};

/// Mean cross entropy of `softmax(logits)` against `labels`, times `weight`; writes its gradient.
/// `logits`: one row of classes an image; every label is below the number of classes.
pub(crate) fn cross_entropy<F: Float>(
    logits: &Tensor<F>,
    labels: &[usize],
    weight: f64,
    grad: &mut Tensor<F>,
) -> f64 {
    grad.resize(logits.extents);
    let classes = logits.extents.channels;
    let share = weight / labels.len() as f64;
    let mut loss = 0.0;
    let rows = logits.data.chunks_exact(classes).zip(grad.data.chunks_exact_mut(classes));
    for ((row, grad), label) in rows.zip(labels) {
        let top = row.iter().fold(f64::NEG_INFINITY, |top, x| top.max(x.f64()));
        let sum: f64 = row.iter().map(|x| (x.f64() - top).exp()).sum();
        loss -= row[*label].f64() - top - sum.ln();
        for (class, (g, x)) in grad.iter_mut().zip(row).enumerate() {
            let hit = if class == *label { 1.0 } else { 0.0 };
            *g = F::of(share * ((x.f64() - top).exp() / sum - hit));
        }
    }
    share * loss
}
