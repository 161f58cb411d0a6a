//! Convolutions.

use super::buffer::{Target, View};
use super::device::{Device, Grid};
use super::param::Param;
use super::pointer::Pointer;
use super::sliding::Sliding;
use crate::error::Result;
use crate::layers::conv::Precision;
use crate::{Extents, Float};
use cudarc::driver::DeviceRepr;
use empf_ir::{WeightKind, Window};

/// Sums that a block makes, and most terms that it adds at a time; as in `conv.cu` and `tensor.cu`.
const TILE: [usize; 2] = [128, 64];
const TILE_DEPTH: usize = 32;
/// Threads of a block, by what multiplies.
const THREADS: [usize; 3] = [256, 128, 128];
/// Blocks that keep a large GPU busy, and the fewest terms that are worth a block.
const BLOCKS: usize = 264;
const LEAST_DEPTH: usize = 4 * TILE_DEPTH;

/// Division by a constant; as in `conv.cu`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Division {
    factor: u32,
    shift: u32,
}

impl Division {
    /// By `divisor`, of numbers below 2^31.
    fn by(divisor: usize) -> Self {
        let shift = (divisor as u64).next_power_of_two().trailing_zeros();
        let excess = (1u64 << shift) - divisor as u64;
        Division { factor: ((excess << 32) / divisor as u64 + 1) as u32, shift }
    }
}

/// What slides, and divisions by it; as in `conv.cu`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
struct Geometry {
    sliding: Sliding,
    by_height: Division,
    by_width: Division,
    by_channels: Division,
    by_out_height: Division,
    by_out_width: Division,
    by_out_channels: Division,
    by_kernel: Division,
    by_stride: Division,
}

// SAFETY: `repr(C)` and 32-bit numbers alone, as `Geometry` in conv.cu.
unsafe impl DeviceRepr for Geometry {}

impl Geometry {
    fn new(window: Window, x: Extents, y: Extents) -> Self {
        Geometry {
            sliding: Sliding::new(window, x, y),
            by_height: Division::by(x.height),
            by_width: Division::by(x.width),
            by_channels: Division::by(x.channels),
            by_out_height: Division::by(y.height),
            by_out_width: Division::by(y.width),
            by_out_channels: Division::by(y.channels),
            by_kernel: Division::by(window.kernel),
            by_stride: Division::by(window.stride),
        }
    }
}

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

/// Kernels by what multiplies, for float weights and for signs.
type Kernels = [[&'static str; 3]; 2];
const FORWARD: Kernels =
    [["conv", "conv_tensor", "conv_bf16"], ["sign_conv", "sign_conv_tensor", "sign_conv_bf16"]];
const INPUT_GRADIENT: Kernels = [
    ["conv_input_gradient", "conv_input_gradient_tensor", "conv_input_gradient_bf16"],
    ["sign_conv_input_gradient", "sign_conv_input_gradient_tensor", "sign_conv_input_gradient_bf16"],
];
const WEIGHT_GRADIENT: [&str; 3] =
    ["conv_weight_gradient", "conv_weight_gradient_tensor", "conv_weight_gradient_bf16"];

/// A convolution without bias.
#[derive(Debug)]
pub(super) struct Conv {
    pub(super) window: Window,
    pub(super) kind: WeightKind,
    /// `[window, in, out]`; for sign weights the real numbers behind the signs.
    pub(super) weight: Param,
    pub(super) out_channels: usize,
    pub(super) precision: Precision,
}

impl Conv {
    fn positions(&self) -> usize {
        self.window.kernel * self.window.kernel
    }

    /// Tensor cores take channels by four.
    fn unit<F: Float>(&self, device: &Device<F>, channels: usize) -> Unit {
        let by_four = channels.is_multiple_of(4) && self.out_channels.is_multiple_of(4);
        match self.precision {
            Precision::Full if by_four && device.has_tensor_cores() => Unit::Tensor,
            Precision::Bf16 if by_four && device.has_tensor_cores() => Unit::Bf16,
            _ => Unit::Scalar,
        }
    }

    fn kernel(&self, kernels: Kernels, unit: Unit) -> &'static str {
        kernels[usize::from(self.kind == WeightKind::Sign)][unit as usize]
    }

    /// `y = W x`.
    pub(super) fn forward<F: Float>(&self, device: &mut Device<F>, x: View<F>, y: View<F>) -> Result<()> {
        let geometry = Geometry::new(self.window, x.extents, y.extents);
        let rows = y.extents.images * y.extents.positions();
        let unit = self.unit(device, x.extents.channels);
        let cut = Cut::new(unit, rows, self.out_channels, self.positions() * x.extents.channels);
        let to = if cut.parts == 1 { y.data } else { device.parts(cut.parts * cut.elements)? };
        let kernel = self.kernel(FORWARD, unit);
        device.launch(
            kernel,
            cut.grid,
            &[&geometry, &self.weight.value, &x.data, &to, &cut.depth_per_part],
        )?;
        sum_parts(device, cut, to, y.data, false)
    }

    /// Adds `dL/dW`, and writes `dL/dx` where it is asked for.
    pub(super) fn backward<F: Float>(
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
        device.launch(
            WEIGHT_GRADIENT[unit as usize],
            cut.grid,
            &[&geometry, &x.data, &upstream.data, &parts, &cut.depth_per_part],
        )?;
        let (count, elements) = (cut.parts as i32, cut.elements as i32);
        let sign = i32::from(self.kind == WeightKind::Sign);
        let Param { value, grad, .. } = self.weight;
        device.launch(
            "sum_weight_parts",
            Grid::elements(cut.elements),
            &[&parts, &count, &elements, &value, &sign, &grad],
        )
    }

    fn input_gradient<F: Float>(
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
        let kernel = self.kernel(INPUT_GRADIENT, unit);
        let adds = i32::from(accumulate && whole);
        device.launch(
            kernel,
            cut.grid,
            &[&geometry, &self.weight.value, &upstream.data, &to, &cut.depth_per_part, &adds],
        )?;
        sum_parts(device, cut, to, maps.data, accumulate)
    }
}

/// Sums of the parts, where there is more than one.
fn sum_parts<F: Float>(
    device: &mut Device<F>,
    cut: Cut,
    parts: Pointer,
    to: Pointer,
    accumulate: bool,
) -> Result<()> {
    if cut.parts == 1 {
        return Ok(());
    }
    let (count, elements) = (cut.parts as i32, cut.elements as i32);
    let grid = Grid::elements(cut.elements);
    device.launch("sum_parts", grid, &[&parts, &count, &elements, &to, &i32::from(accumulate)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn divisions_are_exact(n in 0u32..1 << 31, divisor in 1usize..1 << 20) {
            let Division { factor, shift } = Division::by(divisor);
            let high = ((u64::from(n) * u64::from(factor)) >> 32) as u32;
            prop_assert_eq!((high + n) >> shift, n / divisor as u32);
        }

        #[test]
        fn parts_cover_the_depth(rows in 1usize..10_000, columns in 1usize..1000, depth in 1usize..100_000) {
            let cut = Cut::new(Unit::Scalar, rows, columns, depth);
            let per_part = cut.depth_per_part as usize;
            prop_assert!((cut.parts - 1) * per_part < depth && depth <= cut.parts * per_part);
        }
    }
}
