//! Accumulators to currents.

use super::round_shift;

/// `sat_V(round_shift(acc * M, shift) + B)`, M and B `[T, C]`.
#[derive(Debug)]
pub(super) struct Requantizer {
    pub(super) mantissa: Vec<i32>,
    pub(super) bias: Vec<i32>,
    pub(super) channels: usize,
    pub(super) shift: u32,
}

impl Requantizer {
    /// Currents of all `steps`; a static input's single frame of accumulators serves each of them.
    pub(super) fn apply(&self, acc: &[Vec<i32>], steps: usize, (low, high): (i64, i64)) -> Vec<i32> {
        let c = self.channels;
        let frame = |t: usize| {
            let (mantissa, bias) = (&self.mantissa[t * c..][..c], &self.bias[t * c..][..c]);
            let acc = &acc[t.min(acc.len() - 1)];
            acc.chunks_exact(c).flat_map(move |acc| {
                acc.iter().zip(mantissa).zip(bias).map(move |((acc, m), b)| {
                    let product = i64::from(*acc) * i64::from(*m);
                    (round_shift(product, self.shift) + i64::from(*b)).clamp(low, high) as i32
                })
            })
        };
        (0..steps).flat_map(frame).collect()
    }
}
