//! Addresses of the device.

use cudarc::driver::DeviceRepr;
use std::marker::PhantomData;

/// An address on the device of elements of type `T`, or null.
#[derive(Debug)]
#[repr(transparent)]
pub(super) struct Pointer<T>(u64, PhantomData<T>);

impl<T> Clone for Pointer<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Pointer<T> {}

impl<T> Pointer<T> {
    pub(super) const NULL: Self = Pointer::new(0);

    pub(super) const fn new(address: u64) -> Self {
        Pointer(address, PhantomData)
    }

    /// `elements` further.
    pub(super) fn skip(self, elements: usize) -> Self {
        Pointer::new(self.0 + (elements * size_of::<T>()) as u64)
    }
}

// SAFETY: an address of the device.
unsafe impl<T> DeviceRepr for Pointer<T> {}
