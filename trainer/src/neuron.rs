//! EM-PF neurons, versions I and III (Eq. 3), with online and full-through-time gradients (Eq. 4, 5).

use crate::batch_norm::Affine;
use crate::parallel::channel_sums_mut;
use crate::param::Param;
use crate::{Float, Tensor};
use empf_ir::NeuronVersion;
use rayon::prelude::*;

/// Leak that version I starts from.
const INITIAL_LEAK: f64 = 0.5;
/// Threshold that every version starts from, in standard deviations of a normalised current.
const INITIAL_THRESHOLD: f64 = 0.25;

/// The neuron's input: `I[t] = x * scale[c] + shift[c]`. A batch normalisation in front of a neuron is
/// applied here, so its result is never written to memory.
#[derive(Clone, Copy)]
pub struct Current<'a, F> {
    /// The maps in memory.
    pub x: &'a Tensor<F>,
    /// Absent: `I[t] = x`.
    pub affine: Option<&'a Affine<F>>,
}

/// Residual potentials around a time-step; empty in version III.
#[derive(Clone, Debug, Default)]
pub struct Potential<F> {
    /// `v[t-1]`.
    pub before: Vec<F>,
    /// `v[t]`.
    pub after: Vec<F>,
}

impl<F: Float> Potential<F> {
    /// Makes `v[0] = 0` the potential that the next step starts from.
    pub fn reset(&mut self, elements: usize) {
        self.after.clear();
        self.after.resize(elements, F::zero());
        self.before.resize(elements, F::zero());
    }

    /// Lets the next step start where this one ended.
    pub fn advance(&mut self) {
        std::mem::swap(&mut self.before, &mut self.after);
    }
}

/// Where a neuron's backward pass writes.
pub struct CurrentGradient<'a, F> {
    /// `dL/dI[t]`.
    pub grad: &'a mut Tensor<F>,
    /// Whether to add to what is there.
    pub accumulate: bool,
    /// Full-through-time only: holds `dL/dv[t]` on entry and `dL/dv[t-1]` on return.
    pub carry: Option<&'a mut Vec<F>>,
}

/// EM-PF neuron: `m = lambda[t] v + I`, `s = relu(m - theta[t])`, `v = m - s`.
#[derive(Debug)]
pub struct Neuron<F> {
    /// `[T, C]` or `[T, 1]`; absent in version III.
    pub lambda: Option<Param<F>>,
    /// `[T, C]` or `[T, 1]`.
    pub theta: Param<F>,
    channels: usize,
    identity: Affine<F>,
}

impl<F: Float> Neuron<F> {
    /// With one leak and threshold a channel, or one a layer where `layer_wide`.
    pub fn new(version: NeuronVersion, time_steps: usize, channels: usize, layer_wide: bool) -> Self {
        let shape = vec![time_steps, if layer_wide { 1 } else { channels }];
        let leak = || Param::filled(shape.clone(), INITIAL_LEAK);
        Neuron {
            lambda: (version != NeuronVersion::III).then(leak),
            theta: Param::filled(shape, INITIAL_THRESHOLD),
            channels,
            identity: Affine::identity(channels),
        }
    }

    /// A parameter's values at time-step `t`, one a channel.
    fn at(&self, param: &Param<F>, t: usize) -> Vec<F> {
        let width = param.shape[1];
        let row = &param.value[t * width..][..width];
        if width == self.channels { row.to_vec() } else { vec![row[0]; self.channels] }
    }

    /// Writes the spikes of time-step `t`. In version I `potential.before` is read, `after` written.
    pub fn forward(
        &self,
        t: usize,
        current: Current<'_, F>,
        potential: &mut Potential<F>,
        spikes: &mut Tensor<F>,
    ) {
        spikes.resize(current.x.extents);
        let (size, c) = (current.x.extents.image(), self.channels);
        let Affine { scale, shift } = current.affine.unwrap_or(&self.identity);
        let theta = self.at(&self.theta, t);
        let images = spikes.data.par_chunks_mut(size).zip(current.x.data.par_chunks(size));
        let Some(lambda) = &self.lambda else {
            images.for_each(|(s, x)| {
                for (s, x) in s.chunks_exact_mut(c).zip(x.chunks_exact(c)) {
                    let channels = scale.iter().zip(shift).zip(&theta);
                    for ((s, x), ((a, b), theta)) in s.iter_mut().zip(x).zip(channels) {
                        *s = (*x * *a + *b - *theta).max(F::zero());
                    }
                }
            });
            return;
        };
        let lambda = self.at(lambda, t);
        let potentials = potential.before.par_chunks(size).zip(potential.after.par_chunks_mut(size));
        images.zip(potentials).for_each(|((s, x), (before, after))| {
            let potentials = before.chunks_exact(c).zip(after.chunks_exact_mut(c));
            for ((s, x), (before, after)) in s.chunks_exact_mut(c).zip(x.chunks_exact(c)).zip(potentials) {
                let channels = scale.iter().zip(shift).zip(&lambda).zip(&theta);
                let neurons = s.iter_mut().zip(x).zip(before).zip(after).zip(channels);
                for ((((s, x), before), after), (((a, b), lambda), theta)) in neurons {
                    let m = *lambda * *before + (*x * *a + *b);
                    let v = if m >= *theta { *theta } else { m };
                    *s = m - v;
                    *after = v;
                }
            }
        });
    }

    /// Adds `dL/dlambda[t]` and `dL/dtheta[t]` and writes `dL/dI[t]`, given `upstream = dL/ds[t]`.
    ///
    /// Online, `v[t-1]` is a constant: `dL/dm = dL/ds 1{m >= theta}`, `dL/dlambda = dL/dm v[t-1]`,
    /// `dL/dtheta = -dL/ds 1{m >= theta}`. Full through time, `v[t] = m[t] - s[t]` adds `dL/dv[t]` to
    /// `dL/dm` and subtracts it from `dL/ds`.
    pub fn backward(
        &mut self,
        t: usize,
        current: Current<'_, F>,
        potential: &Potential<F>,
        upstream: &Tensor<F>,
        to: CurrentGradient<'_, F>,
    ) {
        let CurrentGradient { grad, accumulate, carry } = to;
        grad.resize(current.x.extents);
        let (size, c) = (grad.extents.image(), self.channels);
        let theta = self.at(&self.theta, t);
        let put = |d: &mut F, value: F| *d = if accumulate { *d + value } else { value };
        let image = |data: &[F], i: usize| -> std::ops::Range<usize> {
            debug_assert!(data.len() >= (i + 1) * size);
            i * size..(i + 1) * size
        };
        let Some(lambda) = &self.lambda else {
            let Affine { scale, shift } = current.affine.unwrap_or(&self.identity);
            let sums = channel_sums_mut(&mut grad.data, size, c, 1, |i, d, dtheta| {
                let x = current.x.data[image(&current.x.data, i)].chunks_exact(c);
                let up = upstream.data[image(&upstream.data, i)].chunks_exact(c);
                for ((d, x), up) in d.chunks_exact_mut(c).zip(x).zip(up) {
                    let channels = scale.iter().zip(shift).zip(&theta).zip(&mut *dtheta);
                    for (((d, x), up), (((a, b), theta), dtheta)) in d.iter_mut().zip(x).zip(up).zip(channels)
                    {
                        let g = if *x * *a + *b - *theta >= F::zero() { *up } else { F::zero() };
                        put(d, g);
                        *dtheta -= g;
                    }
                }
            });
            add_to_step(&mut self.theta, t, &sums[0]);
            return;
        };
        let leak = self.at(lambda, t);
        let sums = match carry {
            None => channel_sums_mut(&mut grad.data, size, c, 2, |i, d, acc| {
                let (dtheta, dlambda) = acc.split_at_mut(c);
                let before = potential.before[image(&potential.before, i)].chunks_exact(c);
                let after = potential.after[image(&potential.after, i)].chunks_exact(c);
                let up = upstream.data[image(&upstream.data, i)].chunks_exact(c);
                for (((d, before), after), up) in d.chunks_exact_mut(c).zip(before).zip(after).zip(up) {
                    let channels = theta.iter().zip(&mut *dtheta).zip(&mut *dlambda);
                    let neurons = d.iter_mut().zip(before).zip(after).zip(up).zip(channels);
                    for ((((d, before), after), up), ((theta, dtheta), dlambda)) in neurons {
                        let g = if *after >= *theta { *up } else { F::zero() };
                        put(d, g);
                        *dtheta -= g;
                        *dlambda += g * *before;
                    }
                }
            }),
            Some(carry) => {
                let sums = through_time(&theta, potential, upstream, carry, size);
                for ((d, carry), ch) in grad.data.iter_mut().zip(carry.iter_mut()).zip((0..c).cycle()) {
                    put(d, *carry);
                    *carry *= leak[ch];
                }
                sums
            }
        };
        add_to_step(&mut self.theta, t, &sums[0]);
        if let Some(lambda) = &mut self.lambda {
            add_to_step(lambda, t, &sums[1]);
        }
    }
}

/// Turns `carry` from `dL/dv[t]` into `dL/dm[t]`; sums of `dL/dtheta` and `dL/dlambda`.
fn through_time<F: Float>(
    theta: &[F],
    potential: &Potential<F>,
    upstream: &Tensor<F>,
    carry: &mut [F],
    size: usize,
) -> Vec<Vec<f64>> {
    let c = theta.len();
    channel_sums_mut(carry, size, c, 2, |i, carry, acc| {
        let (dtheta, dlambda) = acc.split_at_mut(c);
        for (j, dv) in carry.iter_mut().enumerate() {
            let (at, ch) = (i * size + j, j % c);
            let fires = potential.after[at] >= theta[ch];
            let through_spike = if fires { upstream.data[at] - *dv } else { F::zero() };
            *dv += through_spike;
            dtheta[ch] -= through_spike;
            dlambda[ch] += *dv * potential.before[at];
        }
    })
}

/// Adds channel sums to the gradient of a `[T, C]` or `[T, 1]` parameter at time-step `t`.
fn add_to_step<F: Float>(param: &mut Param<F>, t: usize, sums: &[f64]) {
    let width = param.shape[1];
    for (ch, sum) in sums.iter().enumerate() {
        param.grad[t * width + ch % width] += F::of(*sum);
    }
}
