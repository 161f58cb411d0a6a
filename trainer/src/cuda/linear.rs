//! The classifier: a convolution whose window is one position with all features, and a bias.

use super::buffer::{Target, View};
use super::conv::Conv;
use super::device::Device;
use super::grid::{Chunk, Grid};
use super::kernels;
use super::param::{Param, add_to_gradient};
use crate::Float;
use crate::error::Result;

/// `y = W x + b` over the flattened feature map.
#[derive(Debug)]
pub(super) struct Linear<F> {
    pub(super) product: Conv<F>,
    pub(super) bias: Param<F>,
}

impl<F: Float> Linear<F> {
    /// `y = W x + b`.
    pub(super) fn forward(&self, device: &mut Device<F>, x: View<F>, y: View<F>) -> Result<()> {
        self.product.forward(device, x.flat(), y)?;
        let (elements, channels) = (y.extents.elements(), y.extents.channels as i32);
        device.launch(
            kernels::add_bias(),
            Grid::elements(elements),
            (self.bias.value, elements as i32, channels, y.data),
        )
    }

    /// Adds `dL/dW` and `dL/db` and writes `dL/dx`.
    pub(super) fn backward(
        &self,
        device: &mut Device<F>,
        x: View<F>,
        upstream: View<F>,
        to: Target<F>,
    ) -> Result<()> {
        let to = Target { maps: to.maps.flat(), ..to };
        self.product.backward(device, x.flat(), upstream, Some(to))?;
        let [sums] = device.sum(kernels::channel_totals(), Chunk::of(upstream.extents), (upstream.data,))?;
        add_to_gradient(device, sums, upstream.extents.channels, self.bias)
    }
}
