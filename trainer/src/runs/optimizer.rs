//! Stochastic gradient descent with momentum.

use crate::{Float, Model};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Weights that a core takes at a time.
const CHUNK: usize = 1 << 14;

/// Settings of [`Sgd`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SgdConfig {
    /// Share of the last step that is repeated, 0 for none.
    pub momentum: f64,
    /// Whether to look ahead (Nesterov).
    pub nesterov: bool,
    /// Added to the gradient as this share of the weight; not for normalisation, leaks and thresholds.
    pub weight_decay: f64,
}

/// `u = momentum u + g`, `w -= rate (g + momentum u)` with Nesterov's look-ahead, else `w -= rate u`.
#[derive(Debug)]
pub struct Sgd<F> {
    config: SgdConfig,
    /// u of each parameter, in the order of the model's, each in its layer's order.
    pub(crate) velocity: Vec<Vec<F>>,
}

impl<F: Float> Sgd<F> {
    /// At rest.
    pub fn new(model: &Model<F>, config: SgdConfig) -> Self {
        let velocity = model.params().iter().map(|(_, p)| vec![F::zero(); p.value.len()]).collect();
        Sgd { config, velocity }
    }

    /// One step against the gradients at the given learning rate.
    pub fn step(&mut self, model: &mut Model<F>, rate: f64) {
        let (rate, momentum) = (F::of(rate), F::of(self.config.momentum));
        for (param, velocity) in model.params_mut().zip(&mut self.velocity) {
            let decay = F::of(if param.decay { self.config.weight_decay } else { 0.0 });
            let weights = param.value.par_chunks_mut(CHUNK).zip(param.grad.par_chunks(CHUNK));
            weights.zip(velocity.par_chunks_mut(CHUNK)).for_each(|((weights, grads), velocity)| {
                for ((w, g), u) in weights.iter_mut().zip(grads).zip(velocity) {
                    let g = *g + decay * *w;
                    *u = momentum * *u + g;
                    *w -= rate * if self.config.nesterov { g + momentum * *u } else { *u };
                }
            });
        }
    }
}
