//! Writes each stage's descriptor: loop counts and address steps.

use crate::Result;
use crate::plan::{ArrayWork, Buffer, Plan, Stage, Window, Work};
use empf_ir::program::{Conv, Descriptor, Pool, Step, Unfold};
use empf_ir::{ArchConfig, QuantNetwork, QuantOp, Shape};

/// A step for every stage of an allocated plan.
pub fn schedule(plan: &Plan, network: &QuantNetwork, arch: &ArchConfig) -> Result<Vec<Step>> {
    let buffer = |index: Option<usize>| index.map(|i| &plan.buffers[i]);
    plan.stages
        .iter()
        .map(|stage| {
            let (reads, writes) = (buffer(stage.reads), buffer(stage.writes));
            let (descriptor, additions) = match (&stage.work, reads, writes) {
                (Work::Array(work), Some(reads), writes) => {
                    let additions = work.multiplications(reads.shape.channels) * work.passes.len() as u64;
                    let conv = conv(work, reads, writes, network, arch)?;
                    (Descriptor::Conv(Box::new(conv)), additions)
                }
                (Work::Unfold(window), _, Some(writes)) => {
                    (Descriptor::Unfold(unfold(window, writes, network, arch)), 0)
                }
                (Work::Pool { kernel, stride, shift }, Some(reads), Some(writes)) => {
                    (Descriptor::Pool(pool(*kernel, *stride, *shift, [reads, writes], arch)), 0)
                }
                _ => return Err(incomplete(stage)),
            };
            Ok(Step { node: stage.node.clone(), descriptor, additions })
        })
        .collect()
}

fn incomplete(stage: &Stage) -> crate::Error {
    crate::Error::unsupported(&stage.node, "the stage reads or writes nothing; run `lower` again")
}

/// A field of a descriptor: addresses and their steps are numbers modulo 2^32.
fn field(value: i64) -> u32 {
    value as u32
}

/// Address steps of windows that walk over a map of `width` positions of `step` words, `[y][x]` in raster
/// order, giving `out` windows.
struct Walk {
    /// From the map's first word to the first window's, which may lie in the border.
    origin: i64,
    ky_step: i64,
    x_step: i64,
    row_step: i64,
    /// From the last window of a frame to the first of the next.
    frame_step: i64,
}

impl Walk {
    fn new(map: Shape, step: usize, window: &Window, out: Shape) -> Self {
        let signed = |x: usize| x as i64;
        let (height, width, step) = (signed(map.height), signed(map.width), signed(step));
        let [kernel, stride, padding] = [window.kernel, window.stride, window.padding].map(signed);
        let last_of_row = (signed(out.width) - 1) * stride * step;
        let last_row = (signed(out.height) - 1) * stride * width * step;
        Walk {
            origin: -padding * (width + 1) * step,
            ky_step: (width - kernel) * step + 1,
            x_step: stride * step,
            row_step: stride * width * step - last_of_row,
            frame_step: height * width * step - last_row - last_of_row,
        }
    }
}

fn unfold(window: &Window, writes: &Buffer, network: &QuantNetwork, arch: &ArchConfig) -> Unfold {
    let input = network.input.shape();
    let walk = Walk::new(input, input.channels, window, writes.shape);
    Unfold {
        in_origin: field(walk.origin),
        in_height: input.height as u32,
        in_width: input.width as u32,
        channels: input.channels as u32,
        kernel: window.kernel as u32,
        stride: window.stride as u32,
        padding: window.padding as u32,
        zero_point: window.zero_point.into(),
        ky_step: field(walk.ky_step),
        x_step: field(walk.x_step),
        row_step: field(walk.row_step),
        frame_step: field(walk.frame_step),
        out_height: writes.shape.height as u32,
        out_width: writes.shape.width as u32,
        frames: writes.frames as u32,
        out_base: writes.base as u32,
        plane_words: writes.plane_words(arch.rows) as u32,
    }
}

fn conv(
    work: &ArrayWork,
    reads: &Buffer,
    writes: Option<&Buffer>,
    network: &QuantNetwork,
    arch: &ArchConfig,
) -> Result<Conv> {
    let blocks = reads.blocks(arch.rows);
    let last_channels = reads.shape.channels - (blocks - 1) * arch.rows;
    let walk = Walk::new(reads.shape, blocks, &work.window, work.output);
    let (requant_shift, spike_shift) = shifts(work, network);
    let planes = |passes: &[crate::plan::DigitPass]| {
        passes.iter().enumerate().fold(0, |word, (i, pass)| word | pass.plane << (2 * i))
    };
    let (low, high) = work.passes.split_at(work.passes.len().min(16));
    let doubles = work.passes.iter().enumerate().filter(|(_, pass)| pass.doubles);
    Ok(Conv {
        in_origin: field(reads.base as i64 + walk.origin),
        in_height: reads.shape.height as u32,
        in_width: reads.shape.width as u32,
        kernel: work.window.kernel as u32,
        stride: work.window.stride as u32,
        padding: work.window.padding as u32,
        zero_point: work.window.zero_point.into(),
        blocks: blocks as u32,
        last_banks: last_channels.div_ceil(arch.lanes) as u32,
        ky_step: field(walk.ky_step),
        x_step: field(walk.x_step),
        row_step: field(walk.row_step),
        frame_step: reads.frame_words(arch.rows) as u32,
        frames: work.frames as u32,
        summed_frames: work.summed_frames as u32,
        out_width: work.output.width as u32,
        tiles: work.tiling.tiles as u32,
        tile_positions: work.tiling.positions as u32,
        last_tile_positions: work.tiling.last_positions as u32,
        column_blocks: work.output.channels.div_ceil(arch.cols) as u32,
        passes: work.passes.len() as u32,
        double_mask: doubles.fold(0, |mask, (i, _)| mask | 1 << i),
        planes_low: planes(low),
        planes_high: planes(high),
        plane_step: reads.plane_words(arch.rows) as u32,
        weight_base: work.weight_base as u32,
        logits: work.neuron.is_none().into(),
        time_steps: work.parameter_steps(network.time_steps) as u32,
        groups: work.output.channels.div_ceil(arch.lanes) as u32,
        parameter_base: work.parameter_base as u32,
        requant_shift: requant_shift.into(),
        spike_shift: spike_shift.into(),
        out_base: writes.map_or(0, |w| w.base as u32),
        out_frame_step: writes.map_or(0, |w| w.frame_words(arch.rows) as u32),
        out_blocks: writes.map_or(0, |w| w.blocks(arch.rows) as u32),
        classes: if work.neuron.is_none() { work.output.channels as u32 } else { 0 },
    })
}

/// Shifts of the convolution's requantizer and of the neuron's spike.
fn shifts(work: &ArrayWork, network: &QuantNetwork) -> (u8, u8) {
    let shift = |name: &str| {
        let node = network.position(name).map(|i| &network.nodes[i].op);
        match node {
            Some(QuantOp::Conv { shift, .. } | QuantOp::Neuron { shift, .. }) => *shift,
            _ => 0,
        }
    };
    (shift(&work.layer), work.neuron.as_deref().map_or(0, shift))
}

fn pool(
    kernel: [usize; 2],
    stride: [usize; 2],
    shift: u8,
    [reads, writes]: [&Buffer; 2],
    arch: &ArchConfig,
) -> Pool {
    let blocks = reads.blocks(arch.rows) as i64;
    let signed = |x: usize| x as i64;
    let (height, width) = (signed(reads.shape.height), signed(reads.shape.width));
    let [stride_y, stride_x] = stride.map(signed);
    // Steps start from a window's last block.
    let last_block = blocks - 1;
    let last_of_row = (signed(writes.shape.width) - 1) * stride_x * blocks;
    let last_row = (signed(writes.shape.height) - 1) * stride_y * width * blocks;
    Pool {
        in_base: reads.base as u32,
        kernel_height: kernel[0] as u32,
        kernel_width: kernel[1] as u32,
        kx_step: field(blocks),
        ky_step: field((width - signed(kernel[1]) + 1) * blocks),
        x_step: field(stride_x * blocks - last_block),
        row_step: field(stride_y * width * blocks - last_of_row - last_block),
        frame_step: field(height * width * blocks - last_row - last_of_row - last_block),
        blocks: field(blocks),
        out_height: writes.shape.height as u32,
        out_width: writes.shape.width as u32,
        frames: reads.frames as u32,
        shift: shift.into(),
        out_base: writes.base as u32,
    }
}
