//! One bank of accumulators.

use empf_ir::ArchConfig;

/// Sums of one column block over a tile of positions.
pub(super) struct Accumulators {
    /// `[frame * positions + position][column]`, wrapped to `acc_bits` bits.
    sums: Vec<i32>,
    cols: usize,
    /// 32 less `acc_bits`.
    unused_bits: u32,
}

/// What a sum does to the accumulator it meets.
#[derive(Clone, Copy)]
pub(super) enum Mode {
    Set,
    Add,
    DoubleAdd,
}

impl Accumulators {
    /// A bank of `entries` sums of each column.
    pub(super) fn new(entries: usize, arch: &ArchConfig) -> Self {
        Accumulators { sums: vec![0; entries * arch.cols], cols: arch.cols, unused_bits: 32 - arch.acc_bits }
    }

    /// Sums of all columns at `frame * positions + position`.
    pub(super) fn at(&self, entry: usize) -> &[i32] {
        &self.sums[entry * self.cols..(entry + 1) * self.cols]
    }

    pub(super) fn take(&mut self, entry: usize, mode: Mode, sums: &[i32]) {
        let unused = self.unused_bits;
        let kept = &mut self.sums[entry * self.cols..(entry + 1) * self.cols];
        for (kept, sum) in kept.iter_mut().zip(sums) {
            let before = match mode {
                Mode::Set => 0,
                Mode::Add => *kept,
                Mode::DoubleAdd => kept.wrapping_mul(2),
            };
            *kept = (before.wrapping_add(*sum) << unused) >> unused;
        }
    }
}
