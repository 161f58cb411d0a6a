//! Memory of the device.

use super::fault::failed;
use super::pointer::Pointer;
use crate::error::{Error, Result};
use crate::{Extents, Float};
use cudarc::driver::sys::CUresult;
use cudarc::driver::{CudaSlice, CudaStream, DevicePtr, DeviceRepr, ValidAsZeroBits};
use std::sync::Arc;

/// What has the stream of a device, on which all happens in order.
pub(super) trait Streamed {
    fn stream(&self) -> &Arc<CudaStream>;
}

/// Elements of type `T`; grows where it has to, and is as long as it ever was.
#[derive(Debug)]
pub(super) struct Buffer<T> {
    memory: Option<CudaSlice<T>>,
    address: Pointer<T>,
}

impl<T> Default for Buffer<T> {
    fn default() -> Self {
        Buffer { memory: None, address: Pointer::NULL }
    }
}

impl<T: DeviceRepr> Buffer<T> {
    /// `len` elements of unspecified value.
    pub(super) fn resize(&mut self, device: &impl Streamed, len: usize) -> Result<Pointer<T>> {
        if self.memory.as_ref().is_none_or(|memory| memory.len() < len) {
            // What is not needed any more is freed first.
            self.memory = None;
            let memory = allocate(device.stream(), len)?;
            self.address = Pointer::new(memory.device_ptr(device.stream()).0);
            self.memory = Some(memory);
        }
        Ok(self.address)
    }

    /// As [`Buffer::resize`], all zero.
    pub(super) fn zeros(&mut self, device: &impl Streamed, len: usize) -> Result<Pointer<T>>
    where
        T: ValidAsZeroBits,
    {
        let address = self.resize(device, len)?;
        if let Some(memory) = &mut self.memory {
            device.stream().memset_zeros(&mut memory.slice_mut(..len)).map_err(failed)?;
        }
        Ok(address)
    }

    /// As [`Buffer::resize`], with these values.
    pub(super) fn fill(&mut self, device: &impl Streamed, values: &[T]) -> Result<Pointer<T>> {
        let address = self.resize(device, values.len())?;
        if let Some(memory) = &mut self.memory {
            let mut start = memory.slice_mut(..values.len());
            device.stream().memcpy_htod(values, &mut start).map_err(failed)?;
        }
        Ok(address)
    }

    /// Fills `values` with the first elements, when all work so far is done.
    pub(super) fn read(&self, device: &impl Streamed, values: &mut [T]) -> Result<()> {
        let Some(memory) = &self.memory else { return Ok(()) };
        device.stream().memcpy_dtoh(&memory.slice(..values.len()), values).map_err(failed)?;
        device.stream().synchronize().map_err(failed)
    }

    /// The first element.
    pub(super) fn address(&self) -> Pointer<T> {
        self.address
    }
}

fn allocate<T: DeviceRepr>(stream: &Arc<CudaStream>, len: usize) -> Result<CudaSlice<T>> {
    // SAFETY: whoever allocates writes before it reads.
    unsafe { stream.alloc(len.max(1)) }.map_err(|error| match error.0 {
        CUresult::CUDA_ERROR_OUT_OF_MEMORY => {
            let mib = (len * size_of::<T>()) >> 20;
            Error::Gpu(format!("has no {mib} MiB more of memory; use smaller batches"))
        }
        _ => failed(error),
    })
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
    pub(super) fn resize(&mut self, device: &impl Streamed, extents: Extents) -> Result<View<F>> {
        self.extents = extents;
        self.data.resize(device, extents.elements())?;
        Ok(self.view())
    }

    /// The maps for kernels to read or to write.
    pub(super) fn view(&self) -> View<F> {
        View { extents: self.extents, data: self.data.address() }
    }
}

/// Where maps of `F` lie.
#[derive(Clone, Copy, Debug)]
pub(super) struct View<F> {
    pub(super) extents: Extents,
    pub(super) data: Pointer<F>,
}

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
