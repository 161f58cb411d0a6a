//! Pooling: sums windows of whole words, or finds their largest codes, then shifts and writes them bank by bank.
//!
//! ```text
//! for frame, y, x, block:  for ky, kx:  one word a cycle, then idle up to rows / lanes cycles
//! ```
//!
//! A window is written while the next one is read. Outside the map codes are 0, which changes neither a sum nor the
//! largest code of a window that has a position in the map.

use crate::arithmetic::{ROUND_SHIFT_DELAY, RoundShift, clamp, counter_bits};
use crate::descriptor::{FIELD_BITS, Registers, index_bits, keep_descriptor, opcode_bits, widths};
use crate::rtl::READ_DELAY;
use crate::rtl::prelude::*;
use crate::stream::{COORDINATE_BITS, is_inside};
use crate::unit_macro::unit;
use empf_ir::ArchConfig;
use empf_ir::isa::{POOL_WINDOW, Pool as Fields};

/// Cycles from the choice of a word to its address at the memory: one to choose it, one to add window and tap.
const ADDRESS_DELAY: usize = 2;
/// Cycles from the choice of a word to its codes, those outside the map at 0.
const CODE_DELAY: usize = ADDRESS_DELAY + READ_DELAY + 1;
/// Cycles from the choice of a bank to its codes at the memory: chosen, shifted and rounded, limited.
const WRITE_DELAY: usize = 1 + ROUND_SHIFT_DELAY + 1;
/// Cycles from the choice of the last window's last word to the end, besides one for each bank: code, sum, write.
pub const POOL_TAIL_CYCLES: usize = CODE_DELAY + 1 + WRITE_DELAY;

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
        read_address_o: Wire<Out> = Wire::new(w.in_origin),
        /// [`READ_DELAY`] cycles after `read_o`.
        code_i: Vec<Wire<In>> = Wire::array(arch.rows, arch.act_bits as usize),
        write_o: Wire<Out> = Wire::new(arch.banks()),
        write_address_o: Wire<Out> = Wire::new(w.in_origin),
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
        /// The present turns of these loops are the last.
        last_kx: Wire<Local> = Wire::new(1),
        last_ky: Wire<Local> = Wire::new(1),
        last_block: Wire<Local> = Wire::new(1),
        last_x: Wire<Local> = Wire::new(1),
        last_y: Wire<Local> = Wire::new(1),
        last_frame: Wire<Local> = Wire::new(1),
        window: Wire<Local> = Wire::new(w.in_origin),
        window_y: Wire<Local> = Wire::new(COORDINATE_BITS),
        window_x: Wire<Local> = Wire::new(COORDINATE_BITS),
        tap: Wire<Local> = Wire::new(w.in_origin),
        tap_y: Wire<Local> = Wire::new(COORDINATE_BITS),
        tap_x: Wire<Local> = Wire::new(COORDINATE_BITS),
        first_tap: Wire<Local> = Wire::new(1),
        /// Banks that still have to be written before the next window may start to be.
        wait_left: Wire<Local> = Wire::new(bank_bits),
        waited: Wire<Local> = Wire::new(1),

        /// A cycle after the choice of a word, and of its window: what begins or ends with it.
        chosen_word: Wire<Local> = Wire::new(1),
        begins: Wire<Local> = Wire::new(1),
        restarts: Wire<Local> = Wire::new(1),
        row_ends: Wire<Local> = Wire::new(1),
        words_end: Wire<Local> = Wire::new(1),
        window_ends: Wire<Local> = Wire::new(1),
        blocks_end: Wire<Local> = Wire::new(1),
        x_ends: Wire<Local> = Wire::new(1),
        y_ends: Wire<Local> = Wire::new(1),
        border: Wire<Local> = Wire::new(COORDINATE_BITS),

        word_y: Wire<Local> = Wire::new(COORDINATE_BITS),
        word_x: Wire<Local> = Wire::new(COORDINATE_BITS),
        word_inside: Vec<Wire<Local>> = Wire::array(READ_DELAY, 1),
        /// Beside a word on its way.
        word_valid: Vec<Wire<Local>> = Wire::array(CODE_DELAY, 1),
        word_first: Vec<Wire<Local>> = Wire::array(CODE_DELAY - 1, 1),
        word_last: Vec<Wire<Local>> = Wire::array(CODE_DELAY, 1),
        sum_valid: Wire<Local> = Wire::new(1),
        last_window: Vec<Wire<Local>> = Wire::array(CODE_DELAY + 1, 1),
        code: Vec<Wire<Local>> = Wire::array(arch.rows, arch.act_bits as usize),
        sum: Vec<Wire<Local>> = Wire::array(arch.rows, sum),
        held: Vec<Wire<Local>> = Wire::array(arch.rows, sum),

        banks_left: Wire<Local> = Wire::new(bank_bits),
        bank: Wire<Local> = Wire::new(counter_bits(arch.banks() - 1)),
        finishing: Wire<Local> = Wire::new(1),
        word: Wire<Local> = Wire::new(w.in_origin),
        chosen: Vec<Wire<Local>> = Wire::array(arch.lanes, sum),
        shifts: Vec<RoundShift> = (0..arch.lanes).map(|_| RoundShift::new(sum + 1, w.shift)).collect(),
        written: Vec<Wire<Local>> = Wire::array(arch.lanes, arch.act_bits as usize),
        /// Beside the codes on their way to the memory.
        writes: Vec<Wire<Local>> = Wire::array(WRITE_DELAY, arch.banks()),
        addresses: Vec<Wire<Local>> = Wire::array(WRITE_DELAY, w.in_origin),
        done: Vec<Wire<Local>> = Wire::array(WRITE_DELAY, 1),
    }
}

/// Conditions of the present cycle.
struct Events {
    /// The first window begins, or another may.
    restart: Expr,
    /// The last word of a window's row is read.
    row_end: Expr,
    /// The last word of a window is read.
    last_word: Expr,
    /// That of the last window.
    last_of_all: Expr,
    /// A window ends, and with it these loops.
    window_end: Expr,
    blocks_end: Expr,
    x_end: Expr,
    y_end: Expr,
}

impl Pool {
    /// The pooling unit of `arch`.
    pub(crate) fn new(arch: &ArchConfig) -> Self {
        // A window of codes that all are the greatest.
        let sum = arch.act_bits as usize + POOL_WINDOW.ilog2() as usize;
        let w = widths::<Fields<usize>>(arch);
        let mut u = Self::declare(arch, &w, sum, counter_bits(arch.banks().max(2)));
        u._rtl.doc(
            "Pooling: sums windows of whole words, or finds their largest codes, then writes them bank by bank.",
        );
        u._rtl.reset(&u.reset_i);
        keep_descriptor!(u);
        let events = u.events(arch.banks());
        u.walk(&events);
        u.accumulate(&events);
        u.choose_bank(arch);
        u.write(arch);
        u
    }

    fn events(&mut self, banks: usize) -> Events {
        let rtl = &mut self._rtl;
        let d = &self.descriptor;
        let start = self.start_i.e();
        rtl.section("Loops: words of a window, then windows; a window waits until the last one is written");
        let [row_end, last_word] = rtl.nest(
            &start,
            &self.reading.e(),
            [
                Loop { end: "row_end", left: &self.kx_left, last: &self.last_kx, turns: d.kernel_width.e() },
                Loop {
                    end: "last_word",
                    left: &self.ky_left,
                    last: &self.last_ky,
                    turns: d.kernel_height.e(),
                },
            ],
        );
        let window_end = rtl.named("window_end", (&last_word | &self.waiting) & &self.waited);
        let [blocks_end, x_end, y_end, all_end] = rtl.nest(
            &start,
            &window_end,
            [
                Loop {
                    end: "blocks_end",
                    left: &self.blocks_left,
                    last: &self.last_block,
                    turns: d.blocks.e(),
                },
                Loop { end: "x_end", left: &self.x_left, last: &self.last_x, turns: d.out_width.e() },
                Loop { end: "y_end", left: &self.y_left, last: &self.last_y, turns: d.out_height.e() },
                Loop { end: "all_end", left: &self.frames_left, last: &self.last_frame, turns: d.frames.e() },
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
        rtl.register(&self.waited, 0)
            .when(&restart, lit(u64::from(banks == 1), 1))
            .when(self.wait_left.is(2), lit(1, 1));
        let loops = [&self.last_block, &self.last_x, &self.last_y, &self.last_frame];
        let last_of_all = loops.into_iter().fold(last_word.clone(), |all, last| all & last);
        let last_of_all = rtl.named("last_word_of_all", last_of_all);
        Events { restart, row_end, last_word, last_of_all, window_end, blocks_end, x_end, y_end }
    }

    /// Reads the words of all windows, a cycle behind the loops.
    fn walk(&mut self, e: &Events) {
        let rtl = &mut self._rtl;
        let d = &self.descriptor;
        rtl.section("A cycle later: the word that was chosen, and what begins or ends with it");
        for (register, event) in [
            (&self.chosen_word, &self.reading.e()),
            (&self.begins, &self.start_i.e()),
            (&self.restarts, &e.restart),
            (&self.row_ends, &e.row_end),
            (&self.words_end, &e.last_word),
            (&self.window_ends, &e.window_end),
            (&self.blocks_end, &e.blocks_end),
            (&self.x_ends, &e.x_end),
            (&self.y_ends, &e.y_end),
        ] {
            rtl.register(register, 0).set(event);
        }
        rtl.section("Address: that of the window and, within it, of the tap");
        let first_tap = rtl.named("taps_again", &self.restarts | &self.words_end);
        rtl.register(&self.first_tap, 1).when(&self.restarts, lit(1, 1)).when(&self.chosen_word, lit(0, 1));
        let next_x = mux(&self.blocks_end, &d.x_step, lit(1, self.window.width()));
        let step = mux(&self.y_ends, &d.frame_step, mux(&self.x_ends, &d.row_step, next_x));
        rtl.register(&self.window, 0)
            .when(&self.begins, &d.in_origin)
            .when(&self.window_ends, &self.window + step);
        rtl.register(&self.tap, 0)
            .when(&first_tap, self.tap.zero())
            .when(&self.chosen_word, &self.tap + mux(&self.row_ends, &d.ky_step, &d.kx_step));
        rtl.register(&self.read_o, 0).set(&self.chosen_word);
        rtl.register(&self.read_address_o, 0).without_reset().set(&self.window + &self.tap);

        rtl.section("Coordinates of both, and whether the word is in the map");
        let zero = lit(0, COORDINATE_BITS);
        let [height, width] = [&d.stride_height, &d.stride_width].map(|s| s.e().zext(COORDINATE_BITS));
        rtl.register(&self.window_y, 0)
            .when(&self.begins | &self.y_ends, &zero)
            .when(&self.x_ends, &self.window_y + height);
        rtl.register(&self.window_x, 0)
            .when(&self.begins | &self.x_ends, &zero)
            .when(&self.blocks_end, &self.window_x + width);
        rtl.register(&self.border, 0).set(zero - d.padding.e().zext(COORDINATE_BITS));
        rtl.register(&self.tap_y, 0).when(&first_tap, &self.border).when(&self.row_ends, self.tap_y.plus(1));
        rtl.register(&self.tap_x, 0)
            .when(first_tap | &self.row_ends, &self.border)
            .when(&self.chosen_word, self.tap_x.plus(1));
        rtl.register(&self.word_y, 0).without_reset().set(&self.window_y + &self.tap_y);
        rtl.register(&self.word_x, 0).without_reset().set(&self.window_x + &self.tap_x);
        let inside = is_inside([&self.word_y, &self.word_x], [d.in_height.e(), d.in_width.e()]);
        rtl.delay_data(inside, &self.word_inside);
    }

    fn accumulate(&mut self, e: &Events) {
        let rtl = &mut self._rtl;
        rtl.section("Sums or largest codes of a window, which are held while they are written");
        let valid = rtl.delay(&self.reading, &self.word_valid);
        let first = rtl.delay_data(&self.first_tap, &self.word_first);
        let last = rtl.delay(&e.last_word, &self.word_last);
        rtl.register(&self.sum_valid, 0).set(last);
        let last_of_all = rtl.delay(&e.last_of_all, &self.last_window);
        for (r, (code, sum)) in self.code.iter().zip(&self.sum).enumerate() {
            let inside = self.word_inside[READ_DELAY - 1].e().repeat(code.width());
            rtl.register(code, 0).without_reset().set(self.code_i[r].e() & inside);
            let wide = code.e().zext(sum.width());
            // A largest code has no more bits than a code.
            let is_larger = sum.e().slice(0, code.width()).lt(code.e());
            let takes_code = &first | (&self.descriptor.maximum & is_larger);
            let next = mux(&self.descriptor.maximum, sum, sum + &wide);
            rtl.register(sum, 0).when(&valid, mux(takes_code, wide, next)).without_reset();
            rtl.register(&self.held[r], 0).when(&self.sum_valid, sum).without_reset();
        }
        rtl.register(&self.finishing, 0).when(&self.start_i, lit(0, 1)).when(&self.sum_valid, last_of_all);
    }

    fn choose_bank(&mut self, arch: &ArchConfig) {
        let rtl = &mut self._rtl;
        rtl.section("Bank by bank");
        let writing = rtl.named("writing", self.banks_left.e().any());
        let last = rtl.named("last_bank", self.banks_left.is(1));
        rtl.register(&self.banks_left, 0)
            .when(&self.sum_valid, lit(arch.banks() as u64, self.banks_left.width()))
            .when(&writing, self.banks_left.minus(1));
        rtl.register(&self.bank, 0).when(&self.sum_valid, self.bank.zero()).when(&writing, self.bank.plus(1));
        rtl.register(&self.word, 0)
            .when(&self.start_i, &self.descriptor.out_base)
            .when(&last, self.word.plus(1));
        for (lane, chosen) in self.chosen.iter().enumerate() {
            let choices: Vec<Expr> =
                (0..arch.banks()).map(|b| self.held[b * arch.lanes + lane].e()).collect();
            rtl.register(chosen, 0).without_reset().set(select(&choices, &self.bank));
        }
        let banks = (0..arch.banks() as u64).rev().map(|b| self.bank.is(b) & &writing);
        let writes = rtl.delay(concat(banks), &self.writes);
        let address = rtl.delay_data(&self.word, &self.addresses);
        let done = rtl.delay(last & &self.finishing, &self.done);
        rtl.assign(&self.write_o, writes);
        rtl.assign(&self.write_address_o, address);
        rtl.assign(&self.done_o, done);
    }

    fn write(&mut self, arch: &ArchConfig) {
        let rtl = &mut self._rtl;
        let shift = self.descriptor.shift.e();
        rtl.section("round_shift(sum, shift), limited to a code");
        for ((chosen, unit), written) in self.chosen.iter().zip(&self.shifts).zip(&self.written) {
            rtl.clock(&unit.clock);
            rtl.assign(&unit.value_i, chosen.e().zext(chosen.width() + 1));
            rtl.assign(&unit.shift_i, &shift);
            rtl.register(written, 0).without_reset().set(clamp(&unit.value_o.e(), arch.act_bits as usize));
        }
        rtl.assign(&self.write_data_o, concat(self.written.iter().rev()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench_support::{Pending, described, launch};

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
        let mut pending = Pending::new(READ_DELAY);
        for cycle in 1..10_000 {
            for bank in (0..arch.banks()).filter(|b| unit.write_o.get() >> b & 1 == 1) {
                written.push((unit.write_address_o.get(), bank, unit.write_data_o.get()));
            }
            if unit.done_o.get() == 1 {
                return (written, cycle);
            }
            let read = (unit.read_o.get() == 1).then(|| unit.read_address_o.get());
            unit.tick();
            if let Some(address) = pending.after(read) {
                for (row, code) in unit.code_i.iter().enumerate() {
                    code.set(memory(address, row));
                }
            }
        }
        panic!("the unit does not end");
    }

    /// How windows are pooled.
    enum How {
        /// Their sums, shifted right.
        Sum(u32),
        /// Their largest codes; the map has such a border.
        Largest(u32),
    }

    /// Windows of `side` over two frames of 7x6 maps of two blocks at address 50.
    fn check(rows: usize, lanes: usize, side: u32, stride: u32, how: How) {
        let arch = ArchConfig { rows, lanes, cols: lanes, activation_depth: 4096, ..ArchConfig::default() };
        let (height, width, blocks, frames) = (7u32, 6u32, 2u32, 2u32);
        let (maximum, shift, padding) = match how {
            How::Sum(shift) => (0, shift, 0),
            How::Largest(padding) => (1, 0, padding),
        };
        let windows_of = |size: u32| (size + 2 * padding - side) / stride + 1;
        let (out_height, out_width) = (windows_of(height), windows_of(width));
        let window = |y: u32, x: u32| (y * stride * width + x * stride) * blocks;
        let last = window(out_height - 1, out_width - 1) + blocks - 1;
        let d = Fields {
            maximum,
            in_origin: 50u32.wrapping_sub(padding * (width + 1) * blocks) & 4095,
            in_height: height,
            in_width: width,
            stride_height: stride,
            stride_width: stride,
            padding,
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
                    let taps = (0..side * side).filter_map(|tap| {
                        let y = (y * stride + tap / side).checked_sub(padding).filter(|y| *y < height)?;
                        let x = (x * stride + tap % side).checked_sub(padding).filter(|x| *x < width)?;
                        let at = ((frame * height + y) * width + x) * blocks + block;
                        Some(memory(u64::from(50 + at), bank * lanes + lane))
                    });
                    match how {
                        How::Sum(shift) => ((taps.sum::<u64>() + (1 << shift >> 1)) >> shift).min(255),
                        How::Largest(_) => taps.max().expect("a window meets the map"),
                    }
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
        check(8, 4, 2, 2, How::Sum(2));
        check(16, 2, 2, 2, How::Sum(1));
        check(4, 4, 3, 1, How::Sum(3));
        check(8, 1, 1, 1, How::Sum(0));
        check(4, 4, 1, 1, How::Sum(0));
        check(8, 8, 6, 1, How::Sum(6));
    }

    #[test]
    fn largest_codes_of_windows_over_the_border() {
        check(8, 4, 3, 2, How::Largest(1));
        check(8, 2, 2, 2, How::Largest(0));
        check(4, 4, 5, 1, How::Largest(2));
        check(4, 4, 1, 2, How::Largest(0));
    }
}
