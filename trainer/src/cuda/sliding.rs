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
