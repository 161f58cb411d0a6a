//! Proves that every accumulator and every logit ends with its exact value.
//!
//! Accumulators wrap, and all that happens to them - additions of sums, doublings between passes - is linear modulo
//! `2^n`. Whatever they hold in between, they end with the exact sum modulo `2^n`, which is the exact sum where that
//! fits n bits. Only the last value is ever read. It is a sum of codes times weights, so for independent codes in
//! `0..=maximum` the interval of its values is exact: every code of a positive weight at its maximum and the others
//! at 0, or the other way round. A logit is such a sum of each frame, and a bias.

use crate::plan::{Gives, Plan, Weights, Work};
use crate::{Error, Result};
use empf_ir::formats::LOGIT_BITS;
use empf_ir::{ArchConfig, QuantNetwork};

/// Sums up every output channel of every layer; notes the bits that each layer needs.
pub fn prove(plan: &mut Plan, network: &QuantNetwork, arch: &ArchConfig) -> Result<()> {
    for stage in &mut plan.stages {
        let (Work::Array(work), Some(reads)) = (&mut stage.work, stage.reads) else { continue };
        let Some(stream) = &work.stream else { continue };
        let channels = plan.buffers[reads].shape.channels;
        let weights = Weights::new(network, stream, channels)?;
        let of_shortcut = Weights::of_shortcut(network, work, &plan.buffers)?;
        let biases = match work.drain.gives {
            Gives::Logits => Some(network.tensor(&stream.layer, "bias")?),
            Gives::Spikes(_) | Gives::Kept(_) => None,
        };
        let mut accumulator = Widest::default();
        let mut logit = Widest::default();
        for output in 0..work.output.channels {
            let taps = [stream.window.taps(), channels];
            let sums = Interval::of_sums(weights, output, taps, stream.max_code);
            accumulator.meet(output, sums);
            if let Some((weights, taps)) = of_shortcut {
                accumulator.meet(output, Interval::of_sums(weights, output, taps, network.max_code().into()));
            }
            if let Some(biases) = biases {
                let of_frames = sums.times(stream.frames as i64);
                logit.meet(output, of_frames.plus(biases[output].into()));
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
                let (node, channel, needed) = (stream.layer.clone(), widest.channel, widest.bits);
                return Err(Error::Overflow { node, what, channel, needed, available, advice });
            }
        }
        if let Some(stream) = &mut work.stream {
            stream.accumulator_bits = accumulator.bits;
        }
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
    /// What the accumulators of `output` can end with, over so many taps and channels of codes up to `largest`.
    fn of_sums(weights: Weights, output: usize, [taps, channels]: [usize; 2], largest: i64) -> Self {
        let mut sums = Interval::default();
        for (tap, channel) in (0..taps).flat_map(|tap| (0..channels).map(move |c| (tap, c))) {
            let weight = i64::from(weights.at(output, tap, channel));
            sums.low += weight.min(0) * largest;
            sums.high += weight.max(0) * largest;
        }
        sums
    }

    /// Sums of so many frames, each of which has codes of its own.
    fn times(self, frames: i64) -> Self {
        Interval { low: self.low * frames, high: self.high * frames }
    }

    fn plus(self, value: i64) -> Self {
        Interval { low: self.low + value, high: self.high + value }
    }

    /// Bits that hold every value, two's complement.
    fn bits(self) -> u32 {
        let of = |x: i64| 65 - if x < 0 { !x } else { x }.leading_zeros();
        of(self.low).max(of(self.high))
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
