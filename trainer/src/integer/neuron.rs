//! Currents to spike codes.

use super::round_shift;
use empf_ir::quant::LEAK_FRACTION_BITS;

/// A layer of neurons; parameters `[T, C]`.
#[derive(Debug)]
pub(super) struct Neurons {
    pub(super) lambda: Vec<i32>,
    pub(super) theta: Vec<i32>,
    pub(super) offset: Vec<i32>,
    pub(super) channels: usize,
    pub(super) parallel: bool,
    pub(super) shift: u32,
}

impl Neurons {
    /// Spikes of all `steps` for currents `[t, position, channel]`.
    pub(super) fn apply(
        &self,
        current: &[i32],
        steps: usize,
        (low, high): (i64, i64),
        max_code: i64,
    ) -> Vec<i32> {
        let (c, size) = (self.channels, current.len() / steps);
        let mut potential = vec![0i64; size];
        let mut spikes = Vec::with_capacity(current.len());
        for (t, current) in current.chunks_exact(size).enumerate() {
            let row = |tensor: &Vec<i32>| tensor[t * c..][..c].to_vec();
            let (lambda, theta, offset) = (row(&self.lambda), row(&self.theta), row(&self.offset));
            for (current, potential) in current.chunks_exact(c).zip(potential.chunks_exact_mut(c)) {
                let channels = lambda.iter().zip(&theta).zip(&offset);
                for ((current, v), ((lambda, theta), offset)) in current.iter().zip(potential).zip(channels) {
                    let leak = round_shift(i64::from(*lambda) * *v, LEAK_FRACTION_BITS);
                    let m = (leak + i64::from(*current)).clamp(low, high);
                    let theta = i64::from(*theta);
                    spikes.push(round_shift((m - theta).max(0), self.shift).clamp(0, max_code) as i32);
                    if !self.parallel {
                        *v = (m.min(theta) - i64::from(*offset)).clamp(low, high);
                    }
                }
            }
        }
        spikes
    }
}
