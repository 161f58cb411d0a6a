//! Channel attention on currents (SECA, Eq. 9).

use super::buffer::{Buffer, Target, View};
use super::device::Device;
use super::grid::Grid;
use super::kernels;
use super::param::Param;
use super::pool::map_means;
use crate::Float;
use crate::error::Result;

/// Threads that share a tap's sum; as in `seca.cu`.
const TAP_THREADS: usize = 256;

/// `y[c] = score[c] x[c]`.
#[derive(Debug)]
pub(super) struct Seca<F> {
    /// `[K]`, K odd.
    pub(super) weight: Param<F>,
    pub(super) kernel: usize,
    /// dL/d(sigmoid's argument) and the gradient through the means, `[image, channel]` each.
    pub(super) gradients: Buffer<F>,
}

/// What a time-step leaves for the backward pass, `[image, channel]`.
#[derive(Debug)]
pub(super) struct Attention<F> {
    mean: Buffer<F>,
    score: Buffer<F>,
}

impl<F> Default for Attention<F> {
    fn default() -> Self {
        Attention { mean: Buffer::default(), score: Buffer::default() }
    }
}

impl<F: Float> Seca<F> {
    pub(super) fn forward(
        &self,
        device: &mut Device<F>,
        x: View<F>,
        kept: &mut Attention<F>,
        y: View<F>,
    ) -> Result<()> {
        let (rows, elements) = (x.extents.images * x.extents.channels, x.extents.elements());
        let [positions, channels, kernel] =
            [x.extents.positions(), x.extents.channels, self.kernel].map(|n| n as i32);
        let (mean, score) = (kept.mean.resize(device, rows)?, kept.score.resize(device, rows)?);
        map_means(device, x, mean)?;
        device.launch(
            kernels::seca_score(),
            Grid::elements(rows),
            (self.weight.value, kernel, mean, rows as i32, channels, score),
        )?;
        device.launch(
            kernels::seca_scale(),
            Grid::elements(elements),
            (x.data, score, positions, channels, elements as i32, y.data),
        )
    }

    /// Adds `dL/dw` and writes `dL/dx`.
    pub(super) fn backward(
        &mut self,
        device: &mut Device<F>,
        kept: &Attention<F>,
        x: View<F>,
        upstream: View<F>,
        to: Target<F>,
    ) -> Result<()> {
        let (rows, elements) = (x.extents.images * x.extents.channels, x.extents.elements());
        let [positions, channels, kernel, row_count] =
            [x.extents.positions(), x.extents.channels, self.kernel, rows].map(|n| n as i32);
        let (mean, score) = (kept.mean.address(), kept.score.address());
        let sums = self.gradients.resize(device, 2 * rows)?;
        let through = sums.skip(rows);
        device.launch(
            kernels::seca_sums(),
            Grid::elements(rows),
            (x.data, upstream.data, score, positions, channels, row_count, sums),
        )?;
        let Param { value, grad, .. } = self.weight;
        device.launch(
            kernels::seca_through_mean(),
            Grid::elements(rows),
            (value, kernel, mean, sums, positions, channels, row_count, through),
        )?;
        let taps = Grid { blocks: [self.kernel, 1, 1], threads: [TAP_THREADS, 1] };
        device.launch(
            kernels::seca_weight_gradient(),
            taps,
            (mean, sums, kernel, channels, row_count, grad),
        )?;
        let (count, accumulate) = (elements as i32, i32::from(to.accumulate));
        device.launch(
            kernels::seca_backward(),
            Grid::elements(elements),
            (upstream.data, score, through, positions, channels, count, to.maps.data, accumulate),
        )
    }
}
