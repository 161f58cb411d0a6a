//! Unfolding: packs the windows of the input into activation words, one code a cycle.
//!
//! ```text
//! for frame, y, x:
//!     for ky, kx, channel:  one code a cycle; after `lanes` codes, and after the last, the cycles until the last
//!                           code is there, and one to write each plane
//! ```
//!
//! A code wider than A bits is cut into planes of A bits, which are written `plane_words` apart.

use crate::arithmetic::counter_bits;
use crate::descriptor::{FIELD_BITS, Registers, index_bits, keep_descriptor, opcode_bits, widths};
use crate::rtl::prelude::*;
use crate::rtl::{READ_DELAY, states};
use crate::stream::{COORDINATE_BITS, is_inside};
use crate::unit_macro::unit;
use empf_ir::ArchConfig;
use empf_ir::border::BORDER_CHANNELS;
use empf_ir::formats::INPUT_BITS;
use empf_ir::isa::Unfold as Fields;

states! {
    Idle = "IDLE",
    Read = "READ",
    Take = "TAKE",
    Write = "WRITE",
}

unit! {
    /// The unfolding unit.
    pub(crate) struct Unfold(arch: &ArchConfig, w: &Fields<usize>) "unfold" {
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
        code_i: Wire<In> = Wire::new(INPUT_BITS as usize),
        write_o: Wire<Out> = Wire::new(arch.banks()),
        write_address_o: Wire<Out> = Wire::new(w.out_base),
        write_data_o: Wire<Out> = Wire::new(arch.lanes * arch.act_bits as usize),

        descriptor: Registers<Fields<Wire<Local>>> = Registers::new(arch),

        state: Wire<Local> = State::wire(),
        channels_left: Wire<Local> = Wire::new(w.channels),
        kx_left: Wire<Local> = Wire::new(w.kernel_width),
        ky_left: Wire<Local> = Wire::new(w.kernel_height),
        x_left: Wire<Local> = Wire::new(w.out_width),
        y_left: Wire<Local> = Wire::new(w.out_height),
        frames_left: Wire<Local> = Wire::new(w.frames),
        /// The present turns of these loops are the last.
        last_channel: Wire<Local> = Wire::new(1),
        last_kx: Wire<Local> = Wire::new(1),
        last_ky: Wire<Local> = Wire::new(1),
        last_x: Wire<Local> = Wire::new(1),
        last_y: Wire<Local> = Wire::new(1),
        last_frame: Wire<Local> = Wire::new(1),
        window: Wire<Local> = Wire::new(w.in_origin),
        /// To the next window. Windows take some cycles, so that it is there when one ends.
        window_step: Wire<Local> = Wire::new(w.in_origin),
        window_y: Wire<Local> = Wire::new(COORDINATE_BITS),
        window_x: Wire<Local> = Wire::new(COORDINATE_BITS),
        tap: Wire<Local> = Wire::new(w.in_origin),
        tap_y: Wire<Local> = Wire::new(COORDINATE_BITS),
        tap_x: Wire<Local> = Wire::new(COORDINATE_BITS),
        lane: Wire<Local> = Wire::new(counter_bits(arch.lanes - 1)),
        /// The group being read is its window's last.
        window_done: Wire<Local> = Wire::new(1),

        /// Beside a code on its way.
        taken: Vec<Wire<Local>> = Wire::array(READ_DELAY, 1),
        taken_lane: Vec<Wire<Local>> = Wire::array(READ_DELAY, counter_bits(arch.lanes - 1)),
        taken_y: Wire<Local> = Wire::new(COORDINATE_BITS),
        taken_x: Wire<Local> = Wire::new(COORDINATE_BITS),
        taken_inside: Wire<Local> = Wire::new(1),
        /// Of the code that is read, as the border's codes repeat.
        border_channel: Wire<Local> = Wire::new(2),
        /// Code of the border of its channel.
        taken_border: Vec<Wire<Local>> = Wire::array(READ_DELAY, INPUT_BITS as usize),
        code: Wire<Local> = Wire::new(INPUT_BITS as usize),
        codes: Vec<Wire<Local>> = Wire::array(arch.lanes, INPUT_BITS as usize),
        plane: Wire<Local> = Wire::new(counter_bits(arch.input_planes() - 1)),
        plane_address: Wire<Local> = Wire::new(w.out_base),
        word: Wire<Local> = Wire::new(w.out_base),
        bank: Wire<Local> = Wire::new(counter_bits(arch.banks() - 1)),
    }
}

/// Conditions of the present cycle.
struct Events {
    reading: Expr,
    /// The last code of a position is read.
    channels_end: Expr,
    /// So is the window's row.
    row_end: Expr,
    /// The last code of a window is read.
    window_read: Expr,
    /// The last code of a group is read.
    group_read: Expr,
    /// It is there.
    group_taken: Expr,
    /// The last plane of a group is written.
    group_end: Expr,
    /// So is the window.
    window_end: Expr,
    x_end: Expr,
    y_end: Expr,
    all_end: Expr,
}

impl Unfold {
    /// The unfolding unit of `arch`.
    pub(crate) fn new(arch: &ArchConfig) -> Self {
        let mut u = Self::declare(arch, &widths(arch));
        u._rtl.doc("Unfolding: packs the windows of the input into activation words.");
        u._rtl.reset(&u.reset_i);
        keep_descriptor!(u);
        let events = u.events(arch);
        u.control(&events);
        u.walk(&events);
        u.take(&events);
        u.write(&events, arch);
        u
    }

    fn events(&mut self, arch: &ArchConfig) -> Events {
        let rtl = &mut self._rtl;
        let d = &self.descriptor;
        let start = self.start_i.e();
        rtl.section("Loops: codes of a window, then windows");
        let reading = rtl.named("reading", State::Read.is(&self.state));
        let [channels_end, row_end, window_read] = rtl.nest(
            &start,
            &reading,
            [
                Loop {
                    end: "channels_end",
                    left: &self.channels_left,
                    last: &self.last_channel,
                    turns: d.channels.e(),
                },
                Loop { end: "row_end", left: &self.kx_left, last: &self.last_kx, turns: d.kernel_width.e() },
                Loop {
                    end: "window_read",
                    left: &self.ky_left,
                    last: &self.last_ky,
                    turns: d.kernel_height.e(),
                },
            ],
        );
        let full = &reading & self.lane.is(arch.lanes as u64 - 1);
        let group_read = rtl.named("group_read", full | &window_read);
        let group_taken = State::Take.is(&self.state) & !&self.taken[READ_DELAY - 2];
        let group_taken = rtl.named("group_taken", group_taken);
        let last_plane = self.plane.is(arch.input_planes() as u64 - 1);
        let group_end = rtl.named("group_end", State::Write.is(&self.state) & last_plane);
        let window_end = rtl.named("window_end", &group_end & &self.window_done);
        let [x_end, y_end, all_end] = rtl.nest(
            &start,
            &window_end,
            [
                Loop { end: "x_end", left: &self.x_left, last: &self.last_x, turns: d.out_width.e() },
                Loop { end: "y_end", left: &self.y_left, last: &self.last_y, turns: d.out_height.e() },
                Loop { end: "all_end", left: &self.frames_left, last: &self.last_frame, turns: d.frames.e() },
            ],
        );
        Events {
            reading,
            channels_end,
            row_end,
            window_read,
            group_read,
            group_taken,
            group_end,
            window_end,
            x_end,
            y_end,
            all_end,
        }
    }

    fn control(&mut self, e: &Events) {
        let rtl = &mut self._rtl;
        rtl.section("State, and the lane of the code being read");
        rtl.machine(&self.state, State::Idle)
            .when(&self.start_i, State::Read)
            .when(&e.all_end, State::Idle)
            .when(&e.group_end, State::Read)
            .when(&e.group_read, State::Take)
            .when(&e.group_taken, State::Write);
        rtl.register(&self.lane, 0)
            .when(&self.start_i | &e.group_read, self.lane.zero())
            .when(&e.reading, self.lane.plus(1));
        rtl.register(&self.window_done, 0).when(&e.reading, &e.window_read);
        rtl.assign(&self.done_o, &e.all_end);
    }

    fn walk(&mut self, e: &Events) {
        let rtl = &mut self._rtl;
        rtl.section("Address and coordinates of window and tap");
        let zero = lit(0, COORDINATE_BITS);
        let stride = rtl.named("stride_extended", self.descriptor.stride.e().zext(COORDINATE_BITS));
        let of_row = mux(&self.last_x, &self.descriptor.row_step, &self.descriptor.x_step);
        let of_frame = &self.last_x & &self.last_y;
        rtl.register(&self.window_step, 0).set(mux(of_frame, &self.descriptor.frame_step, of_row));
        rtl.register(&self.window, 0)
            .when(&self.start_i, &self.descriptor.in_origin)
            .when(&e.window_end, &self.window + &self.window_step);
        rtl.register(&self.window_y, 0)
            .when(&self.start_i | &e.y_end, &zero)
            .when(&e.x_end, &self.window_y + &stride);
        rtl.register(&self.window_x, 0)
            .when(&self.start_i | &e.x_end, zero)
            .when(&e.window_end, &self.window_x + stride);

        let input = self.tap.width();
        let padding = self.descriptor.padding.e().zext(COORDINATE_BITS);
        let border = rtl.named("minus_padding", lit(0, COORDINATE_BITS) - padding);
        let restart = rtl.named("restart", &self.start_i | &e.window_read);
        rtl.register(&self.tap, 0)
            .when(&restart, lit(0, input))
            .when(&e.reading, &self.tap + mux(&e.row_end, &self.descriptor.ky_step, lit(1, input)));
        rtl.register(&self.tap_y, 0).when(&restart, &border).when(&e.row_end, self.tap_y.plus(1));
        rtl.register(&self.tap_x, 0)
            .when(restart | &e.row_end, border)
            .when(&e.channels_end, self.tap_x.plus(1));
        rtl.assign(&self.read_o, &e.reading);
        rtl.assign(&self.read_address_o, &self.window + &self.tap);
    }

    /// Puts the code that is there into its lane; the first of a group clears the others.
    fn take(&mut self, e: &Events) {
        let rtl = &mut self._rtl;
        rtl.section("The code that is there goes into its lane; the first of a group clears the others");
        let d = &self.descriptor;
        rtl.register(&self.taken_y, 0).set(&self.window_y + &self.tap_y);
        rtl.register(&self.taken_x, 0).set(&self.window_x + &self.tap_x);
        let inside = is_inside([&self.taken_y, &self.taken_x], [d.in_height.e(), d.in_width.e()]);
        rtl.register(&self.taken_inside, 0).set(inside);
        let again = &self.start_i | &e.channels_end;
        rtl.register(&self.border_channel, 0)
            .when(again, self.border_channel.zero())
            .when(&e.reading, self.border_channel.plus(1));
        let bits = INPUT_BITS as usize;
        let codes: Vec<Expr> = (0..BORDER_CHANNELS).map(|c| d.border.e().slice(c * bits, bits)).collect();
        rtl.delay_data(select(&codes, &self.border_channel), &self.taken_border);
        let taken = rtl.delay(&e.reading, &self.taken);
        let lane = rtl.delay_data(&self.lane, &self.taken_lane);
        let first = rtl.named("first_taken", &taken & lane.is(0));
        let border = &self.taken_border[READ_DELAY - 1];
        rtl.assign(&self.code, mux(&self.taken_inside, &self.code_i, border));
        for (l, code) in self.codes.iter().enumerate() {
            let here = &taken & lane.is(l as u64);
            rtl.register(code, 0).when(here, &self.code).when(&first, code.zero());
        }
    }

    fn write(&mut self, e: &Events, arch: &ArchConfig) {
        let rtl = &mut self._rtl;
        let (planes, act_bits) = (arch.input_planes(), arch.act_bits as usize);
        rtl.section("Planes are written plane_words apart, bank by bank");
        let writing = rtl.named("writing", State::Write.is(&self.state));
        rtl.register(&self.plane, 0)
            .when(&self.start_i | &e.group_end, self.plane.zero())
            .when(&writing, self.plane.plus(1));
        rtl.register(&self.plane_address, 0)
            .when(&e.group_taken, &self.word)
            .when(&writing, &self.plane_address + &self.descriptor.plane_words);

        let last_bank = self.bank.is(arch.banks() as u64 - 1);
        let next_word = rtl.named("next_word", &e.window_end | (&e.group_end & last_bank));
        rtl.register(&self.bank, 0)
            .when(&self.start_i | &next_word, self.bank.zero())
            .when(&e.group_end, self.bank.plus(1));
        rtl.register(&self.word, 0)
            .when(&self.start_i, &self.descriptor.out_base)
            .when(next_word, self.word.plus(1));

        let part = |code: &Wire<Local>| {
            let padded = code.e().zext(planes * act_bits);
            let parts: Vec<Expr> =
                (0..planes).map(|j| padded.slice(arch.plane_bits(j).start, act_bits)).collect();
            select(&parts, &self.plane)
        };
        let codes: Vec<Expr> = self.codes.iter().rev().map(part).collect();
        let banks = (0..arch.banks() as u64).rev().map(|b| self.bank.is(b) & &writing);
        rtl.assign(&self.write_o, concat(banks));
        rtl.assign(&self.write_address_o, &self.plane_address);
        rtl.assign(&self.write_data_o, concat(codes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench_support::{Pending, described, launch};
    use crate::timing::UNFOLD_TAKE_CYCLES;

    described!(Unfold);

    fn image(address: u64) -> u64 {
        (address * 29 + 7) % 256
    }

    /// 3x3 windows of stride 2 with a border of 1 over two frames of 5x4 maps of two channels.
    fn check(act_bits: u32, rows: usize, lanes: usize) {
        let arch = ArchConfig {
            rows,
            lanes,
            cols: lanes,
            act_bits,
            activation_depth: 4096,
            ..ArchConfig::default()
        };
        let (height, width, channels, kernel, stride, padding) = (5u32, 4u32, 2u32, 3u32, 2u32, 1u32);
        let (out_height, out_width, frames) = (3u32, 2u32, 2u32);
        let codes = kernel * kernel * channels;
        let words = u64::from(codes).div_ceil(rows as u64);
        let plane_words = (u64::from(frames * out_height * out_width) * words) as u32;
        let d = Fields {
            in_origin: 0u32.wrapping_sub((width + 1) * channels),
            in_height: height,
            in_width: width,
            channels,
            kernel_height: kernel,
            kernel_width: kernel,
            stride,
            padding,
            border: u32::from_le_bytes([77, 5, 77, 5]),
            ky_step: (width - kernel) * channels + 1,
            x_step: stride * channels,
            row_step: stride * width * channels - (out_width - 1) * stride * channels,
            frame_step: (height - (out_height - 1) * stride) * width * channels
                - (out_width - 1) * stride * channels,
            out_height,
            out_width,
            frames,
            out_base: 300,
            plane_words,
        };
        let mut unit = Bench::new(Unfold::new(&arch), |unit| &unit.clock);
        launch(&mut unit, &d);
        let mut memory = vec![None; 4096 * rows];
        let mut pending = Pending::new(READ_DELAY);
        let mut cycles = 1;
        loop {
            for bank in (0..arch.banks()).filter(|b| unit.write_o.get() >> b & 1 == 1) {
                for lane in 0..lanes {
                    let code = unit.write_data_o.get() >> (lane as u32 * act_bits) & ((1 << act_bits) - 1);
                    memory[unit.write_address_o.get() as usize * rows + bank * lanes + lane] = Some(code);
                }
            }
            if unit.done_o.get() == 1 {
                break;
            }
            let read = (unit.read_o.get() == 1).then(|| unit.read_address_o.get());
            unit.tick();
            cycles += 1;
            assert!(cycles < 10_000, "the unit does not end");
            if let Some(address) = pending.after(read) {
                unit.code_i.set(image(address));
            }
        }
        let groups = u64::from(codes).div_ceil(lanes as u64) as usize;
        let of_window = codes as usize + groups * (UNFOLD_TAKE_CYCLES + arch.input_planes());
        assert_eq!(cycles, (frames * out_height * out_width) as usize * of_window);
        for window in 0..frames * out_height * out_width {
            let (frame, y, x) =
                (window / out_width / out_height, window / out_width % out_height, window % out_width);
            for code in 0..(groups * lanes) as u32 {
                let (ky, kx, c) = (code / channels / kernel, code / channels % kernel, code % channels);
                let (iy, ix) = (y * stride + ky, x * stride + kx);
                let inside =
                    (padding..height + padding).contains(&iy) && (padding..width + padding).contains(&ix);
                let value = match code < codes {
                    true if inside => image(u64::from(
                        ((frame * height + iy - padding) * width + ix - padding) * channels + c,
                    )),
                    true => [77, 5][c as usize],
                    false => 0,
                };
                for plane in 0..arch.input_planes() as u32 {
                    let word = 300 + plane * plane_words + window * words as u32 + code / rows as u32;
                    let stored = memory[word as usize * rows + code as usize % rows];
                    let expected = value >> (plane * act_bits) & ((1 << act_bits) - 1);
                    assert_eq!(stored, Some(expected), "window {window} code {code} plane {plane}");
                }
            }
        }
    }

    #[test]
    fn packs_windows_in_planes() {
        check(8, 16, 8);
        check(4, 8, 4);
        check(3, 6, 2);
        check(6, 24, 8);
        check(2, 4, 1);
    }
}
