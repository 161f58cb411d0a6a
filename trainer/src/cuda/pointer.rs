//! Addresses of the device.

use cudarc::driver::DeviceRepr;

/// An address on the device, or null.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(super) struct Pointer(pub(super) u64);

impl Pointer {
    pub(super) const NULL: Pointer = Pointer(0);

    /// `elements` of type `T` further.
    pub(super) fn skip<T>(self, elements: usize) -> Self {
        Pointer(self.0 + (elements * size_of::<T>()) as u64)
    }
}

// SAFETY: an address of the device.
unsafe impl DeviceRepr for Pointer {}
