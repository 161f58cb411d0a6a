//! Channel attention on currents (SECA, Eq. 9).

use crate::layers::conv::sign;
use crate::layers::parallel::{ForEachImage, per_image};
use crate::layers::param::{Layout, Param};
use crate::{Float, Tensor};
use rayon::prelude::*;

/// `y[c] = score[c] x[c]`, `score[c] = sigmoid(sum over k of w[k] Sign(mean[c + k - K/2]))`, for the mean of
/// each channel over its positions and zeros beyond the first and last channel.
///
/// SECA-II is this behind an addition: `SECA(I + BN(BConv(I)))`.
#[derive(Debug)]
pub struct Seca<F> {
    /// `[K]`, K odd.
    pub weight: Param<F>,
}

/// What a time-step leaves for the backward pass, `[image, channel]`.
#[derive(Clone, Debug, Default)]
pub struct Attention<F> {
    mean: Vec<F>,
    score: Vec<F>,
}

impl<F: Float> Seca<F> {
    /// With weights `value(k)` for `k` in `0..kernel`.
    pub fn new(kernel: usize, value: impl FnMut(usize) -> F) -> Self {
        let values = (0..kernel).map(value).collect();
        Seca { weight: Param::new(vec![kernel], values, true, Layout::Plain) }
    }

    /// Writes `y` and what the backward pass needs.
    pub fn forward(&self, x: &Tensor<F>, kept: &mut Attention<F>, y: &mut Tensor<F>) {
        y.resize(x.extents);
        let (size, c) = (x.extents.image(), x.extents.channels);
        let (kernel, share) = (self.weight.value.len(), F::of(1.0 / x.extents.positions() as f64));
        kept.mean = per_image(x.extents.images, c, |i, mean| {
            for row in x.data[i * size..][..size].chunks_exact(c) {
                mean.iter_mut().zip(row).for_each(|(m, x)| *m += *x);
            }
            mean.iter_mut().for_each(|m| *m *= share);
        })
        .concat();
        let score = |mean: &[F], channel| {
            let sum = seen(kernel, channel, c)
                .fold(F::zero(), |s, (k, at)| s + self.weight.value[k] * sign(mean[at]));
            F::one() / (F::one() + (-sum).exp())
        };
        let scores =
            kept.mean.chunks_exact(c).flat_map(|mean| (0..c).map(move |channel| score(mean, channel)));
        kept.score = scores.collect();
        let images = y.data.par_chunks_mut(size).zip(x.data.par_chunks(size));
        images.zip(kept.score.par_chunks(c)).for_each_image(|((y, x), score)| {
            for (y, x) in y.chunks_exact_mut(c).zip(x.chunks_exact(c)) {
                y.iter_mut().zip(x).zip(score).for_each(|((y, x), score)| *y = *x * *score);
            }
        });
    }

    /// Adds `dL/dw` and writes `dL/dx` to `grad_in`, adding when `accumulate`. The sign passes a gradient
    /// where `-1 <= mean <= 1` (clipped straight-through).
    pub fn backward(
        &mut self,
        kept: &Attention<F>,
        x: &Tensor<F>,
        grad_out: &Tensor<F>,
        grad_in: &mut Tensor<F>,
        accumulate: bool,
    ) {
        let (images, size, c) = (x.extents.images, x.extents.image(), x.extents.channels);
        let kernel = self.weight.value.len();
        // dL/d(sum) of each channel, the sigmoid's argument.
        let sums = per_image(images, c, |i, d: &mut [F]| {
            let rows = x.data[i * size..][..size].chunks_exact(c);
            for (x, g) in rows.zip(grad_out.data[i * size..][..size].chunks_exact(c)) {
                d.iter_mut().zip(x).zip(g).for_each(|((d, x), g)| *d += *x * *g);
            }
            let scores = kept.score[i * c..][..c].iter();
            d.iter_mut().zip(scores).for_each(|(d, s)| *d *= *s * (F::one() - *s));
        });
        let means = kept.mean.chunks_exact(c);
        let mut through_mean = vec![F::zero(); images * c];
        let share = F::of(1.0 / x.extents.positions() as f64);
        for ((d, mean), through) in sums.iter().zip(means).zip(through_mean.chunks_exact_mut(c)) {
            for (channel, d) in d.iter().enumerate() {
                for (k, at) in seen(kernel, channel, c) {
                    self.weight.grad[k] += *d * sign(mean[at]);
                    if mean[at].abs() <= F::one() {
                        through[at] += *d * self.weight.value[k] * share;
                    }
                }
            }
        }
        grad_in.resize(x.extents);
        let maps = grad_in.data.par_chunks_mut(size).zip(grad_out.data.par_chunks(size));
        let channels = kept.score.par_chunks(c).zip(through_mean.par_chunks(c));
        maps.zip(channels).for_each_image(|((dx, g), (score, through))| {
            for (dx, g) in dx.chunks_exact_mut(c).zip(g.chunks_exact(c)) {
                for (((dx, g), score), through) in dx.iter_mut().zip(g).zip(score).zip(through) {
                    let d = *g * *score + *through;
                    *dx = if accumulate { *dx + d } else { d };
                }
            }
        });
    }
}

/// Pairs of a tap and the channel that it sees for the score of channel `c`.
fn seen(kernel: usize, c: usize, channels: usize) -> impl Iterator<Item = (usize, usize)> {
    let pairs = (0..kernel).filter_map(move |k| Some((k, (c + k).checked_sub(kernel / 2)?)));
    pairs.filter(move |(_, at)| *at < channels)
}
