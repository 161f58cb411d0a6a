//! Pooling over windows and over whole maps.

use super::buffer::{Target, View};
use super::device::Device;
use super::grid::Grid;
use super::kernels::{self, Kernel, OnGrid};
use super::pointer::Pointer;
use super::sliding::Sliding;
use crate::error::Result;
use crate::{Extents, Float};
use empf_ir::Window;

/// What kernels of windows take.
type Forward<F> = (Sliding, Pointer<F>, i32, Pointer<F>);
type Backward<F> = (Sliding, Pointer<F>, Pointer<F>, i32, Pointer<F>, i32);

/// What a window gives: its mean or its maximum.
#[derive(Debug)]
pub(super) struct WindowPool<F> {
    window: Window,
    forward: Kernel<F, OnGrid, Forward<F>>,
    backward: Kernel<F, OnGrid, Backward<F>>,
}

impl<F: Float> WindowPool<F> {
    /// The mean, of windows without padding.
    pub(super) fn average(kernel: usize, stride: usize) -> Self {
        let window = Window { kernel, stride, padding: 0 };
        WindowPool { window, forward: kernels::average(), backward: kernels::average_backward() }
    }

    /// The maximum; a border never wins, and of equals the first passes the gradient on.
    pub(super) fn maximum(window: Window) -> Self {
        WindowPool { window, forward: kernels::maximum(), backward: kernels::maximum_backward() }
    }

    pub(super) fn forward(&self, device: &mut Device<F>, x: View<F>, y: View<F>) -> Result<()> {
        let (sliding, elements) = (Sliding::new(self.window, x.extents, y.extents), y.extents.elements());
        let count = elements as i32;
        device.launch(self.forward, Grid::elements(elements), (sliding, x.data, count, y.data))
    }

    pub(super) fn backward(
        &self,
        device: &mut Device<F>,
        x: View<F>,
        upstream: View<F>,
        to: Target<F>,
    ) -> Result<()> {
        let sliding = Sliding::new(self.window, x.extents, upstream.extents);
        let (elements, accumulate) = (x.extents.elements(), i32::from(to.accumulate));
        device.launch(
            self.backward,
            Grid::elements(elements),
            (sliding, x.data, upstream.data, elements as i32, to.maps.data, accumulate),
        )
    }
}

/// Mean over all positions.
#[derive(Debug)]
pub(super) struct GlobalAvgPool;

impl GlobalAvgPool {
    pub(super) fn forward<F: Float>(&self, device: &mut Device<F>, x: View<F>, y: View<F>) -> Result<()> {
        map_means(device, x, y.data)
    }

    pub(super) fn backward<F: Float>(
        &self,
        device: &mut Device<F>,
        upstream: View<F>,
        to: Target<F>,
    ) -> Result<()> {
        let Extents { channels, .. } = upstream.extents;
        let (positions, elements) = (to.maps.extents.positions() as i32, to.maps.extents.elements());
        let accumulate = i32::from(to.accumulate);
        device.launch(
            kernels::map_means_backward(),
            Grid::elements(elements),
            (upstream.data, positions, channels as i32, elements as i32, to.maps.data, accumulate),
        )
    }
}

/// Means of each image's channels over the positions, `[image, channel]`.
pub(super) fn map_means<F: Float>(device: &mut Device<F>, x: View<F>, means: Pointer<F>) -> Result<()> {
    let Extents { images, channels, .. } = x.extents;
    let (positions, elements) = (x.extents.positions() as i32, images * channels);
    device.launch(
        kernels::map_means(),
        Grid::elements(elements),
        (x.data, positions, channels as i32, elements as i32, means),
    )
}
