//! EM-PF neurons (Eq. 3 and 6), with online and full-through-time gradients (Eq. 4, 5).

use crate::layers::batch_norm::Affine;
use crate::layers::membrane::{Membrane, MembraneNorm, Statistics};
use crate::layers::parallel::{ForEachImage, channel_sums_mut};
use crate::layers::param::Param;
use crate::{Float, Tensor};
use empf_ir::NeuronVersion;
use rayon::prelude::*;

/// Leak that versions I and II start from.
const INITIAL_LEAK: f64 = 0.5;
/// Threshold that every version starts from, in standard deviations of a normalised current.
const INITIAL_THRESHOLD: f64 = 0.25;

/// The neuron's input: `I[t] = x * scale[c] + shift[c]`. A batch normalisation in front of a neuron is
/// applied here, so its result is never written to memory.
#[derive(Clone, Copy, Debug)]
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
    /// Version II only.
    pub membrane: Membrane<F>,
}

impl<F: Float> Potential<F> {
    /// Makes `v[0] = 0` the potential that the next step starts from.
    pub fn reset(&mut self, elements: usize) {
        self.after.clear();
        self.after.resize(elements, F::zero());
    }

    /// Lets the next step start where this one ended.
    pub fn advance(&mut self) {
        std::mem::swap(&mut self.before, &mut self.after);
        self.after.resize(self.before.len(), F::zero());
    }
}

/// Where a neuron's backward pass writes.
#[derive(Debug)]
pub struct CurrentGradient<'a, F> {
    /// `dL/dI[t]`.
    pub grad: &'a mut Tensor<F>,
    /// Whether to add to what is there.
    pub accumulate: bool,
    /// Full-through-time only: holds `dL/dv[t]` on entry and `dL/dv[t-1]` on return.
    pub carry: Option<&'a mut Vec<F>>,
}

impl<F: Float> CurrentGradient<'_, F> {
    fn put(accumulate: bool, to: &mut F, value: F) {
        *to = if accumulate { *to + value } else { value };
    }
}

/// EM-PF neuron: `m = lambda[t] v + I`, in version II normalised, `s = relu(m - theta[t])`, `v = m - s`.
#[derive(Debug)]
pub struct Neuron<F> {
    /// `[T, C]` or `[T, 1]`; absent in version III.
    pub lambda: Option<Param<F>>,
    /// `[T, C]` or `[T, 1]`.
    pub theta: Param<F>,
    /// Version II only.
    pub membrane: Option<MembraneNorm<F>>,
    channels: usize,
    identity: Affine<F>,
    /// dL/dm of a step, kept for its memory alone.
    gradient: Vec<F>,
}

impl<F: Float> Neuron<F> {
    /// With one value of each parameter a channel, or one a layer where `layer_wide`. `eps` is added to
    /// the variances of version II.
    pub fn new(
        version: NeuronVersion,
        time_steps: usize,
        channels: usize,
        layer_wide: bool,
        eps: f64,
    ) -> Self {
        let shape = vec![time_steps, if layer_wide { 1 } else { channels }];
        Neuron {
            lambda: (version != NeuronVersion::III).then(|| Param::filled(shape.clone(), INITIAL_LEAK)),
            theta: Param::filled(shape.clone(), INITIAL_THRESHOLD),
            membrane: (version == NeuronVersion::II).then(|| MembraneNorm::new(shape, channels, eps)),
            channels,
            identity: Affine::identity(channels),
            gradient: vec![],
        }
    }

    /// Writes the spikes of time-step `t`; reads `potential.before` and writes `potential.after`, but in
    /// version III neither. `statistics` matter to version II alone.
    pub fn forward(
        &mut self,
        t: usize,
        current: Current<'_, F>,
        statistics: Statistics,
        potential: &mut Potential<F>,
        spikes: &mut Tensor<F>,
    ) {
        spikes.resize(current.x.extents);
        let Neuron { lambda, theta, membrane, channels, identity, .. } = self;
        let theta = theta.at_step(t, *channels);
        let affine = current.affine.unwrap_or(identity);
        let Some(lambda) = lambda else {
            return fire_parallel(current.x, affine, &theta, spikes);
        };
        let lambda = lambda.at_step(t, *channels);
        let Potential { before, after, membrane: kept } = potential;
        let Some(norm) = membrane else {
            return fire(current.x, affine, &lambda, &theta, before, after, spikes);
        };
        charge(current.x, affine, &lambda, before, &mut kept.potential);
        let (scale, shift) = norm.normalise(t, statistics, kept);
        // The leak is in the membrane potential already; the rest is version I without one.
        let no_leak = vec![F::zero(); *channels];
        fire(&kept.potential, &Affine { scale, shift }, &no_leak, &theta, before, after, spikes);
    }

    /// Adds `dL/dlambda[t]`, `dL/dtheta[t]` and version II's other gradients, and writes `dL/dI[t]`, given
    /// `upstream = dL/ds[t]`.
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
        to.grad.resize(current.x.extents);
        if self.lambda.is_none() {
            self.backward_parallel(t, current, upstream, to);
        } else if self.membrane.is_none() && to.carry.is_none() {
            self.backward_online(t, potential, upstream, to);
        } else {
            self.backward_membrane(t, potential, upstream, to);
        }
    }

    fn backward_parallel(
        &mut self,
        t: usize,
        current: Current<'_, F>,
        upstream: &Tensor<F>,
        to: CurrentGradient<'_, F>,
    ) {
        let (size, c) = (upstream.extents.image(), self.channels);
        let theta = self.theta.at_step(t, c);
        let Affine { scale, shift } = current.affine.unwrap_or(&self.identity);
        let [dtheta] = channel_sums_mut(&mut to.grad.data, size, c, |i, d, dtheta| {
            let x = current.x.data[i * size..][..size].chunks_exact(c);
            let up = upstream.data[i * size..][..size].chunks_exact(c);
            for ((d, x), up) in d.chunks_exact_mut(c).zip(x).zip(up) {
                let channels = scale.iter().zip(shift).zip(&theta).zip(&mut *dtheta);
                for (((d, x), up), (((a, b), theta), dtheta)) in d.iter_mut().zip(x).zip(up).zip(channels) {
                    let g = gate(*x * *a + *b - *theta >= F::zero(), *up);
                    CurrentGradient::put(to.accumulate, d, g);
                    *dtheta -= g;
                }
            }
        });
        self.theta.add_at_step(t, &dtheta);
    }

    /// Version I online, in one pass over memory. A neuron fired exactly where `v[t]` is its threshold.
    fn backward_online(
        &mut self,
        t: usize,
        potential: &Potential<F>,
        upstream: &Tensor<F>,
        to: CurrentGradient<'_, F>,
    ) {
        let (size, c) = (upstream.extents.image(), self.channels);
        let theta = self.theta.at_step(t, c);
        let [dtheta, dlambda] = channel_sums_mut(&mut to.grad.data, size, c, |i, d, acc| {
            let (dtheta, dlambda) = acc.split_at_mut(c);
            let before = potential.before[i * size..][..size].chunks_exact(c);
            let after = potential.after[i * size..][..size].chunks_exact(c);
            let up = upstream.data[i * size..][..size].chunks_exact(c);
            for (((d, before), after), up) in d.chunks_exact_mut(c).zip(before).zip(after).zip(up) {
                let channels = theta.iter().zip(&mut *dtheta).zip(&mut *dlambda);
                let neurons = d.iter_mut().zip(before).zip(after).zip(up).zip(channels);
                for ((((d, before), after), up), ((theta, dtheta), dlambda)) in neurons {
                    let g = gate(*after >= *theta, *up);
                    CurrentGradient::put(to.accumulate, d, g);
                    *dtheta -= g;
                    *dlambda += g * *before;
                }
            }
        });
        self.theta.add_at_step(t, &dtheta);
        if let Some(lambda) = &mut self.lambda {
            lambda.add_at_step(t, &dlambda);
        }
    }

    /// Version II, and both versions through time: the gradient of the potential is made first.
    fn backward_membrane(
        &mut self,
        t: usize,
        potential: &Potential<F>,
        upstream: &Tensor<F>,
        to: CurrentGradient<'_, F>,
    ) {
        let (size, c) = (upstream.extents.image(), self.channels);
        let theta = self.theta.at_step(t, c);
        let through_time = to.carry.is_some();
        let d = to.carry.unwrap_or(&mut self.gradient);
        if !through_time {
            d.clear();
            d.resize(upstream.data.len(), F::zero());
        }
        let [dtheta] = channel_sums_mut(d, size, c, |i, d, dtheta| {
            let after = potential.after[i * size..][..size].chunks_exact(c);
            let up = upstream.data[i * size..][..size].chunks_exact(c);
            for ((d, after), up) in d.chunks_exact_mut(c).zip(after).zip(up) {
                let channels = theta.iter().zip(&mut *dtheta);
                for (((dv, after), up), (theta, dtheta)) in d.iter_mut().zip(after).zip(up).zip(channels) {
                    let through_spike = gate(*after >= *theta, *up - *dv);
                    *dv += through_spike;
                    *dtheta -= through_spike;
                }
            }
        });
        self.theta.add_at_step(t, &dtheta);
        if let Some(norm) = &mut self.membrane {
            norm.backward(t, &potential.membrane, d);
        }
        let [dlambda] = channel_sums_mut(&mut to.grad.data, size, c, |i, grad, dlambda| {
            let before = potential.before[i * size..][..size].chunks_exact(c);
            let d = d[i * size..][..size].chunks_exact(c);
            for ((grad, before), d) in grad.chunks_exact_mut(c).zip(before).zip(d) {
                for (((grad, before), d), dlambda) in grad.iter_mut().zip(before).zip(d).zip(&mut *dlambda) {
                    CurrentGradient::put(to.accumulate, grad, *d);
                    *dlambda += *d * *before;
                }
            }
        });
        if let Some(lambda) = &mut self.lambda {
            lambda.add_at_step(t, &dlambda);
            if through_time {
                let leak = lambda.at_step(t, c);
                d.par_chunks_mut(size).for_each_image(|image| {
                    for d in image.chunks_exact_mut(c) {
                        d.iter_mut().zip(&leak).for_each(|(d, leak)| *d *= *leak);
                    }
                });
            }
        }
    }
}

/// `gradient` where the neuron fires, else 0; without a branch, so that loops over neurons become vectors.
#[inline(always)]
fn gate<F: Float>(fires: bool, gradient: F) -> F {
    std::hint::select_unpredictable(fires, gradient, F::zero())
}

/// `s = relu(I - theta)`.
fn fire_parallel<F: Float>(x: &Tensor<F>, affine: &Affine<F>, theta: &[F], spikes: &mut Tensor<F>) {
    let (size, c) = (x.extents.image(), theta.len());
    spikes.data.par_chunks_mut(size).zip(x.data.par_chunks(size)).for_each_image(|(s, x)| {
        for (s, x) in s.chunks_exact_mut(c).zip(x.chunks_exact(c)) {
            let channels = affine.scale.iter().zip(&affine.shift).zip(theta);
            for ((s, x), ((a, b), theta)) in s.iter_mut().zip(x).zip(channels) {
                *s = (*x * *a + *b - *theta).max(F::zero());
            }
        }
    });
}

/// `m = lambda v[t-1] + I`, `v[t] = min(m, theta)`, `s = m - v[t]`.
fn fire<F: Float>(
    x: &Tensor<F>,
    affine: &Affine<F>,
    lambda: &[F],
    theta: &[F],
    before: &[F],
    after: &mut [F],
    spikes: &mut Tensor<F>,
) {
    let (size, c) = (x.extents.image(), theta.len());
    let images = spikes.data.par_chunks_mut(size).zip(x.data.par_chunks(size));
    let potentials = before.par_chunks(size).zip(after.par_chunks_mut(size));
    images.zip(potentials).for_each_image(|((s, x), (before, after))| {
        let potentials = before.chunks_exact(c).zip(after.chunks_exact_mut(c));
        for ((s, x), (before, after)) in s.chunks_exact_mut(c).zip(x.chunks_exact(c)).zip(potentials) {
            let channels = affine.scale.iter().zip(&affine.shift).zip(lambda).zip(theta);
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

/// `m = lambda v[t-1] + I`.
fn charge<F: Float>(x: &Tensor<F>, affine: &Affine<F>, lambda: &[F], before: &[F], membrane: &mut Tensor<F>) {
    membrane.resize(x.extents);
    let (size, c) = (x.extents.image(), lambda.len());
    let images = membrane.data.par_chunks_mut(size).zip(x.data.par_chunks(size));
    images.zip(before.par_chunks(size)).for_each_image(|((m, x), before)| {
        for ((m, x), before) in m.chunks_exact_mut(c).zip(x.chunks_exact(c)).zip(before.chunks_exact(c)) {
            let channels = affine.scale.iter().zip(&affine.shift).zip(lambda);
            for (((m, x), before), ((a, b), lambda)) in m.iter_mut().zip(x).zip(before).zip(channels) {
                *m = *lambda * *before + (*x * *a + *b);
            }
        }
    });
}
