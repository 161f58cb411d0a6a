//! What a batch gives to a model, and how it learns from it.

use crate::Tensor;

/// What a batch feeds to the network.
#[derive(Clone, Copy, Debug)]
pub enum Frames<'a, F> {
    /// The same images at every time-step.
    Static(&'a Tensor<F>),
    /// One batch of frames a time-step.
    PerStep(&'a [Tensor<F>]),
}

impl<'a, F> Frames<'a, F> {
    /// A single tensor is static.
    pub fn of(frames: &'a [Tensor<F>]) -> Self {
        match frames {
            [image] => Frames::Static(image),
            frames => Frames::PerStep(frames),
        }
    }

    pub(crate) fn at(self, t: usize) -> &'a Tensor<F> {
        match self {
            Frames::Static(x) => x,
            Frames::PerStep(frames) => &frames[t],
        }
    }
}

/// How gradients are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learning {
    /// Every time-step passes back by itself; memory does not grow with T.
    Online,
    /// Some time-steps pass back, the others only go forward.
    Random(Steps),
    /// Back through time; memory grows with T. The yardstick for the other two.
    ThroughTime,
}

/// What happens next in a training batch, in the tape's entry `at`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Action {
    /// Time-step `t` goes forward.
    Forward { t: usize, at: usize },
    /// It goes back, with this share of the loss.
    Backward { t: usize, at: usize, weight: f64 },
}

impl Learning {
    /// Time-steps that the tape holds at once, of `steps`.
    pub(crate) fn depth(self, steps: usize) -> usize {
        if self == Learning::ThroughTime { steps } else { 1 }
    }

    /// A batch of `steps` time-steps.
    pub(crate) fn actions(self, steps: usize) -> Vec<Action> {
        let forward = |t| Action::Forward { t, at: if self == Learning::ThroughTime { t } else { 0 } };
        let backward = |t, count: usize| Action::Backward { t, at: 0, weight: 1.0 / count as f64 };
        match self {
            Learning::Online => (0..steps).flat_map(|t| [forward(t), backward(t, steps)]).collect(),
            Learning::Random(chosen) => {
                let back = |t| chosen.contain(t).then(|| backward(t, chosen.count()));
                (0..steps).flat_map(|t| [Some(forward(t)), back(t)]).flatten().collect()
            }
            Learning::ThroughTime => {
                let back = |t| Action::Backward { t, at: t, weight: 1.0 / steps as f64 };
                (0..steps).map(forward).chain((0..steps).rev().map(back)).collect()
            }
        }
    }
}

/// Some of the time-steps of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// Bit t is step t; a network has at most 63.
    bits: u64,
}

impl Steps {
    /// Steps by number, counted from 0; numbers from 64 on are no time-steps of any network.
    pub fn of(steps: impl IntoIterator<Item = usize>) -> Self {
        let bit = |t: usize| u32::try_from(t).ok().and_then(|t| 1u64.checked_shl(t)).unwrap_or(1 << 63);
        Steps { bits: steps.into_iter().fold(0, |bits, t| bits | bit(t)) }
    }

    /// Whether step `t` is one of them.
    pub fn contain(self, t: usize) -> bool {
        t < 64 && self.bits >> t & 1 == 1
    }

    /// How many they are.
    pub fn count(self) -> usize {
        self.bits.count_ones() as usize
    }

    /// The last of them.
    pub(super) fn last(self) -> Option<usize> {
        self.bits.checked_ilog2().map(|t| t as usize)
    }
}

/// What a training batch gives besides gradients.
#[derive(Clone, Debug)]
pub struct Outcome<F> {
    /// Cross entropy: mean over the time-steps, or over the chosen ones.
    pub loss: f64,
    /// Logits of each time-step, `[images, classes]` each.
    pub logits: Vec<Tensor<F>>,
}
