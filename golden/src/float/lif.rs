//! Leaky integrate-and-fire neuron with spikes of 0 and 1.

use super::step::frame;
use ndarray::{Array3, Array4, ArrayView4, Zip};

/// Spikes of `steps` steps: `m = leak v + I`, `s = 1` where `m >= threshold`, `v = m - threshold s`.
pub(super) fn lif(current: ArrayView4<f64>, steps: usize, leak: f64, threshold: f64) -> Array4<f64> {
    let (_, channels, height, width) = current.dim();
    let mut spikes = Array4::zeros((steps, channels, height, width));
    let mut potential = Array3::<f64>::zeros((channels, height, width));
    for (t, mut spikes) in spikes.outer_iter_mut().enumerate() {
        Zip::from(&mut spikes).and(&mut potential).and(&frame(current.view(), t)).for_each(|s, v, i| {
            let m = leak * *v + i;
            *s = if m >= threshold { 1.0 } else { 0.0 };
            *v = m - threshold * *s;
        });
    }
    spikes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integrates_fires_and_keeps_the_rest() {
        let current = Array4::from_shape_vec((4, 1, 1, 1), vec![0.75, 1.0, 0.75, -3.0]).unwrap();
        // m: 0.75; 0.375 + 1, which leaves 0.375; 0.1875 + 0.75; below.
        let spikes = lif(current.view(), 4, 0.5, 1.0);
        assert_eq!(spikes.into_raw_vec_and_offset().0, [0.0, 1.0, 0.0, 0.0]);
        let constant = Array4::from_elem((1, 1, 1, 1), 1.0);
        assert_eq!(lif(constant.view(), 3, 0.5, 1.0).into_raw_vec_and_offset().0, [1.0, 1.0, 1.0]);
    }
}
