//! Pooling over windows and over whole maps.

use super::buffer::{Pointer, Target, View};
use super::device::{Device, Grid};
use crate::conv::Window;
use crate::error::Result;
use crate::{Extents, Float};
use cudarc::driver::DeviceRepr;

/// Extents of a pooling; as in `pool.cu`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Geometry {
    images: i32,
    height: i32,
    width: i32,
    channels: i32,
    out_height: i32,
    out_width: i32,
    kernel: i32,
    stride: i32,
    padding: i32,
}

// SAFETY: `repr(C)` and 32-bit numbers alone, as `Pool` in pool.cu.
unsafe impl DeviceRepr for Geometry {}

impl Geometry {
    fn new(window: Window, x: Extents, y: Extents) -> Self {
        Geometry {
            images: x.images as i32,
            height: x.height as i32,
            width: x.width as i32,
            channels: x.channels as i32,
            out_height: y.height as i32,
            out_width: y.width as i32,
            kernel: window.kernel as i32,
            stride: window.stride as i32,
            padding: window.padding as i32,
        }
    }
}

fn output_extents(window: Window, x: Extents) -> Extents {
    Extents { height: window.positions(x.height), width: window.positions(x.width), ..x }
}

/// Mean over windows without padding.
#[derive(Debug)]
pub(super) struct AvgPool(pub(super) Window);

impl AvgPool {
    pub(super) fn output_extents(&self, x: Extents) -> Extents {
        output_extents(self.0, x)
    }

    pub(super) fn forward<F: Float>(&self, device: &mut Device<F>, x: View<F>, y: View<F>) -> Result<()> {
        let (geometry, elements) = (Geometry::new(self.0, x.extents, y.extents), y.extents.elements());
        device.launch("average", Grid::elements(elements), &[&geometry, &x.data, &(elements as i32), &y.data])
    }

    pub(super) fn backward<F: Float>(
        &self,
        device: &mut Device<F>,
        upstream: View<F>,
        to: Target<F>,
    ) -> Result<()> {
        let geometry = Geometry::new(self.0, to.maps.extents, upstream.extents);
        let (elements, accumulate) = (to.maps.extents.elements(), i32::from(to.accumulate));
        device.launch(
            "average_backward",
            Grid::elements(elements),
            &[&geometry, &upstream.data, &(elements as i32), &to.maps.data, &accumulate],
        )
    }
}

/// Mean over all positions.
#[derive(Debug)]
pub(super) struct GlobalAvgPool;

impl GlobalAvgPool {
    pub(super) fn output_extents(&self, x: Extents) -> Extents {
        Extents { height: 1, width: 1, ..x }
    }

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
            "map_means_backward",
            Grid::elements(elements),
            &[&upstream.data, &positions, &(channels as i32), &(elements as i32), &to.maps.data, &accumulate],
        )
    }
}

/// Means of each image's channels over the positions, `[image, channel]`.
pub(super) fn map_means<F: Float>(device: &mut Device<F>, x: View<F>, means: Pointer) -> Result<()> {
    let Extents { images, channels, .. } = x.extents;
    let (positions, elements) = (x.extents.positions() as i32, images * channels);
    device.launch(
        "map_means",
        Grid::elements(elements),
        &[&x.data, &positions, &(channels as i32), &(elements as i32), &means],
    )
}

/// Maximum over windows; a border never wins.
#[derive(Debug)]
pub(super) struct MaxPool(pub(super) Window);

impl MaxPool {
    pub(super) fn output_extents(&self, x: Extents) -> Extents {
        output_extents(self.0, x)
    }

    pub(super) fn forward<F: Float>(&self, device: &mut Device<F>, x: View<F>, y: View<F>) -> Result<()> {
        let (geometry, elements) = (Geometry::new(self.0, x.extents, y.extents), y.extents.elements());
        device.launch("maximum", Grid::elements(elements), &[&geometry, &x.data, &(elements as i32), &y.data])
    }

    /// Hands `upstream` to the first position of each window that holds its maximum.
    pub(super) fn backward<F: Float>(
        &self,
        device: &mut Device<F>,
        x: View<F>,
        upstream: View<F>,
        to: Target<F>,
    ) -> Result<()> {
        let geometry = Geometry::new(self.0, x.extents, upstream.extents);
        let (elements, accumulate) = (x.extents.elements(), i32::from(to.accumulate));
        device.launch(
            "maximum_backward",
            Grid::elements(elements),
            &[&geometry, &x.data, &upstream.data, &(elements as i32), &to.maps.data, &accumulate],
        )
    }
}
