//! What a batch is to answer: a distribution over the classes for each image.

use crate::{Float, Tensor};

/// Rows of `classes` shares: `1 - smoothing` for the label, the rest spread evenly over all classes.
pub(crate) fn smoothed<F: Float>(labels: &[usize], classes: usize, smoothing: f64) -> Vec<F> {
    let rest = smoothing / classes as f64;
    let mut targets = vec![F::of(rest); labels.len() * classes];
    for (row, label) in targets.chunks_exact_mut(classes).zip(labels) {
        row[*label] = F::of(1.0 - smoothing + rest);
    }
    targets
}

/// Makes image `i` of each frame, and its target, `share` of itself and the rest of image `partners[i]`
/// (mixup). `partners` has as many elements as there are images.
pub(crate) fn mix<F: Float>(frames: &mut [Tensor<F>], targets: &mut [F], share: f64, partners: &[usize]) {
    for frame in frames {
        mix_rows(&mut frame.data, share, partners);
    }
    mix_rows(targets, share, partners);
}

fn mix_rows<F: Float>(rows: &mut [F], share: f64, partners: &[usize]) {
    let (before, size) = (rows.to_vec(), rows.len() / partners.len());
    let (own, rest) = (F::of(share), F::of(1.0 - share));
    for (row, partner) in rows.chunks_exact_mut(size).zip(partners) {
        let other = &before[partner * size..][..size];
        row.iter_mut().zip(other).for_each(|(x, other)| *x = own * *x + rest * *other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Extents;

    #[test]
    fn smoothing_keeps_distributions() {
        assert_eq!(smoothed::<f64>(&[1, 0], 2, 0.0), [0.0, 1.0, 1.0, 0.0]);
        assert_eq!(smoothed::<f64>(&[2], 4, 0.5), [0.125, 0.125, 0.625, 0.125]);
    }

    #[test]
    fn images_and_targets_are_mixed_alike() {
        let extents = Extents { images: 3, height: 1, width: 2, channels: 1 };
        let mut frames = [Tensor { extents, data: vec![0.0, 4.0, 8.0, 12.0, 16.0, 20.0] }];
        let mut targets = smoothed::<f64>(&[0, 1, 1], 2, 0.0);
        mix(&mut frames, &mut targets, 0.75, &[1, 2, 2]);
        assert_eq!(frames[0].data, [2.0, 6.0, 10.0, 14.0, 16.0, 20.0]);
        assert_eq!(targets, [0.75, 0.25, 0.0, 1.0, 0.0, 1.0]);
    }
}
