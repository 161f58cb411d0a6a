//! The device: its stream of work, its kernels, and sums over maps.

use super::buffer::{Buffer, Streamed};
use super::fault::failed;
use super::pointer::Pointer;
use crate::error::{Error, Result};
use crate::{Extents, Float};
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

/// Sources of the kernels, in the order in which they use each other, and those for tensor cores.
const SOURCES: [&str; 7] = [
    include_str!("kernels/common.cu"),
    include_str!("kernels/conv.cu"),
    include_str!("kernels/neuron.cu"),
    include_str!("kernels/norm.cu"),
    include_str!("kernels/pool.cu"),
    include_str!("kernels/seca.cu"),
    include_str!("kernels/loss.cu"),
];

const TENSOR_SOURCE: &str = include_str!("kernels/tensor.cu");
/// Least compute capability with tensor cores for bf16.
const TENSOR_CORES: i32 = 8;

/// Threads of a block that works on elements one by one.
const THREADS: usize = 256;
/// Threads of a block along the channels and along the rows; as in `common.cu`.
const LANES: usize = 32;
const ROWS: usize = 8;
/// Most chunks into which rows are cut, and the fewest rows of one.
const CHUNKS: usize = 256;
const CHUNK_ROWS: usize = 4 * ROWS;

/// Blocks and their threads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    pub(super) blocks: [usize; 3],
    pub(super) threads: [usize; 2],
}

impl Grid {
    /// A thread for each element.
    pub(super) fn elements(count: usize) -> Self {
        Grid { blocks: [count.div_ceil(THREADS), 1, 1], threads: [THREADS, 1] }
    }

    /// Threads that share each column.
    pub(super) fn columns(count: usize) -> Self {
        Grid { blocks: [count.div_ceil(LANES), 1, 1], threads: [LANES, ROWS] }
    }
}

/// Maps as rows of channels, cut into chunks; as in `common.cu`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Chunk {
    rows: i32,
    channels: i32,
    rows_per_chunk: i32,
}

impl Chunk {
    pub(super) fn of(maps: Extents) -> Self {
        let rows = maps.images * maps.positions();
        let rows_per_chunk = rows.div_ceil(CHUNKS).max(CHUNK_ROWS);
        Chunk { rows: rows as i32, channels: maps.channels as i32, rows_per_chunk: rows_per_chunk as i32 }
    }

    pub(super) fn count(self) -> usize {
        (self.rows as usize).div_ceil(self.rows_per_chunk as usize)
    }

    pub(super) fn grid(self) -> Grid {
        Grid { blocks: [self.count(), (self.channels as usize).div_ceil(LANES), 1], threads: [LANES, ROWS] }
    }
}

/// What a kernel takes.
///
/// # Safety
/// As `T: DeviceRepr` of the kernel's argument.
pub(super) unsafe trait Argument {
    fn push<'a>(&'a self, to: &mut LaunchArgs<'a>);
}

// SAFETY: the type has no padding or pointers that the device would not understand.
unsafe impl<T: DeviceRepr> Argument for T {
    fn push<'a>(&'a self, to: &mut LaunchArgs<'a>) {
        to.arg(self);
    }
}

// SAFETY: `repr(C)`, as `Chunk` in common.cu.
unsafe impl DeviceRepr for Chunk {}

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
        let tensor_source = if tensor_cores { TENSOR_SOURCE } else { "" };
        let source = format!("typedef {real} real;\n{}\n{tensor_source}", SOURCES.join("\n"));
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

    /// Queues `kernel`.
    pub(super) fn launch(&mut self, kernel: &'static str, grid: Grid, args: &[&dyn Argument]) -> Result<()> {
        let function = match self.kernels.entry(kernel) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(self.module.load_function(kernel).map_err(failed)?),
        };
        let mut launch = self.stream.launch_builder(function);
        args.iter().for_each(|arg| arg.push(&mut launch));
        let [x, y, z] = grid.blocks.map(|n| n as u32);
        let [across, down] = grid.threads.map(|n| n as u32);
        let config = LaunchConfig { grid_dim: (x, y, z), block_dim: (across, down, 1), shared_mem_bytes: 0 };
        // SAFETY: callers pass what the kernel's signature says, with room for what it writes.
        unsafe { launch.launch(config) }.map_err(|error| failed(format!("kernel `{kernel}`: {error}")))?;
        Ok(())
    }

    /// Queues `kernel` for each element of maps; it takes `chunk` first.
    pub(super) fn map(&mut self, kernel: &'static str, chunk: Chunk, args: &[&dyn Argument]) -> Result<()> {
        let all: Vec<&dyn Argument> =
            [&chunk as &dyn Argument].into_iter().chain(args.iter().copied()).collect();
        self.launch(kernel, chunk.grid(), &all)
    }

    /// As [`Device::map`], for a kernel that leaves `SUMS` sums a channel of each chunk in its last argument.
    /// Where the sums over all chunks lie, a row of `f64` each.
    pub(super) fn sum<const SUMS: usize>(
        &mut self,
        kernel: &'static str,
        chunk: Chunk,
        args: &[&dyn Argument],
    ) -> Result<[Pointer; SUMS]> {
        let parts = self.parts(chunk.count() * SUMS * chunk.channels as usize)?;
        let all: Vec<&dyn Argument> = args.iter().copied().chain([&parts as &dyn Argument]).collect();
        self.map(kernel, chunk, &all)?;
        let channels = chunk.channels as usize;
        let columns = SUMS * channels;
        let mut totals = std::mem::take(&mut self.totals);
        let address = totals.resize(self, columns);
        self.totals = totals;
        let address = address?;
        self.launch(
            "total",
            Grid::columns(columns),
            &[&parts, &(chunk.count() as i32), &(columns as i32), &address],
        )?;
        Ok(std::array::from_fn(|s| address.skip::<f64>(s * channels)))
    }

    /// Room for parts of sums, which the next caller overwrites.
    pub(super) fn parts(&mut self, len: usize) -> Result<Pointer> {
        let mut parts = std::mem::take(&mut self.parts);
        let address = parts.resize(self, len);
        self.parts = parts;
        address
    }
}
