//! Cycles of an inference, from the descriptors and the architecture alone.
//!
//! The count is the accelerator's own: from the cycle after `start` to the one in which the schedule's end has
//! been read, with the input already in its buffer and the receiver always ready. The latencies are those of
//! [`empf_hw::timing`].

use empf_hw::timing::{
    BANK_FREE_CYCLES, END_CYCLES, FLUSH_CYCLES, POOL_TAIL_CYCLES, STEP_CYCLES, STREAM_START_CYCLES,
    UNFOLD_TAKE_CYCLES, block_delay, control_delay, load_cycles,
};
use empf_ir::ArchConfig;
use empf_ir::program::{Conv, Descriptor, Pool, Unfold};

/// Cycles from the one in which a bank's last sum is written to the drain's first: one counts the bank, one
/// sees the count.
const DRAIN_START_CYCLES: u64 = 2;

/// Cycles of an inference.
pub fn inference<'a>(schedule: impl IntoIterator<Item = &'a Descriptor>, arch: &ArchConfig) -> u64 {
    let steps: u64 = schedule.into_iter().map(|descriptor| step(descriptor, arch)).sum();
    steps + END_CYCLES as u64
}

/// Cycles of one step: its opcode and fields are read, its unit is started and runs until it is done.
pub fn step(descriptor: &Descriptor, arch: &ArchConfig) -> u64 {
    let (fields, unit) = match descriptor {
        Descriptor::Unfold(d) => (Unfold::FIELDS, unfold(d, arch)),
        Descriptor::Conv(d) => (Conv::FIELDS, conv(d, arch)),
        Descriptor::Pool(d) => (Pool::FIELDS, pool(d, arch)),
    };
    (fields.len() + STEP_CYCLES) as u64 + unit
}

/// A code a cycle; after each group of `lanes` codes the last is taken, and the planes are written.
fn unfold(d: &Unfold, arch: &ArchConfig) -> u64 {
    let windows = product([d.frames, d.out_height, d.out_width]);
    let codes = product([d.kernel, d.kernel, d.channels]);
    let groups = codes.div_ceil(arch.lanes as u64);
    windows * (codes + groups * (UNFOLD_TAKE_CYCLES + arch.input_planes()) as u64)
}

/// A word a cycle; a window is written, bank by bank, while the next one is summed.
fn pool(d: &Pool, arch: &ArchConfig) -> u64 {
    let windows = product([d.frames, d.out_height, d.out_width, d.blocks]);
    let taps = product([d.kernel_height, d.kernel_width]);
    let banks = arch.banks() as u64;
    (windows - 1) * taps.max(banks) + taps + POOL_TAIL_CYCLES as u64 + banks
}

/// Streams and drains of column blocks overlap, since the accumulators have two banks:
///
/// ```text
/// stream n starts when stream n-1 has ended, and when drain n-2 has freed its bank
/// drain n  starts when the last sum of stream n has been written, and when drain n-1 has ended
/// ```
///
/// Cycles count from the start of the unit, which is cycle 0.
fn conv(d: &Conv, arch: &ArchConfig) -> u64 {
    let groups_of_block = (arch.cols / arch.lanes) as u32;
    let array = (control_delay(arch.rows) + block_delay(arch.cols)) as u64;
    let mut next_stream = STREAM_START_CYCLES as u64;
    // Last cycles of the drain before the last one and of the last one.
    let mut drained: [Option<u64>; 2] = [None, None];
    let mut classes_left = u64::from(d.classes);
    for tile in 0..d.tiles {
        let positions = if tile + 1 == d.tiles { d.last_tile_positions } else { d.tile_positions };
        let tile = WeightTile::new(d, arch, positions);
        for block in 0..d.column_blocks {
            let freed = drained[0].map_or(0, |end| end + BANK_FREE_CYCLES as u64);
            let stream = next_stream.max(freed);
            next_stream = stream + tile.count * tile.cycles;
            let written = stream + (tile.count - 1) * tile.cycles + tile.vectors - 1 + array;
            let start = written.max(drained[1].unwrap_or(0)) + DRAIN_START_CYCLES;
            let groups = d.groups.saturating_sub(block * groups_of_block).min(groups_of_block);
            let cycles = drain(d, arch, u64::from(groups), u64::from(positions), &mut classes_left);
            drained = [drained[1], Some(start + cycles - 1)];
        }
    }
    drained[1].unwrap_or(0)
}

/// Weight tiles of one column block.
struct WeightTile {
    /// How many the column block has.
    count: u64,
    /// Vectors that meet each.
    vectors: u64,
    /// Cycles of each.
    cycles: u64,
}

impl WeightTile {
    fn new(d: &Conv, arch: &ArchConfig, positions: u32) -> Self {
        let vectors = product([d.frames, positions]);
        WeightTile {
            count: product([d.passes, d.summed_frames, d.kernel, d.kernel, d.blocks]),
            vectors,
            cycles: vectors.max(arch.min_tile_cycles() as u64),
        }
    }
}

/// Cycles in which a column block is drained: for each group and step the parameters, a position a cycle and
/// the emptying of the lanes; for logits then one cycle each.
fn drain(d: &Conv, arch: &ArchConfig, groups: u64, positions: u64, classes_left: &mut u64) -> u64 {
    let runs = groups * u64::from(d.time_steps);
    let run = load_cycles(arch.lanes) as u64 + positions + FLUSH_CYCLES as u64;
    if d.logits == 0 {
        return runs * run;
    }
    let sent = (groups * arch.lanes as u64).min(*classes_left);
    *classes_left -= sent;
    runs * run + sent
}

fn product<const N: usize>(counts: [u32; N]) -> u64 {
    counts.into_iter().map(u64::from).product()
}
