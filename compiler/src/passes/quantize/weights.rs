//! Odd integers that stand for weights.

use crate::draft::Conv;
use empf_ir::WeightKind;
use empf_ir::formats::{LOGIT_BITS, MAX_WEIGHT};
use ndarray::{ArrayView, Axis, Dimension};

/// Weights of one scale.
pub(super) struct Integers {
    pub(super) codes: Vec<i32>,
    /// Weight of the integer 1.
    pub(super) step: f64,
}

impl Integers {
    /// The odd integer nearest to each weight / `step`; where `step` is 0, so are the weights, and any will do.
    pub(super) fn new<D: Dimension>(weights: ArrayView<f64, D>, step: f64) -> Self {
        let odd = |w: &f64| match step > 0.0 {
            true => (2 * (w / (2.0 * step)).floor() as i32 + 1).clamp(-MAX_WEIGHT, MAX_WEIGHT),
            false => 1,
        };
        Integers { codes: weights.iter().map(odd).collect(), step }
    }

    /// Sum of the integers, each times the zero point of the channel that it meets; channels follow each other.
    pub(super) fn of_zeros(&self, zero_points: &[f64]) -> f64 {
        let of_channel = self.codes.len() / zero_points.len().max(1);
        let sum = |codes: &[i32]| codes.iter().copied().map(f64::from).sum::<f64>();
        let channels = self.codes.chunks(of_channel.max(1)).zip(zero_points);
        channels.map(|(codes, zero)| sum(codes) * zero).sum()
    }
}

/// The weights of each output channel.
pub(super) fn channel_weights(conv: &Conv) -> Vec<Integers> {
    let step = |channel: ArrayView<f64, _>| match conv.weights {
        WeightKind::Sign => Integers { codes: channel.iter().map(|w| *w as i32).collect(), step: 1.0 },
        WeightKind::Float => Integers::new(channel, weight_step(channel)),
    };
    conv.weight.axis_iter(Axis(0)).map(step).collect()
}

/// Weight of the integer 1 where the largest weight is [`MAX_WEIGHT`].
pub(super) fn weight_step<D: Dimension>(weights: ArrayView<f64, D>) -> f64 {
    magnitude(weights) / f64::from(MAX_WEIGHT)
}

/// Logits' unit for weights of 0, which become +-1 all the same: the biases take all bits but one.
pub(super) fn negligible_step(bias: &[f64]) -> f64 {
    let largest = magnitude(ArrayView::from(bias));
    let largest = if largest > 0.0 { largest } else { 1.0 };
    largest / f64::from(LOGIT_BITS - 2).exp2()
}

pub(super) fn magnitude<D: Dimension>(values: ArrayView<f64, D>) -> f64 {
    values.iter().fold(0.0, |largest, v| largest.max(v.abs()))
}
