//! Normalisations as kernels see them.

use super::buffer::View;
use super::pointer::Pointer;
use cudarc::driver::DeviceRepr;

/// A normalisation at a time-step; as in `norm.cu`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct NormView<F> {
    pub(super) mean: Pointer<F>,
    pub(super) inv_std: Pointer<F>,
    pub(super) scale: Pointer<F>,
    pub(super) shift: Pointer<F>,
}

/// Currents, or what they are normalised from; as in `common.cu`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Current<F> {
    pub(super) x: Pointer<F>,
    pub(super) scale: Pointer<F>,
    pub(super) shift: Pointer<F>,
}

impl<F> Current<F> {
    /// `I = x`, or `I = scale x + shift` by a normalisation.
    pub(super) fn new(x: View<F>, norm: Option<NormView<F>>) -> Self {
        let (scale, shift) = norm.map_or((Pointer::NULL, Pointer::NULL), |n| (n.scale, n.shift));
        Current { x: x.data, scale, shift }
    }
}

/// Gain, offset and eps; as in `norm.cu`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Gains<F> {
    pub(super) gamma: Pointer<F>,
    pub(super) bias: Pointer<F>,
    pub(super) width: i32,
    pub(super) eps: f64,
}

// SAFETY: `repr(C)`, as the structures of the same names (`Norm`) in norm.cu and common.cu.
unsafe impl<F> DeviceRepr for NormView<F> {}
// SAFETY: as above.
unsafe impl<F> DeviceRepr for Current<F> {}
// SAFETY: as above.
unsafe impl<F> DeviceRepr for Gains<F> {}
