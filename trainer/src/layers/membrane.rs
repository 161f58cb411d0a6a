//! Batch normalisation of the membrane potential (version II, Eq. 6) and its removal for deployment.

use crate::layers::batch_norm::{Affine, Normalisation, Running};
use crate::layers::parallel::{ForEachImage, channel_sums};
use crate::layers::param::Param;
use crate::{Float, Tensor};
use rayon::prelude::*;

/// `mh = alpha[t] m + beta[t] BN_t(m)`, `BN_t(m) = gamma[t] (m - mean) / sqrt(var + eps) + b[t]`.
///
/// Starts at `alpha = 1`, `beta = 0`, which is version I. Parameters are `[T, C]` or `[T, 1]`.
#[derive(Debug)]
pub struct MembraneNorm<F> {
    /// Share of the potential itself.
    pub alpha: Param<F>,
    /// Share of the normalised potential.
    pub beta: Param<F>,
    /// Gain of the normalisation.
    pub gamma: Param<F>,
    /// Offset of the normalisation.
    pub b: Param<F>,
    /// Of each time-step.
    pub running: Running<F>,
}

/// Whose moments normalise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistics {
    /// The batch's own; they also enter the running ones.
    Batch,
    /// The running ones.
    Running,
}

/// What a time-step leaves for the backward pass.
#[derive(Clone, Debug, Default)]
pub struct Membrane<F> {
    /// m\[t\], before normalisation.
    pub potential: Tensor<F>,
    norm: Normalisation<F>,
}

impl<F: Float> MembraneNorm<F> {
    /// For parameters of `shape`.
    pub fn new(shape: Vec<usize>, channels: usize, eps: f64) -> Self {
        let filled = |value| Param::filled(shape.clone(), value);
        MembraneNorm {
            alpha: filled(1.0),
            beta: filled(0.0),
            gamma: filled(1.0),
            b: filled(0.0),
            running: Running::new(channels, shape[0], eps),
        }
    }

    /// `(g, o)` of each channel with `mh = g m + o`, for the potentials in `membrane`.
    pub(crate) fn normalise(
        &mut self,
        t: usize,
        statistics: Statistics,
        membrane: &mut Membrane<F>,
    ) -> (Vec<F>, Vec<F>) {
        let c = membrane.potential.extents.channels;
        let (gamma, b) = (self.gamma.at_step(t, c), self.b.at_step(t, c));
        membrane.norm = match statistics {
            Statistics::Batch => self.running.observe(&membrane.potential, t..t + 1, &gamma, &b),
            Statistics::Running => self.running.recall(t, &gamma, &b),
        };
        let affine = &membrane.norm.affine;
        let (alpha, beta) = (self.alpha.at_step(t, c), self.beta.at_step(t, c));
        let gain = alpha.iter().zip(&beta).zip(&affine.scale).map(|((a, b), scale)| *a + *b * *scale);
        let offset = beta.iter().zip(&affine.shift).map(|(b, shift)| *b * *shift);
        (gain.collect(), offset.collect())
    }

    /// Turns `grad` from `dL/dmh` into `dL/dm` and adds the gradients of the parameters.
    pub(crate) fn backward(&mut self, t: usize, membrane: &Membrane<F>, grad: &mut [F]) {
        let (m, norm) = (&membrane.potential, &membrane.norm);
        let (size, c) = (m.extents.image(), m.extents.channels);
        let (alpha, beta) = (self.alpha.at_step(t, c), self.beta.at_step(t, c));
        let Affine { scale, shift } = &norm.affine;
        let [dalpha, dbeta, db, sum_gx] = channel_sums(m.extents.images, c, |i, acc: &mut [F]| {
            let [dalpha, dbeta, db, sum_gx] = quarters(acc, c);
            let rows = m.data[i * size..][..size].chunks_exact(c);
            for (m, d) in rows.zip(grad[i * size..][..size].chunks_exact(c)) {
                let sums = dalpha.iter_mut().zip(&mut *dbeta).zip(db.iter_mut().zip(&mut *sum_gx));
                let channels = scale.iter().zip(shift).zip(beta.iter().zip(&norm.mean));
                for (((m, d), ((da, dbe), (db, gx))), ((scale, shift), (beta, mean))) in
                    m.iter().zip(d).zip(sums).zip(channels)
                {
                    let g = *d * *beta;
                    *da += *d * *m;
                    *dbe += *d * (*m * *scale + *shift);
                    *db += g;
                    *gx += g * (*m - *mean);
                }
            }
        });
        let [slope, offset] = norm.input_slope(m.extents, &db, &sum_gx);
        grad.par_chunks_mut(size).zip(m.data.par_chunks(size)).for_each_image(|(d, m)| {
            for (d, m) in d.chunks_exact_mut(c).zip(m.chunks_exact(c)) {
                let of_batch = slope.iter().zip(&offset).zip(&norm.mean);
                let channels = alpha.iter().zip(&beta).zip(scale).zip(of_batch);
                for ((d, m), (((alpha, beta), scale), ((slope, offset), mean))) in
                    d.iter_mut().zip(m).zip(channels)
                {
                    let through_norm = *scale * (*d * *beta) + *slope * (*m - *mean) + *offset;
                    *d = *d * *alpha + through_norm;
                }
            }
        });
        let dgamma = norm.gain_gradient(&sum_gx);
        let params = [&mut self.alpha, &mut self.beta, &mut self.gamma, &mut self.b];
        for (param, sums) in params.into_iter().zip([dalpha, dbeta, dgamma, db]) {
            param.add_at_step(t, &sums);
        }
    }
}

/// Four runs of `c` elements.
fn quarters<F>(sums: &mut [F], c: usize) -> [&mut [F]; 4] {
    let (first, second) = sums.split_at_mut(2 * c);
    let ((a, b), (c, d)) = (first.split_at_mut(c), second.split_at_mut(c));
    [a, b, c, d]
}

/// A version II neuron of one channel and time-step with running statistics.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(missing_docs, reason = "the symbols of Eq. 6")]
pub struct MembraneStep {
    pub lambda: f64,
    pub theta: f64,
    pub alpha: f64,
    pub beta: f64,
    pub gamma: f64,
    pub b: f64,
    pub mean: f64,
    pub var: f64,
    pub eps: f64,
}

/// The same neuron as version I with a gain and an offset:
/// `m' = lambda' v + gain I`, `s = relu(m' - theta')`, `v = min(m', theta') - offset`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reparameterized {
    /// g, folded into the current.
    pub gain: f64,
    /// lambda' = g lambda.
    pub lambda: f64,
    /// theta' = theta + c.
    pub theta: f64,
    /// c.
    pub offset: f64,
}

/// Removes the membrane normalisation (Eq. 7 and 8, with the sign that follows from Eq. 6: b is added by the
/// normalisation, so it is subtracted here).
pub fn reparameterize(step: &MembraneStep) -> Reparameterized {
    let scale = step.gamma / (step.var + step.eps).sqrt();
    let gain = step.alpha + step.beta * scale;
    let offset = step.beta * (scale * step.mean - step.b);
    Reparameterized { gain, lambda: gain * step.lambda, theta: step.theta + offset, offset }
}
