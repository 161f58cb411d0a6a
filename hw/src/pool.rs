//! Average pooling: sums windows of whole words, then shifts and writes them bank by bank.
//!
//! ```text
//! for frame, y, x, block:  for ky, kx:  one word a cycle, then idle up to rows / lanes cycles
//! ```
//!
//! A window is written while the next one is summed.

use crate::arithmetic::{clamp, counter_bits, round_shift_by};
use crate::descriptor::{FIELD_BITS, Registers, index_bits, keep_descriptor, opcode_bits, widths};
use crate::rtl::prelude::*;
use crate::unit_macro::unit;
use empf_ir::ArchConfig;
use empf_ir::isa::{POOL_WINDOW, Pool as Fields};

/// Cycles from the address of the last window's last word to the end, besides one for each bank.
pub const POOL_TAIL_CYCLES: usize = 2;

unit! {
    /// The pooling unit.
    pub(crate) struct Pool(arch: &ArchConfig, w: &Fields<usize>, sum: usize, bank_bits: usize) "pool" {
        reset_i: Wire<In> = Wire::new(1),
        field_valid_i: Wire<In> = Wire::new(1),
        field_opcode_i: Wire<In> = Wire::new(opcode_bits()),
        field_index_i: Wire<In> = Wire::new(index_bits()),
        field_data_i: Wire<In> = Wire::new(FIELD_BITS),
        start_i: Wire<In> = Wire::new(1),
        done_o: Wire<Out> = Wire::new(1),
        read_o: Wire<Out> = Wire::new(1),
        read_address_o: Wire<Out> = Wire::new(w.in_base),
        /// One cycle after `read_o`.
        code_i: Vec<Wire<In>> = Wire::array(arch.rows, arch.act_bits as usize),
        write_o: Wire<Out> = Wire::new(arch.banks()),
        write_address_o: Wire<Out> = Wire::new(w.in_base),
        write_data_o: Wire<Out> = Wire::new(arch.lanes * arch.act_bits as usize),

        descriptor: Registers<Fields<Wire<Local>>> = Registers::new(arch),

        reading: Wire<Local> = Wire::new(1),
        waiting: Wire<Local> = Wire::new(1),
        kx_left: Wire<Local> = Wire::new(w.kernel_width),
        ky_left: Wire<Local> = Wire::new(w.kernel_height),
        blocks_left: Wire<Local> = Wire::new(w.blocks),
        x_left: Wire<Local> = Wire::new(w.out_width),
        y_left: Wire<Local> = Wire::new(w.out_height),
        frames_left: Wire<Local> = Wire::new(w.frames),
        window: Wire<Local> = Wire::new(w.in_base),
        tap: Wire<Local> = Wire::new(w.in_base),
        first_tap: Wire<Local> = Wire::new(1),
        /// Banks that still have to be written before the next window may start to be.
        wait_left: Wire<Local> = Wire::new(bank_bits),

        word_valid: Wire<Local> = Wire::new(1),
        word_first: Wire<Local> = Wire::new(1),
        word_last: Wire<Local> = Wire::new(1),
        sum_valid: Wire<Local> = Wire::new(1),
        last_window: Vec<Wire<Local>> = Wire::array(2, 1),
        sum: Vec<Wire<Local>> = Wire::array(arch.rows, sum),
        held: Vec<Wire<Local>> = Wire::array(arch.rows, sum),
        banks_left: Wire<Local> = Wire::new(bank_bits),
        bank: Wire<Local> = Wire::new(counter_bits(arch.banks() - 1)),
        finishing: Wire<Local> = Wire::new(1),
        write_address: Wire<Local> = Wire::new(w.in_base),
    }
}

impl Pool {
    /// The pooling unit of `arch`.
    pub(crate) fn new(arch: &ArchConfig) -> Self {
        // A window of codes that all are the greatest.
        let sum = arch.act_bits as usize + POOL_WINDOW.ilog2() as usize;
        let mut u = Self::declare(arch, &widths(arch), sum, counter_bits(arch.banks()));
        u._rtl.doc("Average pooling: sums windows of whole words, then shifts and writes them bank by bank.");
        u._rtl.reset(&u.reset_i);
        keep_descriptor!(u);
        let last = u.walk(arch.banks());
        u.accumulate(&last.0, &last.1);
        u.write(arch, sum);
        u
    }

    /// Reads the words of all windows; returns whether the present word is its window's last, and whether
    /// the window is the last of all.
    fn walk(&mut self, banks: usize) -> (Expr, Expr) {
        let rtl = &mut self._rtl;
        let d = &self.descriptor;
        let start = self.start_i.e();
        rtl.section("Loops: words of a window, then windows; a window waits until the last one is written");
        let [row_end, last_word] = rtl.nest(
            &start,
            &self.reading.e(),
            [
                Loop { end: "row_end", left: &self.kx_left, turns: &d.kernel_width },
                Loop { end: "last_word", left: &self.ky_left, turns: &d.kernel_height },
            ],
        );
        let waited = self.wait_left.is(0) | self.wait_left.is(1);
        let window_end = rtl.named("window_end", (&last_word | &self.waiting) & waited);
        let [blocks_end, x_end, y_end, all_end] = rtl.nest(
            &start,
            &window_end,
            [
                Loop { end: "blocks_end", left: &self.blocks_left, turns: &d.blocks },
                Loop { end: "x_end", left: &self.x_left, turns: &d.out_width },
                Loop { end: "y_end", left: &self.y_left, turns: &d.out_height },
                Loop { end: "all_end", left: &self.frames_left, turns: &d.frames },
            ],
        );
        rtl.register(&self.reading, 0)
            .when(&start, lit(1, 1))
            .when(&all_end, lit(0, 1))
            .when(&window_end, lit(1, 1))
            .when(&last_word, lit(0, 1));
        rtl.register(&self.waiting, 0).when(&window_end, lit(0, 1)).when(&last_word, lit(1, 1));
        let restart = rtl.named("restart", start | &window_end);
        rtl.register(&self.wait_left, 0)
            .when(&restart, lit(banks as u64, self.wait_left.width()))
            .when(self.wait_left.e().any(), self.wait_left.minus(1));
        rtl.register(&self.first_tap, 1).when(&restart, lit(1, 1)).when(&self.reading, lit(0, 1));

        rtl.section("Address: that of the window and, within it, of the tap");
        let next_x = mux(&blocks_end, &d.x_step, lit(1, self.window.width()));
        let step = mux(&y_end, &d.frame_step, mux(&x_end, &d.row_step, next_x));
        rtl.register(&self.window, 0).when(&self.start_i, &d.in_base).when(&window_end, &self.window + step);
        rtl.register(&self.tap, 0)
            .when(restart | &last_word, self.tap.zero())
            .when(&self.reading, &self.tap + mux(row_end, &d.ky_step, &d.kx_step));
        rtl.assign(&self.read_o, &self.reading);
        rtl.assign(&self.read_address_o, &self.window + &self.tap);
        let of_last_window = [&self.blocks_left, &self.x_left, &self.y_left, &self.frames_left];
        let last_of_all = of_last_window.into_iter().fold(last_word.clone(), |all, left| all & left.is(1));
        (last_word, rtl.named("last_word_of_all", last_of_all))
    }

    fn accumulate(&mut self, last_word: &Expr, last_of_all: &Expr) {
        let rtl = &mut self._rtl;
        rtl.section("Sums of a window, which are held while they are written");
        rtl.register(&self.word_valid, 0).set(&self.reading);
        rtl.register(&self.word_first, 0).set(&self.first_tap);
        rtl.register(&self.word_last, 0).set(last_word);
        rtl.register(&self.sum_valid, 0).set(&self.word_last);
        let last_of_all = rtl.delay(last_of_all, &self.last_window);
        for (r, sum) in self.sum.iter().enumerate() {
            let width = sum.width();
            let old = mux(&self.word_first, lit(0, width), sum);
            rtl.register(sum, 0).when(&self.word_valid, old + self.code_i[r].e().zext(width)).without_reset();
            rtl.register(&self.held[r], 0).when(&self.sum_valid, sum).without_reset();
        }
        rtl.register(&self.finishing, 0).when(&self.start_i, lit(0, 1)).when(&self.sum_valid, last_of_all);
    }

    fn write(&mut self, arch: &ArchConfig, sum: usize) {
        let rtl = &mut self._rtl;
        rtl.section("Means are written bank by bank");
        let writing = rtl.named("writing", self.banks_left.e().any());
        let last = rtl.named("last_bank", self.banks_left.is(1));
        rtl.register(&self.banks_left, 0)
            .when(&self.sum_valid, lit(arch.banks() as u64, self.banks_left.width()))
            .when(&writing, self.banks_left.minus(1));
        rtl.register(&self.bank, 0).when(&self.sum_valid, self.bank.zero()).when(&writing, self.bank.plus(1));
        rtl.register(&self.write_address, 0)
            .when(&self.start_i, &self.descriptor.out_base)
            .when(&last, self.write_address.plus(1));
        let shift = self.descriptor.shift.e();
        let code = |lane: usize| {
            let choices: Vec<Expr> =
                (0..arch.banks()).map(|b| self.held[b * arch.lanes + lane].e()).collect();
            let held =
                if let [single] = &choices[..] { single.clone() } else { select(&choices, &self.bank) };
            let rounded = round_shift_by(&held.zext(sum + 1), &shift);
            clamp(&rounded.slice(0, sum + 1), arch.act_bits as usize)
        };
        let codes: Vec<Expr> = (0..arch.lanes).rev().map(code).collect();
        let banks = (0..arch.banks() as u64).rev().map(|b| self.bank.is(b) & &writing);
        rtl.assign(&self.write_o, concat(banks));
        rtl.assign(&self.write_address_o, &self.write_address);
        rtl.assign(&self.write_data_o, concat(codes));
        rtl.assign(&self.done_o, last & &self.finishing);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench_support::{described, launch};

    described!(Pool);

    /// Words written, `(address, bank, data)`, and the cycles from the start to `done_o`.
    fn run(
        arch: &ArchConfig,
        d: &Fields,
        memory: impl Fn(u64, usize) -> u64,
    ) -> (Vec<(u64, usize, u64)>, usize) {
        let mut unit = Bench::new(Pool::new(arch), |unit| &unit.clock);
        launch(&mut unit, d);
        let mut written = vec![];
        for cycle in 1..10_000 {
            for bank in (0..arch.banks()).filter(|b| unit.write_o.get() >> b & 1 == 1) {
                written.push((unit.write_address_o.get(), bank, unit.write_data_o.get()));
            }
            if unit.done_o.get() == 1 {
                return (written, cycle);
            }
            let read = (unit.read_o.get() == 1).then(|| unit.read_address_o.get());
            unit.tick();
            if let Some(address) = read {
                for (row, code) in unit.code_i.iter().enumerate() {
                    code.set(memory(address, row));
                }
            }
        }
        panic!("the unit does not end");
    }

    /// Windows of `side` over two frames of 7x6 maps of two blocks at address 50.
    fn check(rows: usize, lanes: usize, side: u32, stride: u32, shift: u32) {
        let arch = ArchConfig { rows, lanes, cols: lanes, activation_depth: 4096, ..ArchConfig::default() };
        let (height, width, blocks, frames) = (7u32, 6u32, 2u32, 2u32);
        let (out_height, out_width) = ((height - side) / stride + 1, (width - side) / stride + 1);
        let window = |y: u32, x: u32| (y * stride * width + x * stride) * blocks;
        let last = window(out_height - 1, out_width - 1) + blocks - 1;
        let d = Fields {
            in_base: 50,
            kernel_height: side,
            kernel_width: side,
            kx_step: blocks,
            ky_step: width * blocks - (side - 1) * blocks,
            x_step: stride * blocks - (blocks - 1),
            row_step: window(1, 0).wrapping_sub(window(0, out_width - 1) + blocks - 1),
            frame_step: (height * width * blocks).wrapping_sub(last),
            blocks,
            out_height,
            out_width,
            frames,
            shift,
            out_base: 1000,
        };
        let memory = |address: u64, row: usize| (address * 37 + row as u64 * 91 + address * address) % 256;
        let mut expected = vec![];
        let windows = frames_rows_columns_blocks(frames, out_height, out_width, blocks);
        for (address, (frame, y, x, block)) in (1000..).zip(windows) {
            for bank in 0..arch.banks() {
                let code = |lane: usize| {
                    let taps = (0..side * side).map(|tap| {
                        let at = frame * height * width * blocks + window(y, x) + block;
                        let tap = (tap / side * width + tap % side) * blocks;
                        memory(u64::from(50 + at + tap), bank * lanes + lane)
                    });
                    let sum: u64 = taps.sum();
                    ((sum + (1 << shift >> 1)) >> shift).min(255)
                };
                let data = (0..lanes).rev().fold(0, |word, lane| word << 8 | code(lane));
                expected.push((address, bank, data));
            }
        }
        let (written, cycles) = run(&arch, &d, memory);
        assert_eq!(written, expected);
        let (windows, taps, banks) = (expected.len() / arch.banks(), (side * side) as usize, arch.banks());
        assert_eq!(cycles, (windows - 1) * taps.max(banks) + taps + POOL_TAIL_CYCLES + banks);
    }

    fn frames_rows_columns_blocks(
        a: u32,
        b: u32,
        c: u32,
        d: u32,
    ) -> impl Iterator<Item = (u32, u32, u32, u32)> {
        (0..a * b * c * d).map(move |i| (i / d / c / b, i / d / c % b, i / d % c, i % d))
    }

    #[test]
    fn windows_longer_and_shorter_than_the_banks() {
        check(8, 4, 2, 2, 2);
        check(16, 2, 2, 2, 1);
        check(4, 4, 3, 1, 3);
        check(8, 1, 1, 1, 0);
        check(8, 8, 6, 1, 6);
    }
}
