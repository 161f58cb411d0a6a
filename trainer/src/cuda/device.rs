//! The device: its stream of work, its kernels, and sums over maps.

use super::buffer::{Buffer, Streamed};
use super::fault::failed;
use super::grid::{Chunk, Grid};
use super::kernels::{self, Kernel, Map, OnGrid, Sums};
use super::pointer::Pointer;
use crate::Float;
use crate::error::{Error, Result};
use cudarc::driver::sys::CUdevice_attribute::{
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR as MAJOR,
    CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR as MINOR,
};
use cudarc::driver::{
    CudaContext, CudaFunction, CudaModule, CudaStream, DeviceRepr, LaunchArgs, LaunchConfig, PinnedHostSlice,
    PushKernelArg,
};
use cudarc::nvrtc::{CompileError, CompileOptions, compile_ptx_with_opts};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Debug;
use std::sync::Arc;

/// Least compute capability with tensor cores for bf16.
const TENSOR_CORES: i32 = 8;

/// What a kernel takes, in its order.
pub(super) trait Arguments {
    fn push<'a>(&'a self, to: &mut LaunchArgs<'a>);
}

/// Lets kernels take tuples of as many elements as there are letters, and of fewer.
macro_rules! arguments {
    ($first:ident $($other:ident)*) => {
        impl<$first: DeviceRepr, $($other: DeviceRepr),*> Arguments for ($first, $($other,)*) {
            #[allow(non_snake_case)]
            fn push<'a>(&'a self, to: &mut LaunchArgs<'a>) {
                let ($first, $($other,)*) = self;
                to.arg($first)$(.arg($other))*;
            }
        }
        arguments!($($other)*);
    };
    () => {};
}
arguments!(A B C D E F G H I);

/// A GPU.
pub(super) struct Device<F> {
    stream: Arc<CudaStream>,
    module: Arc<CudaModule>,
    tensor_cores: bool,
    kernels: HashMap<&'static str, CudaFunction>,
    parts: Buffer<F>,
    totals: Buffer<f64>,
}

impl<F> Debug for Device<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Device({:?})", self.stream)
    }
}

impl<F> Streamed for Device<F> {
    fn stream(&self) -> &Arc<CudaStream> {
        &self.stream
    }
}

impl<F: Float> Device<F> {
    /// The first GPU, with the kernels compiled for it.
    pub(super) fn open() -> Result<Self> {
        // SAFETY: both only try to open the library.
        let (driver, compiler) =
            unsafe { (cudarc::driver::sys::is_culib_present(), cudarc::nvrtc::sys::is_culib_present()) };
        if !driver {
            return Err(Error::Gpu(
                "found no libcuda.so; install NVIDIA's driver, or use the processor".into(),
            ));
        }
        if !compiler {
            let message = "found no libnvrtc.so; install CUDA's nvrtc (package libnvrtc12, cuda-nvrtc or \
                           nvidia-cuda-nvrtc) and name its folder in LD_LIBRARY_PATH";
            return Err(Error::Gpu(message.into()));
        }
        let context = CudaContext::new(0).map_err(failed)?;
        // One stream runs everything in order.
        // SAFETY: no buffer is used by a second stream.
        unsafe { context.disable_event_tracking() };
        let (major, minor) =
            (context.attribute(MAJOR).map_err(failed)?, context.attribute(MINOR).map_err(failed)?);
        let real = if size_of::<F>() == 4 { "float" } else { "double" };
        let tensor_cores = size_of::<F>() == 4 && major >= TENSOR_CORES;
        let source = kernels::source(real, tensor_cores);
        let options = CompileOptions {
            // Sums round as the processor's do, except where a kernel says fma.
            fmad: Some(false),
            options: vec![format!("--gpu-architecture=compute_{major}{minor}")],
            ..CompileOptions::default()
        };
        let image = compile_ptx_with_opts(source, options).map_err(|error| match error {
            CompileError::CompileError { log, .. } => failed(log.to_string_lossy()),
            error => failed(error),
        })?;
        let module = context.load_module(image).map_err(failed)?;
        Ok(Device {
            stream: context.default_stream(),
            module,
            tensor_cores,
            kernels: HashMap::new(),
            parts: Buffer::default(),
            totals: Buffer::default(),
        })
    }

    /// Whether it multiplies numbers of `F` on tensor cores.
    pub(super) fn has_tensor_cores(&self) -> bool {
        self.tensor_cores
    }

    /// Memory of the processor that the device copies from and to by itself.
    pub(super) fn allocate_pinned<T: DeviceRepr>(&self, len: usize) -> Result<PinnedHostSlice<T>> {
        // SAFETY: whoever allocates writes before it reads.
        unsafe { self.stream.context().alloc_pinned_with_flags(len, 0) }.map_err(failed)
    }

    /// Queues `kernel`. Nothing checks that there is room where `args` let it read and write.
    pub(super) fn launch<A: Arguments>(
        &mut self,
        kernel: Kernel<F, OnGrid, A>,
        grid: Grid,
        args: A,
    ) -> Result<()> {
        self.queue(kernel, grid, &[&args])
    }

    /// As [`Device::launch`], for each element of maps.
    pub(super) fn map<A: Arguments>(
        &mut self,
        kernel: Kernel<F, Map, A>,
        chunk: Chunk,
        args: A,
    ) -> Result<()> {
        self.queue(kernel, chunk.grid(), &[&(chunk,), &args])
    }

    /// As [`Device::map`], for a kernel that leaves sums of each chunk.
    /// Where the sums over all chunks lie, a row of `f64` each.
    pub(super) fn sum<const SUMS: usize, A: Arguments>(
        &mut self,
        kernel: Kernel<F, Sums<SUMS>, A>,
        chunk: Chunk,
        args: A,
    ) -> Result<[Pointer<f64>; SUMS]> {
        let channels = chunk.channels as usize;
        let columns = SUMS * channels;
        let parts = self.parts(chunk.count() * columns)?;
        self.queue(kernel, chunk.grid(), &[&(chunk,), &args, &(parts,)])?;
        let mut totals = std::mem::take(&mut self.totals);
        let address = totals.resize(self, columns);
        self.totals = totals;
        let address = address?;
        self.launch(
            kernels::total(),
            Grid::columns(columns),
            (parts, chunk.count() as i32, columns as i32, address),
        )?;
        Ok(std::array::from_fn(|s| address.skip(s * channels)))
    }

    /// Room for parts of sums, which the next caller overwrites.
    pub(super) fn parts(&mut self, len: usize) -> Result<Pointer<F>> {
        let mut parts = std::mem::take(&mut self.parts);
        let address = parts.resize(self, len);
        self.parts = parts;
        address
    }

    /// Queues `kernel` with what it takes by its type, one part of it behind the other.
    fn queue<Kind, A>(
        &mut self,
        kernel: Kernel<F, Kind, A>,
        grid: Grid,
        args: &[&dyn Arguments],
    ) -> Result<()> {
        let name = kernel.name();
        let function = match self.kernels.entry(name) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(self.module.load_function(name).map_err(failed)?),
        };
        let mut launch = self.stream.launch_builder(function);
        args.iter().for_each(|part| part.push(&mut launch));
        let [x, y, z] = grid.blocks.map(|n| n as u32);
        let [across, down] = grid.threads.map(|n| n as u32);
        let config = LaunchConfig { grid_dim: (x, y, z), block_dim: (across, down, 1), shared_mem_bytes: 0 };
        // SAFETY: number, order and types of the arguments are those of the kernel's declaration, which a test compares
        // with its signature. Structures are `repr(C)`, with the fields that the sources give them. That addresses lead
        // to as many elements as the kernel reads and writes, and that its threads are as it counts on them, is the
        // promise of callers alone.
        unsafe { launch.launch(config) }.map_err(|error| failed(format!("kernel `{name}`: {error}")))?;
        Ok(())
    }
}
