//! What an inference reads and writes of each memory, from the schedule alone.
//!
//! Counted is what is used: not the words that a memory gives unasked, nor those outside a map, whose place a border
//! takes. A word of the schedule is read once, and the header not at all.

use empf_ir::ArchConfig;
use empf_ir::arch::Memory;
use empf_ir::formats::MAX_SCORE_REACH;
use empf_ir::isa::{Array, Drain, Pool, Stream, Task, Unfold};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use std::ops::AddAssign;

/// Bits that are read of a memory, and written to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Access {
    /// Read.
    pub read_bits: u64,
    /// Written.
    pub written_bits: u64,
}

/// Accesses to every memory; as JSON a map by the memory's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accesses([Access; Memory::ALL.len()]);

impl Accesses {
    /// Those to `memory`.
    pub fn of(&self, memory: Memory) -> Access {
        self.0[memory as usize]
    }

    /// Those of an inference with this schedule, whose end is read too.
    pub fn of_schedule<'a>(schedule: impl IntoIterator<Item = &'a Task>, arch: &ArchConfig) -> Self {
        let mut accesses = Accesses::default();
        for task in schedule {
            accesses += &Accesses::of_task(task, arch);
        }
        accesses.read(Memory::Schedule, 1, u32::BITS);
        accesses
    }

    /// Those of a step of the schedule.
    pub fn of_task(task: &Task, arch: &ArchConfig) -> Self {
        let mut accesses = Accesses::default();
        accesses.read(Memory::Schedule, task.words().len() as u64, u32::BITS);
        match task {
            Task::Unfold(d) => accesses.unfold(d, arch),
            Task::Array(array) => {
                let Array { stream, drain } = &**array;
                accesses.stream(stream, arch);
                accesses.drain(drain, arch);
            }
            Task::Drain(d) => accesses.drain(d, arch),
            Task::Pool(d) => accesses.pool(d, arch),
        }
        accesses
    }

    /// `count` reads of so many bits.
    pub(crate) fn read(&mut self, memory: Memory, count: u64, bits: u32) {
        self.0[memory as usize].read_bits += count * u64::from(bits);
    }

    /// `count` writes of so many bits.
    pub(crate) fn write(&mut self, memory: Memory, count: u64, bits: u32) {
        self.0[memory as usize].written_bits += count * u64::from(bits);
    }

    fn unfold(&mut self, d: &Unfold, arch: &ArchConfig) {
        let windows = Windows {
            out: [d.out_height, d.out_width],
            kernel: [d.kernel_height, d.kernel_width],
            size: [d.in_height, d.in_width],
            stride: [d.stride; 2],
            padding: d.padding,
        };
        let codes = windows.inside() * product([d.frames, d.channels]);
        self.read(Memory::Input, codes, Memory::Input.word_bits(arch));
        let groups = product([d.kernel_height, d.kernel_width, d.channels]).div_ceil(arch.lanes as u64);
        let windows = product([d.frames, d.out_height, d.out_width]);
        self.write(Memory::Activation, windows * groups * arch.input_planes() as u64, bank_bits(arch));
    }

    fn stream(&mut self, d: &Stream, arch: &ArchConfig) {
        self.vectors(d, arch);
        if let Some(shortcut) = d.of_shortcut() {
            self.vectors(&shortcut, arch);
        }
        self.read(Memory::Weight, u64::from(d.tiles) * d.weight_words(arch), Memory::Weight.word_bits(arch));
    }

    /// The vectors of a layer, or of its shortcut.
    fn vectors(&mut self, d: &Stream, arch: &ArchConfig) {
        let windows = Windows {
            out: [(d.positions() / u64::from(d.out_width)) as u32, d.out_width],
            kernel: [d.kernel_height, d.kernel_width],
            size: [d.in_height, d.in_width],
            stride: [d.stride; 2],
            padding: d.padding,
        };
        let of_tap = product([d.frames, d.column_blocks, d.passes, d.blocks]);
        self.read(Memory::Activation, of_tap * windows.inside(), Memory::Activation.word_bits(arch));
        let column_bits = arch.cols as u32 * arch.acc_bits;
        let vectors = of_tap * product([d.kernel_height, d.kernel_width]) * d.positions();
        self.write(Memory::Accumulator, vectors, column_bits);
        // The first vectors of a column block set the sums.
        let set = product([d.frames, d.column_blocks]) * d.positions();
        self.read(Memory::Accumulator, vectors - set, column_bits);
    }

    fn drain(&mut self, d: &Drain, arch: &ArchConfig) {
        let runs = product([d.groups, d.time_steps]);
        let results = d.positions() * runs;
        let lanes = arch.lanes as u32;
        let sums = u64::from(!d.scales_currents()) + u64::from(d.has_shortcut_sums());
        self.read(Memory::Accumulator, results * sums, lanes * arch.acc_bits);
        let parameters = u64::from(d.tiles) * d.parameter_words(arch);
        self.read(Memory::Parameter, parameters, arch.parameter_bits());
        if d.logits == 1 {
            return;
        }
        if d.has_shortcut() && !d.has_shortcut_sums() {
            self.read(Memory::Activation, results, bank_bits(arch));
        }
        self.attention(d, u64::from(d.tiles) * runs, results, arch);
        if !d.keeps_currents() {
            let known = if d.fresh == 1 { d.time_steps - 1 } else { d.time_steps };
            let before = d.positions() * product([d.groups, known]);
            self.read(Memory::Potential, before, lanes * arch.membrane_bits);
            self.write(Memory::Potential, results, lanes * arch.membrane_bits);
            self.write(Memory::Activation, results, bank_bits(arch));
        }
    }

    fn attention(&mut self, d: &Drain, runs: u64, results: u64, arch: &ArchConfig) {
        let (lanes, sum_bits) = (arch.lanes as u64, arch.current_sum_bits());
        let current_bits = arch.lanes as u32 * arch.membrane_bits;
        if d.keeps_currents() {
            self.write(Memory::Current, results, current_bits);
            self.write(Memory::Sum, runs * lanes, sum_bits);
            self.read(Memory::Sum, (runs - runs / u64::from(d.tiles)) * lanes, sum_bits);
        }
        if d.scales_currents() {
            self.read(Memory::Current, results, current_bits);
            self.read(Memory::Sum, runs * (lanes + 2 * MAX_SCORE_REACH as u64), sum_bits);
            self.read(Memory::Parameter, runs * lanes, arch.parameter_bits());
        }
    }

    fn pool(&mut self, d: &Pool, arch: &ArchConfig) {
        let windows = Windows {
            out: [d.out_height, d.out_width],
            kernel: [d.kernel_height, d.kernel_width],
            size: [d.in_height, d.in_width],
            stride: [d.stride_height, d.stride_width],
            padding: d.padding,
        };
        let blocks = product([d.frames, d.blocks]);
        let word_bits = Memory::Activation.word_bits(arch);
        self.read(Memory::Activation, blocks * windows.inside(), word_bits);
        self.write(Memory::Activation, blocks * product([d.out_height, d.out_width]), word_bits);
    }
}

impl AddAssign<&Accesses> for Accesses {
    fn add_assign(&mut self, other: &Accesses) {
        for (own, other) in self.0.iter_mut().zip(&other.0) {
            own.read_bits += other.read_bits;
            own.written_bits += other.written_bits;
        }
    }
}

impl Serialize for Accesses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for memory in Memory::ALL {
            map.serialize_entry(memory.key().trim_end_matches("_depth"), &self.of(memory))?;
        }
        map.end()
    }
}

/// Bits of a bank of an activation word.
fn bank_bits(arch: &ArchConfig) -> u32 {
    arch.lanes as u32 * arch.act_bits
}

/// Windows over a map: rows, then columns.
struct Windows {
    out: [u32; 2],
    kernel: [u32; 2],
    size: [u32; 2],
    stride: [u32; 2],
    padding: u32,
}

impl Windows {
    /// Taps of all windows that lie in the map.
    fn inside(&self) -> u64 {
        self.inside_along(0) * self.inside_along(1)
    }

    fn inside_along(&self, axis: usize) -> u64 {
        let of_window = |out: u32| {
            let (first, end) = (out * self.stride[axis], out * self.stride[axis] + self.kernel[axis]);
            end.min(self.size[axis] + self.padding).saturating_sub(first.max(self.padding))
        };
        (0..self.out[axis]).map(|out| u64::from(of_window(out))).sum()
    }
}

fn product<const N: usize>(counts: [u32; N]) -> u64 {
    counts.into_iter().map(u64::from).product()
}
