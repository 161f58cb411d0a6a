//! Batch normalisation, with the statistics of each time-step.

use crate::layers::parallel::{ForEachImage, channel_sums, per_image};
use crate::layers::param::Param;
use crate::{Extents, Float, Tensor};
use rayon::prelude::*;
use std::ops::Range;

/// Share of a batch's statistics in the running ones.
pub(crate) const MOMENTUM: f64 = 0.1;

/// `x * scale[c] + shift[c]`.
#[derive(Clone, Debug, Default)]
pub struct Affine<F> {
    /// `[C]`.
    pub scale: Vec<F>,
    /// `[C]`.
    pub shift: Vec<F>,
}

impl<F: Float> Affine<F> {
    /// Scale 1, shift 0.
    pub fn identity(channels: usize) -> Self {
        Affine { scale: vec![F::one(); channels], shift: vec![F::zero(); channels] }
    }
}

/// A normalisation at one time-step: what the backward pass needs, and its affine form.
#[derive(Clone, Debug, Default)]
pub struct Normalisation<F> {
    pub(crate) mean: Vec<F>,
    inv_std: Vec<F>,
    /// Whether mean and variance are the batch's, so that gradients pass through them.
    of_batch: bool,
    /// The normalisation as a scale and a shift.
    pub affine: Affine<F>,
}

impl<F: Float> Normalisation<F> {
    /// By the given moments, `eps` added to the variance, with gain `gamma` and offset `bias`, `[C]` each.
    fn new(moments: &Moments, eps: f64, gamma: &[F], bias: &[F], of_batch: bool) -> Self {
        let inv_std: Vec<f64> = moments.var.iter().map(|v| 1.0 / (v + eps).sqrt()).collect();
        let scale: Vec<f64> = gamma.iter().zip(&inv_std).map(|(g, s)| g.f64() * s).collect();
        let terms = bias.iter().zip(&moments.mean).zip(&scale);
        let shift = terms.map(|((b, m), s)| F::of(b.f64() - m * s)).collect();
        Normalisation {
            mean: moments.mean.iter().map(|m| F::of(*m)).collect(),
            affine: Affine { shift, scale: scale.into_iter().map(F::of).collect() },
            inv_std: inv_std.into_iter().map(F::of).collect(),
            of_batch,
        }
    }

    /// `(slope, offset)` of each channel with `dL/dx = scale g + slope (x - mean) + offset`, given the sums of `g`
    /// and of `g (x - mean)`: `dL/dx = scale (g - mean(g) - xhat mean(g xhat))`.
    pub(crate) fn input_slope(&self, x: Extents, sum_g: &[f64], sum_gx: &[f64]) -> [Vec<F>; 2] {
        let Normalisation { inv_std, affine: Affine { scale, .. }, .. } = self;
        let share = if self.of_batch { 1.0 / (x.images * x.positions()) as f64 } else { 0.0 };
        let per_channel = |f: &dyn Fn(usize) -> f64| (0..scale.len()).map(|ch| F::of(f(ch))).collect();
        let slope = per_channel(&|ch| -scale[ch].f64() * inv_std[ch].f64().powi(2) * sum_gx[ch] * share);
        [slope, per_channel(&|ch| -scale[ch].f64() * sum_g[ch] * share)]
    }

    /// `dL/dgamma`, given the sum of `g (x - mean)`.
    pub(crate) fn gain_gradient(&self, sum_gx: &[f64]) -> Vec<f64> {
        sum_gx.iter().zip(&self.inv_std).map(|(s, inv)| s * inv.f64()).collect()
    }

    /// Writes `dL/dx` to `grad_in`, or adds it when `accumulate`; returns `dL/dgamma` and `dL/dbias`.
    pub fn backward(
        &self,
        x: &Tensor<F>,
        grad_out: &Tensor<F>,
        grad_in: &mut Tensor<F>,
        accumulate: bool,
    ) -> [Vec<f64>; 2] {
        let Normalisation { mean, affine: Affine { scale, .. }, .. } = self;
        let (size, c) = (x.extents.image(), mean.len());
        let [sum_g, sum_gx] = channel_sums(x.extents.images, c, |i, acc: &mut [F]| {
            let (sum_g, sum_gx) = acc.split_at_mut(c);
            let rows = x.data[i * size..][..size].chunks_exact(c);
            for (x, g) in rows.zip(grad_out.data[i * size..][..size].chunks_exact(c)) {
                for ((((s, sx), g), x), m) in sum_g.iter_mut().zip(&mut *sum_gx).zip(g).zip(x).zip(mean) {
                    *s += *g;
                    *sx += *g * (*x - *m);
                }
            }
        });
        let [slope, offset] = self.input_slope(x.extents, &sum_g, &sum_gx);
        grad_in.resize(x.extents);
        let images = grad_in.data.par_chunks_mut(size).zip(x.data.par_chunks(size));
        images.zip(grad_out.data.par_chunks(size)).for_each_image(|((dx, x), g)| {
            for ((dx, x), g) in dx.chunks_exact_mut(c).zip(x.chunks_exact(c)).zip(g.chunks_exact(c)) {
                let channels = scale.iter().zip(&slope).zip(&offset).zip(mean);
                for (((dx, x), g), (((a, b), o), m)) in dx.iter_mut().zip(x).zip(g).zip(channels) {
                    let d = *a * *g + *b * (*x - *m) + *o;
                    *dx = if accumulate { *dx + d } else { d };
                }
            }
        });
        [self.gain_gradient(&sum_gx), sum_g]
    }
}

/// Mean and (biased) variance of each channel.
struct Moments {
    mean: Vec<f64>,
    var: Vec<f64>,
}

/// Running moments, a row for each time-step.
#[derive(Debug)]
pub struct Running<F> {
    /// `[T, C]`.
    pub mean: Vec<F>,
    /// `[T, C]`.
    pub var: Vec<F>,
    channels: usize,
    pub(crate) eps: f64,
}

impl<F: Float> Running<F> {
    /// Mean 0 and variance 1.
    pub fn new(channels: usize, time_steps: usize, eps: f64) -> Self {
        let size = time_steps * channels;
        Running { mean: vec![F::zero(); size], var: vec![F::one(); size], channels, eps }
    }

    /// Normalisation of `x` by the batch's own moments, which also enter the running ones of `steps`
    /// (more than one where the same maps are seen at several time-steps).
    pub fn observe(
        &mut self,
        x: &Tensor<F>,
        steps: Range<usize>,
        gamma: &[F],
        bias: &[F],
    ) -> Normalisation<F> {
        let c = self.channels;
        let moments = channel_moments(x);
        let count = (x.extents.images * x.extents.positions()) as f64;
        let unbiased = count / (count - 1.0).max(1.0);
        for t in steps {
            let rows = self.mean[t * c..][..c].iter_mut().zip(&mut self.var[t * c..][..c]);
            for (((m, v), mean), var) in rows.zip(&moments.mean).zip(&moments.var) {
                *m += F::of(MOMENTUM * (mean - m.f64()));
                *v += F::of(MOMENTUM * (var * unbiased - v.f64()));
            }
        }
        Normalisation::new(&moments, self.eps, gamma, bias, true)
    }

    /// Normalisation by the running moments of time-step `t`.
    pub fn recall(&self, t: usize, gamma: &[F], bias: &[F]) -> Normalisation<F> {
        let row = |v: &[F]| v[t * self.channels..][..self.channels].iter().map(|x| x.f64()).collect();
        let moments = Moments { mean: row(&self.mean), var: row(&self.var) };
        Normalisation::new(&moments, self.eps, gamma, bias, false)
    }
}

/// `y = gamma (x - mean) / sqrt(var + eps) + bias`; `gamma` and `bias` serve all time-steps.
#[derive(Debug)]
pub struct BatchNorm<F> {
    /// `[C]`.
    pub gamma: Param<F>,
    /// `[C]`.
    pub bias: Param<F>,
    /// Of each time-step.
    pub running: Running<F>,
}

/// Mean and (biased) variance of each channel over images and positions.
fn channel_moments<F: Float>(x: &Tensor<F>) -> Moments {
    let Extents { images, channels, .. } = x.extents;
    let positions = x.extents.positions() as f64;
    let inv = F::of(1.0 / positions);
    let image = |i: usize| x.data[i * x.extents.image()..][..x.extents.image()].chunks_exact(channels);
    // Each image by itself, whose data stays in cache for the second pass.
    let moments = per_image(images, 2 * channels, |i, acc| {
        let (mean, spread) = acc.split_at_mut(channels);
        for row in image(i) {
            mean.iter_mut().zip(row).for_each(|(m, x)| *m += *x);
        }
        mean.iter_mut().for_each(|m| *m *= inv);
        for row in image(i) {
            for ((s, x), m) in spread.iter_mut().zip(row).zip(mean.iter()) {
                let d = *x - *m;
                *s += d * d;
            }
        }
    });
    let over_images = |f: &dyn Fn(&[F]) -> f64| moments.iter().map(|m| f(m)).sum::<f64>() / images as f64;
    let mean: Vec<f64> = (0..channels).map(|c| over_images(&|m| m[c].f64())).collect();
    let between = |c: usize| over_images(&|m| (m[c].f64() - mean[c]).powi(2));
    let within = |c: usize| over_images(&|m| m[channels + c].f64()) / positions;
    let var = (0..channels).map(|c| within(c) + between(c)).collect();
    Moments { mean, var }
}

impl<F: Float> BatchNorm<F> {
    /// For `channels` channels and `time_steps` time-steps.
    pub fn new(channels: usize, time_steps: usize, eps: f64) -> Self {
        BatchNorm {
            gamma: Param::filled(vec![channels], 1.0),
            bias: Param::filled(vec![channels], 0.0),
            running: Running::new(channels, time_steps, eps),
        }
    }

    /// See [`Running::observe`].
    pub fn observe(&mut self, x: &Tensor<F>, steps: Range<usize>) -> Normalisation<F> {
        self.running.observe(x, steps, &self.gamma.value, &self.bias.value)
    }

    /// See [`Running::recall`].
    pub fn recall(&self, t: usize) -> Normalisation<F> {
        self.running.recall(t, &self.gamma.value, &self.bias.value)
    }

    /// `y` for the given normalisation.
    pub fn apply(&self, norm: &Normalisation<F>, x: &Tensor<F>, y: &mut Tensor<F>) {
        y.resize(x.extents);
        let (size, c) = (x.extents.image(), x.extents.channels);
        let Affine { scale, shift } = &norm.affine;
        y.data.par_chunks_mut(size).zip(x.data.par_chunks(size)).for_each_image(|(y, x)| {
            for (y, x) in y.chunks_exact_mut(c).zip(x.chunks_exact(c)) {
                for (((y, x), a), b) in y.iter_mut().zip(x).zip(scale).zip(shift) {
                    *y = *x * *a + *b;
                }
            }
        });
    }

    /// Adds `dL/dgamma` and `dL/dbias`; `dL/dx` as by [`Normalisation::backward`].
    pub fn backward(
        &mut self,
        norm: &Normalisation<F>,
        x: &Tensor<F>,
        grad_out: &Tensor<F>,
        grad_in: &mut Tensor<F>,
        accumulate: bool,
    ) {
        let [gamma, bias] = norm.backward(x, grad_out, grad_in, accumulate);
        for (param, grad) in [(&mut self.gamma, gamma), (&mut self.bias, bias)] {
            param.grad.iter_mut().zip(grad).for_each(|(sum, g)| *sum += F::of(g));
        }
    }
}
