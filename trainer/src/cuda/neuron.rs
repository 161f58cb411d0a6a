//! EM-PF neurons (Eq. 3 and 6), with online and full-through-time gradients.

use super::buffer::{Buffer, Maps, Target, View};
use super::device::Device;
use super::grid::Chunk;
use super::kernels;
use super::norm::{MembraneNorm, Moments, Norm};
use super::norm_view::Current;
use super::param::{Param, add_to_gradient};
use super::pointer::Pointer;
use crate::Float;
use crate::error::Result;

/// Residual potentials around a time-step; empty in version III.
#[derive(Debug)]
pub(super) struct Potential<F> {
    /// `v[t-1]`.
    pub(super) before: Buffer<F>,
    /// `v[t]`.
    pub(super) after: Buffer<F>,
    /// Version II: m\[t\], before normalisation.
    membrane: Maps<F>,
    norm: Norm<F>,
}

impl<F> Default for Potential<F> {
    fn default() -> Self {
        Potential {
            before: Buffer::default(),
            after: Buffer::default(),
            membrane: Maps::default(),
            norm: Norm::default(),
        }
    }
}

impl<F: Float> Potential<F> {
    /// Lets the next step start at `v = 0`.
    pub(super) fn start(&mut self, device: &Device<F>, elements: usize) -> Result<()> {
        self.before.zeros(device, elements)?;
        self.after.resize(device, elements)?;
        Ok(())
    }

    /// Lets the next step start where this one ended.
    pub(super) fn advance(&mut self, device: &Device<F>, elements: usize) -> Result<()> {
        std::mem::swap(&mut self.before, &mut self.after);
        self.after.resize(device, elements)?;
        Ok(())
    }
}

/// Where a neuron's backward pass writes.
#[derive(Debug)]
pub(super) struct CurrentGradient<F> {
    /// `dL/dI[t]`.
    pub(super) to: Target<F>,
    /// Full-through-time only: holds `dL/dv[t]`, and then `dL/dv[t-1]`.
    pub(super) carry: Option<Pointer<F>>,
}

/// `m = lambda[t] v + I`, in version II normalised, `s = relu(m - theta[t])`, `v = m - s`.
#[derive(Debug)]
pub(super) struct Neuron<F> {
    /// Absent in version III.
    pub(super) lambda: Option<Param<F>>,
    pub(super) theta: Param<F>,
    /// Version II only.
    pub(super) membrane: Option<MembraneNorm<F>>,
    /// dL/dm of a step, kept for its memory alone.
    pub(super) gradient: Buffer<F>,
}

impl<F: Float> Neuron<F> {
    /// Writes the spikes of time-step `t`. `moments` matter to version II alone.
    pub(super) fn forward(
        &mut self,
        device: &mut Device<F>,
        t: usize,
        current: Current<F>,
        moments: Moments,
        potential: &mut Potential<F>,
        spikes: View<F>,
    ) -> Result<()> {
        let chunk = Chunk::of(spikes.extents);
        let Param { value: theta, width, .. } = self.theta.at_step(t);
        let Some(lambda) = self.lambda else {
            return device.map(kernels::fire_parallel(), chunk, (current, theta, width, spikes.data));
        };
        let lambda = lambda.at_step(t).value;
        let (before, after) = (potential.before.address(), potential.after.address());
        let (current, leak) = match &mut self.membrane {
            None => (current, lambda),
            Some(norm) => {
                let m = potential.membrane.resize(device, spikes.extents)?;
                device.map(kernels::charge(), chunk, (current, lambda, width, before, m.data))?;
                (norm.normalise(device, t, m, moments, &mut potential.norm)?, Pointer::NULL)
            }
        };
        device.map(kernels::fire(), chunk, (current, leak, theta, width, before, after, spikes.data))
    }

    /// Adds the gradients of the parameters at time-step `t`, and writes `dL/dI[t]`, given `dL/ds[t]`.
    pub(super) fn backward(
        &mut self,
        device: &mut Device<F>,
        t: usize,
        current: Current<F>,
        potential: &Potential<F>,
        upstream: View<F>,
        CurrentGradient { to, carry }: CurrentGradient<F>,
    ) -> Result<()> {
        let (chunk, channels) = (Chunk::of(upstream.extents), upstream.extents.channels);
        let theta = self.theta.at_step(t);
        let (grad, accumulate) = (to.maps.data, i32::from(to.accumulate));
        let Some(lambda) = self.lambda.map(|p| p.at_step(t)) else {
            let [dtheta] = device.sum(
                kernels::fire_parallel_backward(),
                chunk,
                (current, theta.value, theta.width, upstream.data, grad, accumulate),
            )?;
            return add_to_gradient(device, dtheta, channels, theta);
        };
        let (before, after) = (potential.before.address(), potential.after.address());
        if self.membrane.is_none() && carry.is_none() {
            let [dtheta, dlambda] = device.sum(
                kernels::fire_backward(),
                chunk,
                (theta.value, theta.width, before, after, upstream.data, grad, accumulate),
            )?;
            add_to_gradient(device, dtheta, channels, theta)?;
            return add_to_gradient(device, dlambda, channels, lambda);
        }
        let d = match carry {
            Some(carry) => carry,
            None => self.gradient.zeros(device, upstream.extents.elements())?,
        };
        let [dtheta] = device.sum(
            kernels::spike_backward(),
            chunk,
            (theta.value, theta.width, after, upstream.data, d),
        )?;
        add_to_gradient(device, dtheta, channels, theta)?;
        if let Some(norm) = &mut self.membrane {
            norm.backward(device, t, potential.membrane.view(), &potential.norm, d)?;
        }
        let leak = if carry.is_some() { lambda.value } else { Pointer::NULL };
        let [dlambda] = device.sum(
            kernels::charge_backward(),
            chunk,
            (leak, lambda.width, before, d, grad, accumulate),
        )?;
        add_to_gradient(device, dlambda, channels, lambda)
    }
}
