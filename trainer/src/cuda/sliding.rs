//! Windows that slide over maps.

use crate::Extents;
use cudarc::driver::DeviceRepr;
use empf_ir::Window;

/// Extents of maps `x` and `y` and the window between them; as in `common.cu`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Sliding {
    images: i32,
    height: i32,
    width: i32,
    channels: i32,
    out_height: i32,
    out_width: i32,
    out_channels: i32,
    kernel: i32,
    stride: i32,
    padding: i32,
}

// SAFETY: `repr(C)` and 32-bit numbers alone, as `Sliding` in common.cu.
unsafe impl DeviceRepr for Sliding {}

impl Sliding {
    /// `window` over maps of extents `x`, one position for each of `y`; kernels count in 32 bits.
    pub(super) fn new(window: Window, x: Extents, y: Extents) -> Self {
        Sliding {
            images: x.images as i32,
            height: x.height as i32,
            width: x.width as i32,
            channels: x.channels as i32,
            out_height: y.height as i32,
            out_width: y.width as i32,
            out_channels: y.channels as i32,
            kernel: window.kernel as i32,
            stride: window.stride as i32,
            padding: window.padding as i32,
        }
    }
}

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
pub(super) struct Geometry {
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
    pub(super) fn new(window: Window, x: Extents, y: Extents) -> Self {
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
    }
}
