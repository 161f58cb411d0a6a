//! Accumulators to currents.

use crate::round::round_shift;

/// `sat_V(round_shift(acc * M, shift) + B)`, M and B `[T, C]`.
#[derive(Debug)]
pub(crate) struct Requantizer {
    pub(crate) mantissa: Vec<i32>,
    pub(crate) bias: Vec<i32>,
    pub(crate) channels: usize,
    pub(crate) shift: u32,
}

impl Requantizer {
    /// Currents of all time-steps, `[t, position, channel]`, from sums of as many frames, or of a static
    /// input's only one, which serves each of them.
    pub(crate) fn apply(&self, acc: &[i32], currents: &mut [i32], steps: usize, (low, high): (i64, i64)) {
        let (c, size) = (self.channels, currents.len() / steps);
        for (t, currents) in currents.chunks_exact_mut(size).enumerate() {
            let (mantissa, bias) = (&self.mantissa[t * c..][..c], &self.bias[t * c..][..c]);
            let frame = t.min(acc.len() / size - 1);
            let acc = &acc[frame * size..][..size];
            for (currents, acc) in currents.chunks_exact_mut(c).zip(acc.chunks_exact(c)) {
                let channels = mantissa.iter().zip(bias);
                for ((current, acc), (m, b)) in currents.iter_mut().zip(acc).zip(channels) {
                    let product = i64::from(*acc) * i64::from(*m);
                    *current = (round_shift(product, self.shift) + i64::from(*b)).clamp(low, high) as i32;
                }
            }
        }
    }
}
