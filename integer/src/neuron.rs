//! Currents to spike codes.

use crate::round::round_shift;
use empf_ir::formats::LEAK_FRACTION_BITS;

/// A layer of neurons; parameters `[T, C]`.
#[derive(Debug)]
pub(crate) struct Neurons {
    pub(crate) lambda: Vec<i32>,
    pub(crate) theta: Vec<i32>,
    pub(crate) offset: Vec<i32>,
    pub(crate) channels: usize,
    pub(crate) shift: u32,
}

impl Neurons {
    /// Spikes of all time-steps for currents `[t, position, channel]`.
    pub(crate) fn apply(
        &self,
        current: &[i32],
        spikes: &mut [i32],
        steps: usize,
        (low, high): (i64, i64),
        max_code: i64,
    ) {
        let (c, size) = (self.channels, current.len() / steps);
        let mut potential = vec![0i64; size];
        let frames = current.chunks_exact(size).zip(spikes.chunks_exact_mut(size));
        for (t, (current, spikes)) in frames.enumerate() {
            let row = |tensor| &Vec::as_slice(tensor)[t * c..][..c];
            let (lambda, theta, offset) = (row(&self.lambda), row(&self.theta), row(&self.offset));
            let maps = current.chunks_exact(c).zip(spikes.chunks_exact_mut(c));
            for ((current, spikes), potential) in maps.zip(potential.chunks_exact_mut(c)) {
                let channels = lambda.iter().zip(theta).zip(offset);
                let neurons = current.iter().zip(spikes).zip(potential).zip(channels);
                for (((current, spike), v), ((lambda, theta), offset)) in neurons {
                    let leak = round_shift(i64::from(*lambda) * *v, LEAK_FRACTION_BITS);
                    let m = (leak + i64::from(*current)).clamp(low, high);
                    let theta = i64::from(*theta);
                    *spike = round_shift((m - theta).max(0), self.shift).min(max_code) as i32;
                    // A parallel neuron's leak is 0: what is kept here, it never sees.
                    *v = (m.min(theta) - i64::from(*offset)).clamp(low, high);
                }
            }
        }
    }
}
