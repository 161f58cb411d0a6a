//! Proves that no accumulator and no logit can overflow.
//!
//! The accumulator is a sum of codes, each times a coefficient that grows from pass to pass (Horner's rule), so
//! for independent codes in `0..=maximum` the reachable interval after any weight tile is exact: every code of
//! a positive coefficient at its maximum and the others at 0, or the other way round.

use crate::digits;
use crate::plan::{ArrayWork, Plan, Weights, Work};
use crate::{Error, Result};
use empf_ir::formats::LOGIT_BITS;
use empf_ir::{ArchConfig, QuantNetwork};

/// Walks every output channel of every layer through all weight tiles; notes the bits that each layer needs.
pub fn prove(plan: &mut Plan, network: &QuantNetwork, arch: &ArchConfig) -> Result<()> {
    for stage in &mut plan.stages {
        let (Work::Array(work), Some(reads)) = (&mut stage.work, stage.reads) else { continue };
        let channels = plan.buffers[reads].shape.channels;
        let weights = Weights::new(network, work, channels)?;
        let biases = match work.neuron {
            None => Some(network.tensor(&work.layer, "bias")?),
            Some(_) => None,
        };
        let mut accumulator = Widest::default();
        let mut logit = Widest::default();
        for output in 0..work.output.channels {
            let (all, last) = walk(work, weights, output, channels, arch.rows);
            accumulator.meet(output, all);
            if let Some(biases) = biases {
                logit.meet(output, last.plus(biases[output].into()));
            }
        }
        let widths = [
            (
                accumulator,
                "the accumulator",
                arch.acc_bits,
                "raise acc_bits or use fewer input channels or a smaller kernel",
            ),
            (logit, "the logit", LOGIT_BITS, "use fewer features or time-steps"),
        ];
        for (widest, what, available, advice) in widths {
            if widest.bits > available {
                let (node, channel, needed) = (work.layer.clone(), widest.channel, widest.bits);
                return Err(Error::Overflow { node, what, channel, needed, available, advice });
            }
        }
        work.accumulator_bits = accumulator.bits;
    }
    Ok(())
}

/// Values that a sum can take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Interval {
    low: i64,
    high: i64,
}

impl Interval {
    fn plus(self, value: i64) -> Self {
        Interval { low: self.low + value, high: self.high + value }
    }

    /// Bits that hold every value, two's complement.
    fn bits(self) -> u32 {
        let of = |x: i64| 65 - if x < 0 { !x } else { x }.leading_zeros();
        of(self.low).max(of(self.high))
    }

    fn hull(self, other: Self) -> Self {
        Interval { low: self.low.min(other.low), high: self.high.max(other.high) }
    }
}

/// The output channel that needs the most bits.
#[derive(Clone, Copy, Default)]
struct Widest {
    channel: usize,
    bits: u32,
}

impl Widest {
    fn meet(&mut self, channel: usize, values: Interval) {
        if values.bits() > self.bits {
            *self = Widest { channel, bits: values.bits() };
        }
    }
}

/// Everything that is ever written to an accumulator of `output`, and what it holds at the end.
fn walk(
    work: &ArrayWork,
    weights: Weights,
    output: usize,
    channels: usize,
    rows: usize,
) -> (Interval, Interval) {
    let taps = work.window.taps();
    // Coefficient of every code: [plane][tap][channel].
    let mut coefficients = vec![0i64; work.plane_maxima.len() * taps * channels];
    let (mut all, mut now) = (Interval::default(), Interval::default());
    for pass in &work.passes {
        if pass.doubles {
            coefficients.iter_mut().for_each(|c| *c *= 2);
            now = Interval { low: 2 * now.low, high: 2 * now.high };
        }
        let maximum = work.plane_maxima[pass.plane as usize];
        let of_plane = &mut coefficients[pass.plane as usize * taps * channels..][..taps * channels];
        let mut growths = Vec::with_capacity(taps * channels.div_ceil(rows));
        for (tap, of_tap) in of_plane.chunks_mut(channels).enumerate() {
            for (block, of_block) in of_tap.chunks_mut(rows).enumerate() {
                let mut growth = Interval::default();
                for (i, c) in of_block.iter_mut().enumerate() {
                    let next =
                        *c + i64::from(digits::digit(weights.at(output, tap, block * rows + i), pass.digit));
                    growth.low += (next.min(0) - (*c).min(0)) * maximum;
                    growth.high += (next.max(0) - (*c).max(0)) * maximum;
                    *c = next;
                }
                growths.push(growth);
            }
        }
        // Each summed frame has codes of its own and meets the same weights.
        for growth in growths.iter().cycle().take(growths.len() * work.summed_frames) {
            now = Interval { low: now.low + growth.low, high: now.high + growth.high };
            all = all.hull(now);
        }
    }
    (all, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_of_intervals() {
        let bits = |low, high| Interval { low, high }.bits();
        assert_eq!(
            [bits(0, 0), bits(-1, 0), bits(0, 1), bits(-2, 1), bits(-3, 1), bits(0, 127), bits(0, 128)],
            [1, 1, 2, 2, 3, 8, 9]
        );
    }
}
