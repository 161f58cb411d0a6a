//! Convolutions.

use super::buffer::{Target, View};
use super::device::Device;
use super::grid::Grid;
use super::kernels::{self, Kernel, OnGrid};
use super::param::Param;
use super::pointer::Pointer;
use super::sliding::Geometry;
use crate::Float;
use crate::error::Result;
use crate::layers::conv::Precision;
use empf_ir::{WeightKind, Window};

/// Sums that a block makes, and most terms that it adds at a time; as in `conv.cu` and `tensor.cu`.
const TILE: [usize; 2] = [128, 64];
const TILE_DEPTH: usize = 32;
/// Threads of a block, by what multiplies.
const THREADS: [usize; 3] = [256, 128, 128];
/// Blocks that keep a large GPU busy, and the fewest terms that are worth a block.
const BLOCKS: usize = 264;
const LEAST_DEPTH: usize = 4 * TILE_DEPTH;

/// How a product of matrices is cut into blocks.
#[derive(Clone, Copy, Debug)]
struct Cut {
    elements: usize,
    parts: usize,
    depth_per_part: i32,
    grid: Grid,
}

impl Cut {
    /// Of a product of `rows x columns` sums of `depth` terms.
    fn new(unit: Unit, rows: usize, columns: usize, depth: usize) -> Self {
        let tiles = [rows.div_ceil(TILE[0]), columns.div_ceil(TILE[1])];
        let wanted = (BLOCKS / (tiles[0] * tiles[1])).clamp(1, (depth / LEAST_DEPTH).max(1));
        let depth_per_part = depth.div_ceil(wanted).next_multiple_of(TILE_DEPTH);
        let parts = depth.div_ceil(depth_per_part);
        let grid = Grid { blocks: [tiles[0], tiles[1], parts], threads: [THREADS[unit as usize], 1] };
        Cut { elements: rows * columns, parts, depth_per_part: depth_per_part as i32, grid }
    }
}

/// What multiplies; the end of a kernel's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// Fused multiply-adds.
    Scalar,
    /// Tensor cores, as exact as in f32.
    Tensor,
    /// Tensor cores, of maps and gradients in bf16.
    Bf16,
}

/// A convolution without bias.
#[derive(Debug)]
pub(super) struct Conv<F> {
    pub(super) window: Window,
    pub(super) kind: WeightKind,
    /// `[window, in, out]`; for sign weights the real numbers behind the signs.
    pub(super) weight: Param<F>,
    pub(super) out_channels: usize,
    pub(super) precision: Precision,
}

impl<F: Float> Conv<F> {
    fn positions(&self) -> usize {
        self.window.kernel * self.window.kernel
    }

    /// Tensor cores take channels by four.
    fn unit(&self, device: &Device<F>, channels: usize) -> Unit {
        let by_four = channels.is_multiple_of(4) && self.out_channels.is_multiple_of(4);
        match self.precision {
            Precision::Full if by_four && device.has_tensor_cores() => Unit::Tensor,
            Precision::Bf16 if by_four && device.has_tensor_cores() => Unit::Bf16,
            _ => Unit::Scalar,
        }
    }

    /// Of kernels by what multiplies, for float weights and for signs, the one for these weights.
    fn kernel<A: Copy>(&self, unit: Unit, kernels: [[Kernel<F, OnGrid, A>; 3]; 2]) -> Kernel<F, OnGrid, A> {
        let [float, sign] = kernels.map(|by_unit| by_unit[unit as usize]);
        if self.kind == WeightKind::Sign { sign } else { float }
    }

    /// `y = W x`.
    pub(super) fn forward(&self, device: &mut Device<F>, x: View<F>, y: View<F>) -> Result<()> {
        let geometry = Geometry::new(self.window, x.extents, y.extents);
        let rows = y.extents.images * y.extents.positions();
        let unit = self.unit(device, x.extents.channels);
        let cut = Cut::new(unit, rows, self.out_channels, self.positions() * x.extents.channels);
        let to = if cut.parts == 1 { y.data } else { device.parts(cut.parts * cut.elements)? };
        let kernels = [
            [kernels::conv(), kernels::conv_tensor(), kernels::conv_bf16()],
            [kernels::sign_conv(), kernels::sign_conv_tensor(), kernels::sign_conv_bf16()],
        ];
        let args = (geometry, self.weight.value, x.data, to, cut.depth_per_part);
        device.launch(self.kernel(unit, kernels), cut.grid, args)?;
        sum_parts(device, cut, to, y.data, false)
    }

    /// Adds `dL/dW`, and writes `dL/dx` where it is asked for.
    pub(super) fn backward(
        &self,
        device: &mut Device<F>,
        x: View<F>,
        upstream: View<F>,
        to: Option<Target<F>>,
    ) -> Result<()> {
        let geometry = Geometry::new(self.window, x.extents, upstream.extents);
        if let Some(to) = to {
            self.input_gradient(device, geometry, upstream, to)?;
        }
        let unit = self.unit(device, x.extents.channels);
        let (rows, depth) =
            (self.positions() * x.extents.channels, upstream.extents.images * upstream.extents.positions());
        let cut = Cut::new(unit, rows, self.out_channels, depth);
        let parts = device.parts(cut.parts * cut.elements)?;
        let kernels = [
            kernels::conv_weight_gradient(),
            kernels::conv_weight_gradient_tensor(),
            kernels::conv_weight_gradient_bf16(),
        ];
        let args = (geometry, x.data, upstream.data, parts, cut.depth_per_part);
        device.launch(kernels[unit as usize], cut.grid, args)?;
        let (count, elements) = (cut.parts as i32, cut.elements as i32);
        let sign = i32::from(self.kind == WeightKind::Sign);
        let Param { value, grad, .. } = self.weight;
        device.launch(
            kernels::sum_weight_parts(),
            Grid::elements(cut.elements),
            (parts, count, elements, value, sign, grad),
        )
    }

    fn input_gradient(
        &self,
        device: &mut Device<F>,
        geometry: Geometry,
        upstream: View<F>,
        Target { maps, accumulate }: Target<F>,
    ) -> Result<()> {
        let rows = maps.extents.images * maps.extents.positions();
        let unit = self.unit(device, maps.extents.channels);
        let cut = Cut::new(unit, rows, maps.extents.channels, self.positions() * self.out_channels);
        let whole = cut.parts == 1;
        let to = if whole { maps.data } else { device.parts(cut.parts * cut.elements)? };
        let kernels = [
            [
                kernels::conv_input_gradient(),
                kernels::conv_input_gradient_tensor(),
                kernels::conv_input_gradient_bf16(),
            ],
            [
                kernels::sign_conv_input_gradient(),
                kernels::sign_conv_input_gradient_tensor(),
                kernels::sign_conv_input_gradient_bf16(),
            ],
        ];
        let adds = i32::from(accumulate && whole);
        let args = (geometry, self.weight.value, upstream.data, to, cut.depth_per_part, adds);
        device.launch(self.kernel(unit, kernels), cut.grid, args)?;
        sum_parts(device, cut, to, maps.data, accumulate)
    }
}

/// Sums of the parts, where there is more than one.
fn sum_parts<F: Float>(
    device: &mut Device<F>,
    cut: Cut,
    parts: Pointer<F>,
    to: Pointer<F>,
    accumulate: bool,
) -> Result<()> {
    if cut.parts == 1 {
        return Ok(());
    }
    let (count, elements) = (cut.parts as i32, cut.elements as i32);
    let grid = Grid::elements(cut.elements);
    device.launch(kernels::sum_parts(), grid, (parts, count, elements, to, i32::from(accumulate)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn parts_cover_the_depth(rows in 1usize..10_000, columns in 1usize..1000, depth in 1usize..100_000) {
            let cut = Cut::new(Unit::Scalar, rows, columns, depth);
            let per_part = cut.depth_per_part as usize;
            prop_assert!((cut.parts - 1) * per_part < depth && depth <= cut.parts * per_part);
        }
    }
}
