//! Batch normalisation, with the statistics of each time-step.

use crate::parallel::{channel_sums, per_image};
use crate::param::Param;
use crate::{Extents, Float, Tensor};
use rayon::prelude::*;
use std::ops::Range;

/// Share of a batch's statistics in the running ones.
const MOMENTUM: f64 = 0.1;

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

/// What a time-step leaves for the backward pass, and the affine form of the normalisation.
#[derive(Clone, Debug, Default)]
pub struct Normalisation<F> {
    mean: Vec<F>,
    inv_std: Vec<F>,
    /// The normalisation as a scale and a shift.
    pub affine: Affine<F>,
}

/// `y = gamma (x - mean) / sqrt(var + eps) + bias`; `gamma` and `bias` serve all time-steps.
#[derive(Debug)]
pub struct BatchNorm<F> {
    /// `[C]`.
    pub gamma: Param<F>,
    /// `[C]`.
    pub bias: Param<F>,
    /// Running means, `[T, C]`.
    pub mean: Vec<F>,
    /// Running variances, `[T, C]`.
    pub var: Vec<F>,
    eps: f64,
}

/// Mean and (biased) variance of each channel over images and positions.
pub(crate) fn channel_moments<F: Float>(x: &Tensor<F>) -> (Vec<f64>, Vec<f64>) {
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
    (mean, var)
}

impl<F: Float> BatchNorm<F> {
    /// For `channels` channels and `time_steps` time-steps.
    pub fn new(channels: usize, time_steps: usize, eps: f64) -> Self {
        BatchNorm {
            gamma: Param::filled(vec![channels], 1.0),
            bias: Param::filled(vec![channels], 0.0),
            mean: vec![F::zero(); time_steps * channels],
            var: vec![F::one(); time_steps * channels],
            eps,
        }
    }

    fn channels(&self) -> usize {
        self.gamma.value.len()
    }

    /// Normalisation by the batch's own statistics, which also enter the running ones of `steps` (more
    /// than one where the same maps are seen at several time-steps).
    pub fn observe(&mut self, x: &Tensor<F>, steps: Range<usize>) -> Normalisation<F> {
        let c = self.channels();
        let (mean, var) = channel_moments(x);
        let count = (x.extents.images * x.extents.positions()) as f64;
        let unbiased = count / (count - 1.0).max(1.0);
        for t in steps {
            let rows = self.mean[t * c..][..c].iter_mut().zip(&mut self.var[t * c..][..c]);
            for (((m, v), mean), var) in rows.zip(&mean).zip(&var) {
                *m += F::of(MOMENTUM * (mean - m.f64()));
                *v += F::of(MOMENTUM * (var * unbiased - v.f64()));
            }
        }
        self.normalisation(&mean, &var)
    }

    /// Normalisation by the running statistics of time-step `t`.
    pub fn recall(&self, t: usize) -> Normalisation<F> {
        let c = self.channels();
        let row = |v: &[F]| v[t * c..][..c].iter().map(|x| x.f64()).collect::<Vec<f64>>();
        self.normalisation(&row(&self.mean), &row(&self.var))
    }

    fn normalisation(&self, mean: &[f64], var: &[f64]) -> Normalisation<F> {
        let inv_std: Vec<f64> = var.iter().map(|v| 1.0 / (v + self.eps).sqrt()).collect();
        let scale: Vec<f64> = self.gamma.value.iter().zip(&inv_std).map(|(g, s)| g.f64() * s).collect();
        let shift = (self.bias.value.iter()).zip(mean).zip(&scale).map(|((b, m), s)| F::of(b.f64() - m * s));
        Normalisation {
            mean: mean.iter().map(|m| F::of(*m)).collect(),
            affine: Affine { shift: shift.collect(), scale: scale.into_iter().map(F::of).collect() },
            inv_std: inv_std.into_iter().map(F::of).collect(),
        }
    }

    /// `y` for the given normalisation.
    pub fn apply(&self, norm: &Normalisation<F>, x: &Tensor<F>, y: &mut Tensor<F>) {
        y.resize(x.extents);
        let (size, c) = (x.extents.image(), self.channels());
        let Affine { scale, shift } = &norm.affine;
        y.data.par_chunks_mut(size).zip(x.data.par_chunks(size)).for_each(|(y, x)| {
            for (y, x) in y.chunks_exact_mut(c).zip(x.chunks_exact(c)) {
                for (((y, x), a), b) in y.iter_mut().zip(x).zip(scale).zip(shift) {
                    *y = *x * *a + *b;
                }
            }
        });
    }

    /// Adds `dL/dgamma` and `dL/dbias` and writes `dL/dx` to `grad_in`, through the batch statistics;
    /// adds to `grad_in` when `accumulate`.
    pub fn backward(
        &mut self,
        norm: &Normalisation<F>,
        x: &Tensor<F>,
        grad_out: &Tensor<F>,
        grad_in: &mut Tensor<F>,
        accumulate: bool,
    ) {
        let (size, c) = (x.extents.image(), self.channels());
        let (mean, inv_std) = (&norm.mean, &norm.inv_std);
        let sums = channel_sums(x.extents.images, c, 2, |i, acc: &mut [F]| {
            let (sum_g, sum_gx) = acc.split_at_mut(c);
            let rows = x.data[i * size..][..size].chunks_exact(c);
            for (x, g) in rows.zip(grad_out.data[i * size..][..size].chunks_exact(c)) {
                for ((((s, sx), g), x), m) in sum_g.iter_mut().zip(&mut *sum_gx).zip(g).zip(x).zip(mean) {
                    *s += *g;
                    *sx += *g * (*x - *m);
                }
            }
        });
        let count = (x.extents.images * x.extents.positions()) as f64;
        for ch in 0..c {
            self.bias.grad[ch] += F::of(sums[0][ch]);
            self.gamma.grad[ch] += F::of(sums[1][ch] * inv_std[ch].f64());
        }
        // dx = scale (g - mean(g) - xhat mean(g xhat)) = scale g + slope (x - mean) + offset
        let scale = &norm.affine.scale;
        let per_channel = |f: &dyn Fn(usize) -> f64| (0..c).map(|ch| F::of(f(ch))).collect::<Vec<F>>();
        let slope =
            per_channel(&|ch| -scale[ch].f64() * inv_std[ch].f64() * inv_std[ch].f64() * sums[1][ch] / count);
        let offset = per_channel(&|ch| -scale[ch].f64() * sums[0][ch] / count);
        grad_in.resize(x.extents);
        let images = grad_in.data.par_chunks_mut(size).zip(x.data.par_chunks(size));
        images.zip(grad_out.data.par_chunks(size)).for_each(|((dx, x), g)| {
            for ((dx, x), g) in dx.chunks_exact_mut(c).zip(x.chunks_exact(c)).zip(g.chunks_exact(c)) {
                let channels = scale.iter().zip(&slope).zip(&offset).zip(mean);
                for (((dx, x), g), (((a, b), o), m)) in dx.iter_mut().zip(x).zip(g).zip(channels) {
                    let d = *a * *g + *b * (*x - *m) + *o;
                    *dx = if accumulate { *dx + d } else { d };
                }
            }
        });
    }
}
