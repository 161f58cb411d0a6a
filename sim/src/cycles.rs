//! Cycles of an inference, from the schedule and the architecture alone.
//!
//! The count is the accelerator's own: from the cycle after `start` to the one in which the schedule's end has
//! been read, with the input already in its buffer and the receiver always ready. The latencies are those of
//! [`empf_hw::timing`].

use empf_hw::timing::{
    BANK_FREE_CYCLES, FETCH_CYCLES, LAUNCH_CYCLES, LOGIT_CYCLES, POOL_TAIL_CYCLES, RESULT_CYCLES,
    STREAM_START_CYCLES, UNFOLD_TAKE_CYCLES, block_delay, control_delay, least_run_cycles, load_cycles,
};
use empf_ir::ArchConfig;
use empf_ir::isa::{Array, Drain, Pool, Stream, Task, Unfold, Unit};
use std::collections::BTreeMap;

/// Cycles of an inference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cycles {
    /// From the end of the step before, or from the start, to the end of each step.
    pub steps: Vec<u64>,
    /// Of the whole inference.
    pub total: u64,
}

impl Cycles {
    /// The cycles of a schedule.
    pub fn of<'a>(schedule: impl IntoIterator<Item = &'a Task>, arch: &ArchConfig) -> Self {
        let mut sequencer = Sequencer::default();
        let mut ends = vec![0];
        for task in schedule {
            ends.push(sequencer.run(task, arch));
        }
        let steps = ends.windows(2).map(|pair| pair[1] - pair[0]).collect();
        Cycles { steps, total: sequencer.wait(&Unit::ALL) }
    }
}

/// Cycle numbers of the sequencer and its units; an inference starts behind cycle 0.
#[derive(Default)]
struct Sequencer {
    /// The last start, of the inference or of a unit: the next opcode is fetched behind it.
    started: u64,
    /// Last cycle of each unit that has run.
    done: BTreeMap<Unit, u64>,
}

impl Sequencer {
    /// Runs a step; gives its last cycle.
    fn run(&mut self, task: &Task, arch: &ArchConfig) -> u64 {
        match task {
            Task::Unfold(d) => {
                let start = self.launch(Unit::Unfold);
                self.end(Unit::Unfold, start + unfold(d, arch))
            }
            Task::Array(d) => {
                let start = [self.launch(Unit::Stream), self.launch(Unit::Drain)];
                let [streamed, drained] = array(d, start, arch);
                self.end(Unit::Stream, streamed);
                self.end(Unit::Drain, drained)
            }
            Task::Drain(d) => {
                let start = self.launch(Unit::Drain);
                self.end(Unit::Drain, drain(d, start, arch))
            }
            Task::Pool(d) => {
                let start = self.launch(Unit::Pool);
                self.end(Unit::Pool, start + pool(d, arch))
            }
        }
    }

    /// The cycle in which an opcode is known and `units` are seen to be idle.
    fn wait(&self, units: &[Unit]) -> u64 {
        let idle = units.iter().filter_map(|unit| self.done.get(unit)).max().map_or(0, |done| done + 1);
        idle.max(self.started + FETCH_CYCLES as u64)
    }

    /// Hands `unit` its descriptor; gives the cycle of its start.
    fn launch(&mut self, unit: Unit) -> u64 {
        self.started = self.wait(unit.waits_for()) + (unit.fields().len() + LAUNCH_CYCLES) as u64;
        self.started
    }

    fn end(&mut self, unit: Unit, cycle: u64) -> u64 {
        self.done.insert(unit, cycle);
        cycle
    }
}

/// A code a cycle; after each group of `lanes` codes the last is taken, and the planes are written.
fn unfold(d: &Unfold, arch: &ArchConfig) -> u64 {
    let windows = product([d.frames, d.out_height, d.out_width]);
    let codes = product([d.kernel_height, d.kernel_width, d.channels]);
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
/// `start` is the cycle in which each of the two units is started; the result is the last cycle of each.
fn array(Array { stream: s, drain: d }: &Array, start: [u64; 2], arch: &ArchConfig) -> [u64; 2] {
    let array = (control_delay(arch.rows) + block_delay(arch.cols)) as u64;
    let mut next_stream = start[0] + STREAM_START_CYCLES as u64;
    let mut drain = DrainCycles::new(d, start[1], arch);
    // Cycles in which the banks of the block before the last one and of the last one were freed.
    let mut freed: [Option<u64>; 2] = [None, None];
    for tile in 0..s.tiles {
        let positions = s.tile(tile).len() as u32;
        let drained = d.tile(tile).len() as u32;
        let tile = WeightTile::new(s, arch, positions);
        for block in 0..s.column_blocks {
            let bank = freed[0].map_or(0, |end| end + BANK_FREE_CYCLES as u64);
            let first = next_stream.max(bank);
            next_stream = first + tile.count * tile.cycles;
            let written = first + (tile.count - 1) * tile.cycles + tile.vectors - 1 + array;
            freed = [freed[1], Some(drain.block(written, block, drained))];
        }
    }
    [next_stream - 1, drain.closed]
}

/// A drain without a stream waits for nothing.
fn drain(d: &Drain, start: u64, arch: &ArchConfig) -> u64 {
    let mut drain = DrainCycles::new(d, start, arch);
    let column_blocks = d.groups.div_ceil((arch.cols / arch.lanes) as u32);
    for tile in 0..d.tiles {
        let positions = d.tile(tile).len() as u32;
        for block in 0..column_blocks {
            drain.block(start, block, positions);
        }
    }
    drain.closed
}

/// The drain's way through the runs of a layer.
struct DrainCycles<'a> {
    d: &'a Drain,
    arch: &'a ArchConfig,
    /// The cycle of the unit's start.
    start: u64,
    /// First cycle in which the next run may be opened.
    ready: u64,
    /// Runs and logits that are left.
    runs_left: u64,
    classes_left: u64,
    /// The cycle in which the last run was closed.
    closed: u64,
}

impl<'a> DrainCycles<'a> {
    fn new(d: &'a Drain, start: u64, arch: &'a ArchConfig) -> Self {
        let ready = start + load_cycles(d, arch) as u64;
        let runs_left = product([d.tiles, d.groups, d.time_steps]);
        DrainCycles { d, arch, start, ready, runs_left, classes_left: d.classes.into(), closed: start }
    }

    /// Drains column block `block` of a tile, whose last sum is written in the cycle `written`; gives the cycle in
    /// which its bank is free.
    fn block(&mut self, written: u64, block: u32, positions: u32) -> u64 {
        let of_block = (self.arch.cols / self.arch.lanes) as u32;
        let groups = self.d.groups.saturating_sub(block * of_block).min(of_block);
        self.ready = self.ready.max(written + 1);
        let is_last_block = (block + 1) * of_block >= self.d.groups;
        let runs = product([groups, self.d.time_steps]);
        for run in 0..runs {
            self.run(positions, is_last_block && run + 1 == runs);
        }
        self.closed
    }

    /// A position, or a half of one with a shortcut, a cycle, and behind them a logit a cycle, while the next run's parameters come in; the
    /// last run is closed with its last result, and so is the last of a tile where currents are kept. Runs with shortcuts
    /// are opened in every second cycle.
    fn run(&mut self, positions: u32, ends_tile: bool) {
        self.runs_left -= 1;
        let is_odd = (self.ready - self.start).is_multiple_of(2);
        let beats = if self.d.has_shortcut() { 2 } else { 1 };
        self.ready += u64::from(beats == 2 && is_odd);
        let is_last = self.runs_left == 0;
        let done = if self.d.logits == 1 {
            let sent = self.classes_left.min(self.arch.lanes as u64);
            self.classes_left -= sent;
            LOGIT_CYCLES as u64 + u64::from(positions - 1) + sent
        } else {
            let awaits_result = is_last || (ends_tile && self.d.keeps_currents());
            product([positions, beats]) + if awaits_result { RESULT_CYCLES as u64 } else { 1 }
        };
        let least = if is_last { 0 } else { least_run_cycles(self.d, self.arch) as u64 };
        self.closed = self.ready + done.max(least);
        self.ready = self.closed + 1;
    }
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
    fn new(d: &Stream, arch: &ArchConfig, positions: u32) -> Self {
        let vectors = product([d.frames, positions]);
        WeightTile {
            count: product([d.passes, d.kernel_height, d.kernel_width, d.blocks]) + d.shortcut_tiles(),
            vectors,
            cycles: vectors.max(arch.min_tile_cycles() as u64),
        }
    }
}

fn product<const N: usize>(counts: [u32; N]) -> u64 {
    counts.into_iter().map(u64::from).product()
}
