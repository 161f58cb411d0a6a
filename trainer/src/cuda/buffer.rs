//! Memory of the device.

use super::device::Device;
use crate::error::Result;
use crate::{Extents, Float};
use cudarc::driver::{CudaSlice, DevicePtr, DeviceRepr, ValidAsZeroBits};
use std::marker::PhantomData;

/// An address on the device, or null.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
pub(super) struct Pointer(u64);

impl Pointer {
    pub(super) const NULL: Pointer = Pointer(0);

    /// `elements` of type `T` further.
    pub(super) fn skip<T>(self, elements: usize) -> Self {
        Pointer(self.0 + (elements * size_of::<T>()) as u64)
    }
}

/// Elements of type `T`; grows where it has to, and is as long as it ever was.
#[derive(Debug)]
pub(super) struct Buffer<T> {
    memory: Option<CudaSlice<T>>,
    address: Pointer,
}

impl<T> Default for Buffer<T> {
    fn default() -> Self {
        Buffer { memory: None, address: Pointer::NULL }
    }
}

impl<T: DeviceRepr> Buffer<T> {
    /// `len` elements of unspecified value.
    pub(super) fn resize<F: Float>(&mut self, device: &Device<F>, len: usize) -> Result<Pointer> {
        if self.memory.as_ref().is_none_or(|memory| memory.len() < len) {
            // What is not needed any more is freed first.
            self.memory = None;
            let memory = device.allocate(len)?;
            self.address = Pointer(memory.device_ptr(device.stream()).0);
            self.memory = Some(memory);
        }
        Ok(self.address)
    }

    /// As [`Buffer::resize`], all zero.
    pub(super) fn zeros<F: Float>(&mut self, device: &Device<F>, len: usize) -> Result<Pointer>
    where
        T: ValidAsZeroBits,
    {
        let address = self.resize(device, len)?;
        if let Some(memory) = &mut self.memory {
            device.clear(&mut memory.slice_mut(..len))?;
        }
        Ok(address)
    }

    /// As [`Buffer::resize`], with these values.
    pub(super) fn fill<F: Float>(&mut self, device: &Device<F>, values: &[T]) -> Result<Pointer> {
        let address = self.resize(device, values.len())?;
        if let Some(memory) = &mut self.memory {
            device.write(values, &mut memory.slice_mut(..values.len()))?;
        }
        Ok(address)
    }

    /// Fills `values` with the first elements, when all work so far is done.
    pub(super) fn read<F: Float>(&self, device: &Device<F>, values: &mut [T]) -> Result<()> {
        match &self.memory {
            Some(memory) => device.read(&memory.slice(..values.len()), values),
            None => Ok(()),
        }
    }

    /// The first element.
    pub(super) fn address(&self) -> Pointer {
        self.address
    }
}

/// Feature maps on the device, channels last.
#[derive(Debug)]
pub(super) struct Maps<F> {
    pub(super) extents: Extents,
    pub(super) data: Buffer<F>,
}

impl<F> Default for Maps<F> {
    fn default() -> Self {
        Maps { extents: Extents::default(), data: Buffer::default() }
    }
}

impl<F: Float> Maps<F> {
    /// Takes `extents`; the elements are unspecified afterwards.
    pub(super) fn resize(&mut self, device: &Device<F>, extents: Extents) -> Result<View<F>> {
        self.extents = extents;
        self.data.resize(device, extents.elements())?;
        Ok(self.view())
    }

    /// The maps for kernels to read or to write.
    pub(super) fn view(&self) -> View<F> {
        View { extents: self.extents, data: self.data.address(), element: PhantomData }
    }
}

/// Where maps of `F` lie.
#[derive(Debug)]
pub(super) struct View<F> {
    pub(super) extents: Extents,
    pub(super) data: Pointer,
    element: PhantomData<F>,
}

impl<F> Clone for View<F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<F> Copy for View<F> {}

impl<F> View<F> {
    /// All elements of an image as the channels of one position.
    pub(super) fn flat(self) -> Self {
        let extents = Extents { height: 1, width: 1, channels: self.extents.image(), ..self.extents };
        View { extents, ..self }
    }
}

/// Where a layer's backward pass writes.
#[derive(Debug)]
pub(super) struct Target<F> {
    pub(super) maps: View<F>,
    /// Whether to add to what is there.
    pub(super) accumulate: bool,
}
