//! Batch normalisation of currents and of membrane potentials.

use super::buffer::{Buffer, Target, View};
use super::device::Device;
use super::grid::{Chunk, Grid};
use super::kernels;
use super::norm_view::{Current, Gains, NormView};
use super::param::{Param, add_to_gradient};
use super::pointer::Pointer;
use crate::error::Result;
use crate::layers::batch_norm::MOMENTUM;
use crate::{Extents, Float};
use std::ops::Range;

/// What a normalisation leaves for the backward pass.
#[derive(Debug)]
pub(super) struct Norm<F> {
    values: Buffer<F>,
    channels: usize,
    /// Whether mean and variance are the batch's, so that gradients pass through them.
    of_batch: bool,
}

impl<F> Default for Norm<F> {
    fn default() -> Self {
        Norm { values: Buffer::default(), channels: 0, of_batch: false }
    }
}

impl<F: Float> Norm<F> {
    fn resize(&mut self, device: &Device<F>, channels: usize, of_batch: bool) -> Result<NormView<F>> {
        self.values.resize(device, 4 * channels)?;
        (self.channels, self.of_batch) = (channels, of_batch);
        Ok(self.view())
    }

    pub(super) fn view(&self) -> NormView<F> {
        let at = |i: usize| self.values.address().skip(i * self.channels);
        NormView { mean: at(0), inv_std: at(1), scale: at(2), shift: at(3) }
    }

    /// `1 / rows` where gradients pass through the moments, else 0.
    fn share(&self, x: Extents) -> f64 {
        if self.of_batch { 1.0 / (x.images * x.positions()) as f64 } else { 0.0 }
    }
}

/// Running moments, `[T, C]` each, and what is added to the variance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Running<F> {
    pub(super) mean: Pointer<F>,
    pub(super) var: Pointer<F>,
    pub(super) eps: f64,
}

impl<F: Float> Running<F> {
    /// The normalisation of `x` by `moments`.
    fn normalise(
        &self,
        device: &mut Device<F>,
        x: View<F>,
        moments: Moments,
        gains: [Param<F>; 2],
        norm: &mut Norm<F>,
    ) -> Result<()> {
        match moments {
            Moments::Batch(steps) => self.observe(device, x, steps, gains, norm),
            Moments::Running(t) => self.recall(device, t, x.extents.channels, gains, norm),
        }
    }

    /// The normalisation of `x` by its own moments, which also enter the running ones of `steps`.
    fn observe(
        &self,
        device: &mut Device<F>,
        x: View<F>,
        steps: Range<usize>,
        gains: [Param<F>; 2],
        norm: &mut Norm<F>,
    ) -> Result<()> {
        let (chunk, channels) = (Chunk::of(x.extents), x.extents.channels);
        let parts = device.parts(chunk.count() * 2 * channels)?;
        device.map(kernels::moments(), chunk, (x.data, parts))?;
        let norm = norm.resize(device, channels, true)?;
        let [mean, var] = [self.mean, self.var].map(|m| m.skip(steps.start * channels));
        let (count, steps) = (chunk.count() as i32, steps.len() as i32);
        device.launch(
            kernels::normalise(),
            Grid::columns(channels),
            (parts, chunk, count, self.gains(gains), MOMENTUM, steps, mean, var, norm),
        )
    }

    /// The normalisation by the running moments of time-step `t`.
    fn recall(
        &self,
        device: &mut Device<F>,
        t: usize,
        channels: usize,
        gains: [Param<F>; 2],
        norm: &mut Norm<F>,
    ) -> Result<()> {
        let norm = norm.resize(device, channels, false)?;
        let [mean, var] = [self.mean, self.var].map(|m| m.skip(t * channels));
        device.launch(
            kernels::recall(),
            Grid::elements(channels),
            (mean, var, channels as i32, self.gains(gains), norm),
        )
    }

    fn gains(&self, [gamma, bias]: [Param<F>; 2]) -> Gains<F> {
        Gains { gamma: gamma.value, bias: bias.value, width: gamma.width, eps: self.eps }
    }
}

/// Whose moments normalise.
#[derive(Clone, Debug)]
pub(super) enum Moments {
    /// The batch's own, which also enter the running ones of these time-steps.
    Batch(Range<usize>),
    /// The running ones of this time-step.
    Running(usize),
}

/// `y = gamma (x - mean) / sqrt(var + eps) + bias`.
#[derive(Debug)]
pub(super) struct BatchNorm<F> {
    pub(super) gains: [Param<F>; 2],
    pub(super) running: Running<F>,
    pub(super) slopes: Slopes<F>,
}

impl<F: Float> BatchNorm<F> {
    /// Makes the normalisation of `x`.
    pub(super) fn normalise(
        &self,
        device: &mut Device<F>,
        x: View<F>,
        moments: Moments,
        norm: &mut Norm<F>,
    ) -> Result<()> {
        self.running.normalise(device, x, moments, self.gains, norm)
    }

    /// Adds `dL/dgamma` and `dL/dbias`, and writes `dL/dx`.
    pub(super) fn backward(
        &mut self,
        device: &mut Device<F>,
        norm: &Norm<F>,
        x: View<F>,
        upstream: View<F>,
        to: Target<F>,
    ) -> Result<()> {
        let (chunk, view, channels) = (Chunk::of(x.extents), norm.view(), x.extents.channels);
        let [sum_g, sum_gx] = device.sum(kernels::norm_sums(), chunk, (x.data, upstream.data, view.mean))?;
        let (slope, offset, gain) = self.slopes.find(device, [sum_g, sum_gx], norm, x.extents)?;
        device.map(
            kernels::norm_backward(),
            chunk,
            (x.data, upstream.data, view, slope, offset, to.maps.data, i32::from(to.accumulate)),
        )?;
        let [gamma, bias] = self.gains;
        add_to_gradient(device, gain, channels, gamma)?;
        add_to_gradient(device, sum_g, channels, bias)
    }
}

/// Room for what a normalisation's gradient is made of, a value a channel.
#[derive(Debug)]
pub(super) struct Slopes<F> {
    lines: Buffer<F>,
    gain: Buffer<f64>,
}

impl<F> Default for Slopes<F> {
    fn default() -> Self {
        Slopes { lines: Buffer::default(), gain: Buffer::default() }
    }
}

impl<F: Float> Slopes<F> {
    /// Slope, offset and `dL/dgamma` from the sums of `g` and of `g (x - mean)`.
    fn find(
        &mut self,
        device: &mut Device<F>,
        [sum_g, sum_gx]: [Pointer<f64>; 2],
        norm: &Norm<F>,
        x: Extents,
    ) -> Result<(Pointer<F>, Pointer<F>, Pointer<f64>)> {
        let channels = norm.channels;
        let slope = self.lines.resize(device, 2 * channels)?;
        let offset = slope.skip(channels);
        let gain = self.gain.resize(device, channels)?;
        device.launch(
            kernels::slopes(),
            Grid::elements(channels),
            (sum_g, sum_gx, channels as i32, norm.share(x), norm.view(), slope, offset, gain),
        )?;
        Ok((slope, offset, gain))
    }
}

/// `mh = alpha[t] m + beta[t] BN_t(m)` (version II, Eq. 6).
#[derive(Debug)]
pub(super) struct MembraneNorm<F> {
    pub(super) alpha: Param<F>,
    pub(super) beta: Param<F>,
    /// gamma and b.
    pub(super) gains: [Param<F>; 2],
    pub(super) running: Running<F>,
    pub(super) affine: Buffer<F>,
    pub(super) slopes: Slopes<F>,
}

impl<F: Float> MembraneNorm<F> {
    /// `mh` of the potentials `m` at time-step `t`, as a current.
    pub(super) fn normalise(
        &mut self,
        device: &mut Device<F>,
        t: usize,
        m: View<F>,
        moments: Moments,
        norm: &mut Norm<F>,
    ) -> Result<Current<F>> {
        let channels = m.extents.channels;
        self.running.normalise(device, m, moments, self.gains.map(|p| p.at_step(t)), norm)?;
        let (alpha, beta) = (self.alpha.at_step(t), self.beta.at_step(t));
        let scale = self.affine.resize(device, 2 * channels)?;
        let shift = scale.skip(channels);
        let channels = channels as i32;
        device.launch(
            kernels::membrane_affine(),
            Grid::elements(m.extents.channels),
            (alpha.value, beta.value, alpha.width, channels, norm.view(), scale, shift),
        )?;
        Ok(Current { x: m.data, scale, shift })
    }

    /// Turns `d` from `dL/dmh` into `dL/dm` and adds the gradients of the parameters.
    pub(super) fn backward(
        &mut self,
        device: &mut Device<F>,
        t: usize,
        m: View<F>,
        norm: &Norm<F>,
        d: Pointer<F>,
    ) -> Result<()> {
        let (chunk, channels, view) = (Chunk::of(m.extents), m.extents.channels, norm.view());
        let (alpha, beta) = (self.alpha.at_step(t), self.beta.at_step(t));
        let [dalpha, dbeta, db, sum_gx] =
            device.sum(kernels::membrane_sums(), chunk, (m.data, d, beta.value, beta.width, view))?;
        let (slope, offset, gain) = self.slopes.find(device, [db, sum_gx], norm, m.extents)?;
        device.map(
            kernels::membrane_backward(),
            chunk,
            (m.data, alpha.value, beta.value, beta.width, view, slope, offset, d),
        )?;
        let [gamma, b] = self.gains.map(|p| p.at_step(t));
        for (param, sums) in [(alpha, dalpha), (beta, dbeta), (gamma, gain), (b, db)] {
            add_to_gradient(device, sums, channels, param)?;
        }
        Ok(())
    }
}
