//! Writes each stage's descriptor: loop counts and address steps.

use crate::attention::reach_of;
use crate::multiplier::Multiplier;
use crate::plan::{
    ArrayWork, Buffer, Drained, Gives, Plan, Pooled, Pooling, Shortcut, ShortcutFrom, Stage, Streamed, Takes,
    Window, Work,
};
use crate::{Error, Result};
use empf_ir::isa::{
    ATTENTION_KEEPS, ATTENTION_SCALES, Array, Drain, LimitError, Pass, PassFields, Pool, Stream, Task, Unfold,
};
use empf_ir::program::{Added, Currents, Step};
use empf_ir::{ArchConfig, QuantNetwork, QuantOp, Shape};

/// A step for every stage of an allocated plan.
///
/// # Errors
/// A number that the hardware's registers do not hold, with its node.
pub fn schedule(plan: &Plan, network: &QuantNetwork, arch: &ArchConfig) -> Result<Vec<Step>> {
    let buffer = |index: Option<usize>| index.map(|i| &plan.buffers[i]);
    plan.stages
        .iter()
        .map(|stage| {
            let (reads, writes) = (buffer(stage.reads), buffer(stage.writes));
            let limit = |source: LimitError| Error::Limit { node: asked_by(stage, plan).clone(), source };
            let (task, additions) = match (&stage.work, reads, writes) {
                (Work::Array(work), reads, writes) => {
                    let drain = drain(work, writes, plan, network, arch).encode(arch).map_err(limit)?;
                    let task = match (&work.stream, reads) {
                        (Some(streamed), Some(reads)) => {
                            let stream =
                                stream(work, streamed, reads, plan, arch).encode(arch).map_err(limit)?;
                            Task::Array(Box::new(Array { stream, drain }))
                        }
                        (None, None) => Task::Drain(Box::new(drain)),
                        _ => return Err(incomplete(stage)),
                    };
                    let channels = |buffer: &Buffer| buffer.shape.channels;
                    let beside =
                        work.shortcut_beside().map_or(0, |(reads, _)| channels(&plan.buffers[reads]));
                    (task, work.additions(reads.map_or(0, channels), beside))
                }
                (Work::Unfold(window), _, Some(writes)) => {
                    let unfold = unfold(window, writes, network, arch).encode(arch).map_err(limit)?;
                    (Task::Unfold(unfold), 0)
                }
                (Work::Pool(pooling), Some(reads), Some(writes)) => {
                    let pool = pool(pooling, [reads, writes], arch);
                    (Task::Pool(pool.encode(arch).map_err(limit)?), 0)
                }
                _ => return Err(incomplete(stage)),
            };
            Ok(Step { node: stage.node.clone(), task, additions, currents: currents(stage, network) })
        })
        .collect()
}

/// The nodes whose currents a stage computes; each of them is read by one node.
fn currents(stage: &Stage, network: &QuantNetwork) -> Option<Currents> {
    let Work::Array(work) = &stage.work else { return None };
    let drain = &work.drain;
    let reader = |read: &String| network.nodes.iter().find(|node| node.inputs.contains(read));
    let added = drain.shortcut.as_ref().and_then(|shortcut| {
        let sum = reader(&shortcut.node)?.name.clone();
        Some(Added { shortcut: shortcut.node.clone(), sum })
    });
    (drain.gives != Gives::Logits).then(|| Currents {
        shape: work.output,
        first_step: drain.steps.start,
        sums: drain.takes.node().to_owned(),
        added,
    })
}

/// The node that wants what `stage` does: the unfolding of the input is for the one that reads its windows.
fn asked_by<'p>(stage: &'p Stage, plan: &'p Plan) -> &'p String {
    let reader = || plan.stages.iter().find(|other| other.reads == stage.writes).unwrap_or(stage);
    match stage.work {
        Work::Unfold(_) => &reader().node,
        _ => &stage.node,
    }
}

fn incomplete(stage: &Stage) -> Error {
    Error::unsupported(&stage.node, "the stage reads or writes nothing; run `lower` again")
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
        let [kernel, stride, padding] = [window.kernel[1], window.stride, window.padding].map(signed);
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

fn unfold(window: &Window, writes: &Buffer, network: &QuantNetwork, arch: &ArchConfig) -> Unfold<i64> {
    let input = network.input.shape();
    let walk = Walk::new(input, input.channels, window, writes.shape);
    Unfold {
        in_origin: walk.origin,
        in_height: input.height as i64,
        in_width: input.width as i64,
        channels: input.channels as i64,
        kernel_height: window.kernel[0] as i64,
        kernel_width: window.kernel[1] as i64,
        stride: window.stride as i64,
        padding: window.padding as i64,
        border: u32::from_le_bytes(window.zero_point.repeated()).into(),
        ky_step: walk.ky_step,
        x_step: walk.x_step,
        row_step: walk.row_step,
        frame_step: walk.frame_step,
        out_height: writes.shape.height as i64,
        out_width: writes.shape.width as i64,
        frames: writes.frames as i64,
        out_base: writes.base as i64,
        plane_words: writes.plane_words(arch.rows) as i64,
    }
}

/// The first entry of the sums of a shortcut that is a convolution: behind the layer's own.
fn shortcut_entry(work: &ArrayWork) -> i64 {
    let (Some(_), Some(stream)) = (work.shortcut_beside(), &work.stream) else { return 0 };
    (stream.frames * work.tiling.positions) as i64
}

/// Banks of the last block of a buffer that hold channels.
fn last_banks(buffer: &Buffer, arch: &ArchConfig) -> i64 {
    let last_channels = buffer.shape.channels - (buffer.blocks(arch.rows) - 1) * arch.rows;
    last_channels.div_ceil(arch.lanes) as i64
}

/// From a buffer's first frame to the one that is read first.
fn first_frame(buffer: &Buffer, frame: usize, arch: &ArchConfig) -> i64 {
    (frame * buffer.frame_words(arch.rows)) as i64
}

fn stream(work: &ArrayWork, of: &Streamed, reads: &Buffer, plan: &Plan, arch: &ArchConfig) -> Stream<i64> {
    let blocks = reads.blocks(arch.rows);
    let walk = Walk::new(reads.shape, blocks, &of.window, work.output);
    let passes = of.passes.iter().map(|pass| Pass { plane: pass.plane, doubles: pass.doubles });
    let PassFields { double_mask, planes_low, planes_high } = PassFields::pack(passes);
    Stream {
        in_origin: reads.base as i64 + first_frame(reads, of.first_frame, arch) + walk.origin,
        in_height: reads.shape.height as i64,
        in_width: reads.shape.width as i64,
        kernel_height: of.window.kernel[0] as i64,
        kernel_width: of.window.kernel[1] as i64,
        stride: of.window.stride as i64,
        padding: of.window.padding as i64,
        // The border of the input is in its unfolded windows.
        zero_point: 0,
        blocks: blocks as i64,
        last_banks: last_banks(reads, arch),
        ky_step: walk.ky_step,
        x_step: walk.x_step,
        row_step: walk.row_step,
        frame_step: reads.frame_words(arch.rows) as i64,
        frames: of.frames as i64,
        out_width: work.output.width as i64,
        tiles: work.tiling.tiles as i64,
        tile_positions: work.tiling.positions as i64,
        last_tile_positions: work.tiling.last_positions as i64,
        column_blocks: work.output.channels.div_ceil(arch.cols) as i64,
        passes: of.passes.len() as i64,
        double_mask: double_mask.into(),
        planes_low: planes_low.into(),
        planes_high: planes_high.into(),
        plane_step: reads.plane_words(arch.rows) as i64,
        weight_base: of.weight_base as i64,
        ..shortcut_stream(work, of.first_frame, plan, arch)
    }
}

/// The fields of a shortcut that is a convolution; without one, those that count are 1.
fn shortcut_stream(work: &ArrayWork, frame: usize, plan: &Plan, arch: &ArchConfig) -> Stream<i64> {
    let none = Stream {
        shortcut_height: 1,
        shortcut_width: 1,
        shortcut_kernel_height: 1,
        shortcut_kernel_width: 1,
        shortcut_stride: 1,
        shortcut_blocks: 1,
        shortcut_last_banks: 1,
        ..Stream::default()
    };
    let Some((reads, window)) = work.shortcut_beside() else { return none };
    let reads = &plan.buffers[reads];
    let blocks = reads.blocks(arch.rows);
    let walk = Walk::new(reads.shape, blocks, &window, work.output);
    Stream {
        shortcut: 1,
        shortcut_entry: shortcut_entry(work),
        shortcut_origin: reads.base as i64 + first_frame(reads, frame, arch) + walk.origin,
        shortcut_height: reads.shape.height as i64,
        shortcut_width: reads.shape.width as i64,
        shortcut_kernel_height: window.kernel[0] as i64,
        shortcut_kernel_width: window.kernel[1] as i64,
        shortcut_stride: window.stride as i64,
        shortcut_padding: window.padding as i64,
        shortcut_blocks: blocks as i64,
        shortcut_last_banks: last_banks(reads, arch),
        shortcut_ky_step: walk.ky_step,
        shortcut_x_step: walk.x_step,
        shortcut_row_step: walk.row_step,
        shortcut_frame_step: reads.frame_words(arch.rows) as i64,
        ..none
    }
}

fn drain(
    work: &ArrayWork,
    writes: Option<&Buffer>,
    plan: &Plan,
    network: &QuantNetwork,
    arch: &ArchConfig,
) -> Drain<i64> {
    let (drain, steps) = (&work.drain, &work.drain.steps);
    let shift = |node: &str| i64::from(shift(network, node));
    let shortcut = drain.shortcut.as_ref().map(|shortcut| Multiplier::of(network, shortcut));
    let place = Place::of(work, writes, plan, arch);
    let is_logits = drain.gives == Gives::Logits;
    let channels = work.output.channels as i64;
    let groups = work.groups(arch.lanes) as i64;
    let frames = work.stream.as_ref().map_or(steps.len(), |stream| stream.frames) as i64;
    // The frames of logits are positions to the drain, which sums them up.
    let (frames, of_logits) = if is_logits { (1, frames) } else { (frames, 1) };
    Drain {
        frames,
        tiles: work.tiling.tiles as i64,
        tile_positions: work.tiling.positions as i64 * of_logits,
        last_tile_positions: work.tiling.last_positions as i64 * of_logits,
        logits: is_logits.into(),
        time_steps: steps.len() as i64,
        groups,
        parameter_base: drain.parameter_base as i64,
        requant_shift: shift(drain.takes.node()),
        shortcut: shortcut.map_or(0, Multiplier::field),
        shortcut_entry: shortcut_entry(work),
        shortcut_shift: shortcut.map_or(0, Multiplier::shift),
        shortcut_step: place.shortcut_step,
        spike_shift: drain.neuron().map_or(0, shift),
        out_base: place.base,
        out_tile_step: work.tiling.positions as i64 * place.blocks,
        out_frame_step: place.frame_words,
        out_blocks: place.blocks,
        classes: if is_logits { channels } else { 0 },
        fresh: (steps.start == 0).into(),
        potentials_follow: drain.keeps_potentials(network.time_steps).into(),
        ..attention(drain, channels, groups, network, arch)
    }
}

/// The fields of attention.
fn attention(
    drain: &Drained,
    channels: i64,
    groups: i64,
    network: &QuantNetwork,
    arch: &ArchConfig,
) -> Drain<i64> {
    let (kind, node) = match (&drain.takes, &drain.gives) {
        (Takes::Kept(node), _) => (ATTENTION_SCALES, node),
        (_, Gives::Kept(node)) => (ATTENTION_KEEPS, node),
        _ => return Drain::default(),
    };
    Drain {
        attention: kind.into(),
        channels,
        sum_step: groups * arch.lanes as i64,
        score_reach: reach_of(network, node) as i64,
        score_base: drain.score_base as i64,
        ..Drain::default()
    }
}

/// Where a result lies, or the codes of a shortcut whose currents are kept.
#[derive(Default)]
struct Place {
    base: i64,
    blocks: i64,
    frame_words: i64,
    shortcut_step: i64,
}

impl Place {
    fn of(work: &ArrayWork, writes: Option<&Buffer>, plan: &Plan, arch: &ArchConfig) -> Self {
        let codes = match &work.drain.shortcut {
            Some(Shortcut { from: ShortcutFrom::Codes(reads), .. }) => Some(&plan.buffers[*reads]),
            _ => None,
        };
        let Some(layout) = writes.or(codes) else { return Place::default() };
        let frame_words = layout.frame_words(arch.rows) as i64;
        let base = writes.map_or(0, |buffer| buffer.base as i64);
        Place {
            base: base + work.drain.steps.start as i64 * frame_words,
            blocks: layout.blocks(arch.rows) as i64,
            frame_words,
            shortcut_step: codes.map_or(0, |buffer| buffer.base as i64 - base),
        }
    }
}

/// The right shift of a node.
fn shift(network: &QuantNetwork, node: &str) -> u8 {
    match network.op(node) {
        Some(QuantOp::Conv { shift, .. } | QuantOp::Seca { shift, .. } | QuantOp::Neuron { shift, .. }) => {
            *shift
        }
        _ => 0,
    }
}

fn pool(pooling: &Pooling, [reads, writes]: [&Buffer; 2], arch: &ArchConfig) -> Pool<i64> {
    let blocks = reads.blocks(arch.rows) as i64;
    let signed = |x: usize| x as i64;
    let (height, width) = (signed(reads.shape.height), signed(reads.shape.width));
    let [stride_y, stride_x] = pooling.stride.map(signed);
    let [kernel_height, kernel_width] = pooling.kernel.map(signed);
    let padding = signed(pooling.padding);
    let (maximum, shift) = match pooling.gives {
        Pooled::Sum { shift } => (0, shift),
        Pooled::Maximum => (1, 0),
    };
    // Steps start from a window's last block.
    let last_block = blocks - 1;
    let last_of_row = (signed(writes.shape.width) - 1) * stride_x * blocks;
    let last_row = (signed(writes.shape.height) - 1) * stride_y * width * blocks;
    Pool {
        maximum,
        in_origin: reads.base as i64 - padding * (width + 1) * blocks,
        in_height: height,
        in_width: width,
        stride_height: stride_y,
        stride_width: stride_x,
        padding,
        kernel_height,
        kernel_width,
        kx_step: blocks,
        ky_step: (width - kernel_width + 1) * blocks,
        x_step: stride_x * blocks - last_block,
        row_step: stride_y * width * blocks - last_of_row - last_block,
        frame_step: height * width * blocks - last_row - last_of_row - last_block,
        blocks,
        out_height: writes.shape.height as i64,
        out_width: writes.shape.width as i64,
        frames: reads.frames as i64,
        shift: shift.into(),
        out_base: writes.base as i64,
    }
}
