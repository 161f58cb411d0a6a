//! The stream: one activation address, one accumulator address and, at the start of a weight tile, one
//! weight address a cycle.
//!
//! ```text
//! for tile of positions:  for column block:
//!     wait for a free accumulator bank
//!     for pass:  for summed frame:  for ky, kx, channel block:      one weight tile
//!         for frame:  for position of the tile:                     one vector a cycle
//!         pad to `min_tile_cycles`
//!     the same for ky, kx, channel block of a shortcut, whose sums have entries of their own
//! ```
//!
//! Loop counters count down to 1. A vector's address is `position + tap + frame + summed frame + plane`
//! offset, added in two stages; whether it lies outside the map is decided beside it.

use crate::accumulator::{Control, SUM_LEAD};
use crate::activation_memory::MASKED_READ_DELAY;
use crate::arithmetic::counter_bits;
use crate::descriptor::{FIELD_BITS, Registers, index_bits, keep_descriptor, opcode_bits, widths};
use crate::rtl::address_width;
use crate::rtl::prelude::*;
use crate::rtl::states;
use crate::unit_macro::unit;
use empf_ir::ArchConfig;
use empf_ir::isa::{MAX_EXTENT, PLANE_BITS, Stream as Fields};

/// Bits of a row or column number, border included, two's complement.
pub(crate) const COORDINATE_BITS: usize = MAX_EXTENT.ilog2() as usize + 2;

/// Row and column of a position, two's complement, lie in a map of so many rows and columns.
pub(crate) fn is_inside(position: [&Wire<Local>; 2], size: [Expr; 2]) -> Expr {
    let [y, x] = position.map(Wire::e);
    let [height, width] = size.map(|extent| extent.zext(COORDINATE_BITS));
    y.lt(height) & x.lt(width)
}

/// Cycles from the choice of a vector to its address at the activation memory.
pub(crate) const ADDRESS_DELAY: usize = 2;

/// Cycles from the choice of a vector to the control of its sums in column 0, which is due [`SUM_LEAD`] cycles before
/// the sum itself.
pub const fn control_delay(rows: usize) -> usize {
    ADDRESS_DELAY + MASKED_READ_DELAY + rows - SUM_LEAD
}

states! {
    Idle = "IDLE",
    Wait = "WAIT",
    Run = "RUN",
    Pad = "PAD",
}

unit! {
    /// Address generator of the array.
    pub(crate) struct Stream(arch: &ArchConfig, w: &Fields<usize>, depth: usize, min_cycles: usize) "stream" {
        reset_i: Wire<In> = Wire::new(1),
        field_valid_i: Wire<In> = Wire::new(1),
        field_opcode_i: Wire<In> = Wire::new(opcode_bits()),
        field_index_i: Wire<In> = Wire::new(index_bits()),
        field_data_i: Wire<In> = Wire::new(FIELD_BITS),
        start_i: Wire<In> = Wire::new(1),
        /// The last vector has been chosen, and the last weight read.
        done_o: Wire<Out> = Wire::new(1),
        /// A bank has been drained.
        bank_free_i: Wire<In> = Wire::new(1),
        /// Read the activation memory.
        read_o: Wire<Out> = Wire::new(1),
        read_address_o: Wire<Out> = Wire::new(w.in_origin),
        /// The address lies inside the map.
        inside_o: Wire<Out> = Wire::new(1),
        /// Banks of the word read that hold channels.
        bank_mask_o: Wire<Out> = Wire::new(arch.banks()),
        /// Code outside the map.
        border_o: Wire<Out> = Wire::new(arch.act_bits as usize),
        /// Read a word of the weight memory.
        weight_read_o: Wire<Out> = Wire::new(1),
        weight_address_o: Wire<Out> = Wire::new(w.weight_base),
        /// With the first weight word of a tile.
        weight_first_o: Wire<Out> = Wire::new(1),
        /// A vector is chosen.
        valid_o: Wire<Out> = Wire::new(1),
        /// Control of the vector's sums, in the cycle in which the vector is chosen.
        control_o: Wire<Out> = Wire::new(Control::width(depth)),
        /// With the control of a column block's last vector.
        last_o: Wire<Out> = Wire::new(1),

        descriptor: Registers<Fields<Wire<Local>>> = Registers::new(arch),

        state: Wire<Local> = State::wire(),
        free_banks: Wire<Local> = Wire::new(2),
        bank: Wire<Local> = Wire::new(1),
        tiles_left: Wire<Local> = Wire::new(w.tiles),
        column_blocks_left: Wire<Local> = Wire::new(w.column_blocks),
        passes_left: Wire<Local> = Wire::new(w.passes),
        parts_left: Wire<Local> = Wire::new(2),
        summed_left: Wire<Local> = Wire::new(w.summed_frames),
        ky_left: Wire<Local> = Wire::new(w.kernel_height),
        kx_left: Wire<Local> = Wire::new(w.kernel_width),
        blocks_left: Wire<Local> = Wire::new(w.blocks),
        frames_left: Wire<Local> = Wire::new(w.frames),
        positions_left: Wire<Local> = Wire::new(w.tile_positions),
        cycles_left: Wire<Local> = Wire::new(counter_bits(min_cycles)),
        /// The present turns of these loops are the last.
        last_block: Wire<Local> = Wire::new(1),
        last_kx: Wire<Local> = Wire::new(1),
        last_ky: Wire<Local> = Wire::new(1),
        last_summed: Wire<Local> = Wire::new(1),
        last_pass: Wire<Local> = Wire::new(1),
        last_part: Wire<Local> = Wire::new(1),
        /// The present weight tile is the shortcut's.
        in_shortcut: Wire<Local> = Wire::new(1),
        last_column_block: Wire<Local> = Wire::new(1),
        last_tile: Wire<Local> = Wire::new(1),

        /// Positions of the present tile.
        positions: Wire<Local> = Wire::new(w.tile_positions),
        position: Wire<Local> = Wire::new(w.in_origin),
        position_y: Wire<Local> = Wire::new(COORDINATE_BITS),
        position_x: Wire<Local> = Wire::new(COORDINATE_BITS),
        row_left: Wire<Local> = Wire::new(w.out_width),
        /// The first position of the tile.
        tile_position: Wire<Local> = Wire::new(w.in_origin),
        tile_position_y: Wire<Local> = Wire::new(COORDINATE_BITS),
        tile_position_x: Wire<Local> = Wire::new(COORDINATE_BITS),
        tile_row_left: Wire<Local> = Wire::new(w.out_width),
        /// As those, of the shortcut.
        shortcut_position: Wire<Local> = Wire::new(w.in_origin),
        shortcut_position_y: Wire<Local> = Wire::new(COORDINATE_BITS),
        shortcut_position_x: Wire<Local> = Wire::new(COORDINATE_BITS),
        /// The position behind the tile's last one, while the shortcut goes through the tile.
        next_position: Wire<Local> = Wire::new(w.in_origin),
        next_position_y: Wire<Local> = Wire::new(COORDINATE_BITS),
        next_position_x: Wire<Local> = Wire::new(COORDINATE_BITS),

        tap: Wire<Local> = Wire::new(w.in_origin),
        tap_y: Wire<Local> = Wire::new(COORDINATE_BITS),
        tap_x: Wire<Local> = Wire::new(COORDINATE_BITS),
        frame: Wire<Local> = Wire::new(w.in_origin),
        summed_frame: Wire<Local> = Wire::new(w.in_origin),
        planes: Wire<Local> = Wire::new(2 * FIELD_BITS),
        doubles: Wire<Local> = Wire::new(FIELD_BITS),
        first_tile: Wire<Local> = Wire::new(1),
        first_of_pass: Wire<Local> = Wire::new(1),
        entry: Wire<Local> = Wire::new(address_width(depth)),
        weight: Wire<Local> = Wire::new(w.weight_base),
        pass_weight: Wire<Local> = Wire::new(w.weight_base),

        vector: Wire<Local> = Wire::new(1),
        vector_position: Wire<Local> = Wire::new(w.in_origin),
        vector_offset: Wire<Local> = Wire::new(w.in_origin),
        vector_y: Wire<Local> = Wire::new(COORDINATE_BITS),
        vector_x: Wire<Local> = Wire::new(COORDINATE_BITS),
        vector_last_block: Wire<Local> = Wire::new(1),
        vector_in_shortcut: Wire<Local> = Wire::new(1),
        weight_reads: Vec<Wire<Local>> = Wire::array(ADDRESS_DELAY, 1),
        weight_firsts: Vec<Wire<Local>> = Wire::array(ADDRESS_DELAY, 1),
        weight_addresses: Vec<Wire<Local>> = Wire::array(ADDRESS_DELAY, w.weight_base),
    }
}

/// Conditions of the present cycle.
struct Events {
    running: Expr,
    /// A weight tile runs, or is padded.
    working: Expr,
    last_position: Expr,
    /// The weight tile's last vector is chosen.
    last_vector: Expr,
    /// The present weight tile, one tap and channel block, ends.
    tile_end: Expr,
    /// So do the channel blocks of the tap.
    blocks_end: Expr,
    /// So does the window's row.
    row_end: Expr,
    /// So do all taps of the window.
    taps_end: Expr,
    /// So do all summed frames.
    pass_end: Expr,
    /// So do all passes, or the shortcut.
    part_end: Expr,
    /// So does the column block.
    block_end: Expr,
    /// So does the tile of positions.
    positions_end: Expr,
    /// So does the layer.
    all_end: Expr,
    /// A weight word is read.
    reading: Expr,
    /// The shortcut is what follows, or goes on.
    shortcut_next: Expr,
}

impl Stream {
    /// The stream for the memories of `arch`.
    pub(crate) fn new(arch: &ArchConfig) -> Self {
        let min_cycles = arch.min_tile_cycles();
        let mut u = Self::declare(arch, &widths(arch), arch.accumulator_depth, min_cycles);
        u._rtl.doc("Address generator of the array: loops over tiles, passes, taps and positions.");
        u._rtl.reset(&u.reset_i);
        keep_descriptor!(u);
        let events = u.events(min_cycles, arch.rows);
        u.control(&events, min_cycles);
        u.count_tiles(&events);
        u.walk_positions(&events);
        u.offset(&events);
        u.weights(&events, min_cycles);
        u.emit_vectors(&events);
        u
    }

    fn events(&mut self, min_cycles: usize, rows: usize) -> Events {
        let rtl = &mut self._rtl;
        let d = &self.descriptor;
        rtl.section("Loops: vectors of a weight tile, then weight tiles, the innermost loop first");
        let running = rtl.named("running", State::Run.is(&self.state));
        let working = rtl.named("working", &running | State::Pad.is(&self.state));
        let last_position = rtl.named("last_position", self.positions_left.is(1));
        let last_vector = &running & &last_position & self.frames_left.is(1);
        let last_vector = rtl.named("last_vector", last_vector);
        let long_enough = self.cycles_left.e().le(lit(1, self.cycles_left.width()));
        let padded = State::Pad.is(&self.state);
        let tile_end = rtl.named("tile_end", (&last_vector | padded) & long_enough);
        let of_part = [&self.last_block, &self.last_kx, &self.last_ky, &self.last_summed, &self.last_pass];
        let part_ends = of_part.into_iter().fold(tile_end.clone(), |all, last| all & last);
        let shortcut_next = mux(part_ends, !&self.last_part, &self.in_shortcut);
        let shortcut_next = rtl.named("shortcut_next", shortcut_next);
        let next = |shortcut: &Wire<Local>, main: &Wire<Local>| mux(&shortcut_next, shortcut, main);
        let once = |main: &Wire<Local>| mux(&shortcut_next, lit(1, main.width()), main);
        let parts = concat([d.shortcut.e(), !&d.shortcut]);
        let [blocks_end, row_end, taps_end, pass_end, part_end, block_end, positions_end, all_end] = rtl
            .nest(
                &self.start_i.e(),
                &tile_end,
                [
                    Loop {
                        end: "blocks_end",
                        left: &self.blocks_left,
                        last: &self.last_block,
                        turns: next(&d.shortcut_blocks, &d.blocks),
                    },
                    Loop {
                        end: "row_end",
                        left: &self.kx_left,
                        last: &self.last_kx,
                        turns: next(&d.shortcut_kernel_width, &d.kernel_width),
                    },
                    Loop {
                        end: "taps_end",
                        left: &self.ky_left,
                        last: &self.last_ky,
                        turns: next(&d.shortcut_kernel_height, &d.kernel_height),
                    },
                    Loop {
                        end: "pass_end",
                        left: &self.summed_left,
                        last: &self.last_summed,
                        turns: once(&d.summed_frames),
                    },
                    Loop {
                        end: "part_end",
                        left: &self.passes_left,
                        last: &self.last_pass,
                        turns: once(&d.passes),
                    },
                    Loop { end: "block_end", left: &self.parts_left, last: &self.last_part, turns: parts },
                    Loop {
                        end: "positions_end",
                        left: &self.column_blocks_left,
                        last: &self.last_column_block,
                        turns: d.column_blocks.e(),
                    },
                    Loop {
                        end: "all_end",
                        left: &self.tiles_left,
                        last: &self.last_tile,
                        turns: d.tiles.e(),
                    },
                ],
            );
        let weights_end = (min_cycles - rows) as u64;
        let unread = self.cycles_left.e().gt(lit(weights_end, self.cycles_left.width()));
        let reading = rtl.named("reading", &working & unread);
        Events {
            running,
            working,
            last_position,
            last_vector,
            tile_end,
            blocks_end,
            row_end,
            taps_end,
            pass_end,
            part_end,
            block_end,
            positions_end,
            all_end,
            reading,
            shortcut_next,
        }
    }

    /// State, banks and the length of a weight tile.
    fn control(&mut self, e: &Events, min_cycles: usize) {
        let rtl = &mut self._rtl;
        rtl.section("State, free accumulator banks, and the cycles that a weight tile still takes");
        let waiting = rtl.named("waiting", State::Wait.is(&self.state));
        let free = rtl.named("bank_free", self.free_banks.e().any());
        rtl.machine(&self.state, State::Idle)
            .when(&self.start_i, State::Wait)
            .when(&waiting & &free, State::Run)
            .when(&e.all_end, State::Idle)
            .when(&e.block_end, mux(&free, State::Run, State::Wait))
            .when(&e.tile_end, State::Run)
            .when(&e.last_vector, State::Pad);
        let next_block = &e.block_end & !&e.all_end;
        let taken = rtl.named("bank_taken", (waiting | next_block) & free);
        rtl.register(&self.free_banks, 2)
            .when(&self.start_i, lit(2, 2))
            .when(&taken & !&self.bank_free_i, self.free_banks.minus(1))
            .when(&self.bank_free_i & !&taken, self.free_banks.plus(1));
        rtl.register(&self.bank, 0).when(&self.start_i, lit(0, 1)).when(&e.block_end, !&self.bank);
        rtl.assign(&self.done_o, &e.all_end);
        rtl.register(&self.cycles_left, 0)
            .when(&self.start_i | &e.tile_end, lit(min_cycles as u64, self.cycles_left.width()))
            .when(&e.working & self.cycles_left.e().any(), self.cycles_left.minus(1));
    }

    /// What the first weight tile of a column block, or of a pass, does otherwise.
    fn count_tiles(&mut self, e: &Events) {
        let rtl = &mut self._rtl;
        rtl.section("The first weight tile of a column block sets the sums, that of a pass may double them");
        rtl.register(&self.first_tile, 1)
            .when(&self.start_i | &e.part_end, lit(1, 1))
            .when(&e.tile_end, lit(0, 1));
        rtl.register(&self.in_shortcut, 0).when(&self.start_i, lit(0, 1)).when(&e.part_end, &e.shortcut_next);
        rtl.register(&self.first_of_pass, 1)
            .when(&self.start_i | &e.pass_end, lit(1, 1))
            .when(&e.tile_end, lit(0, 1));
    }

    /// The position in the map, in raster order; a weight tile starts again at the tile's first position.
    fn walk_positions(&mut self, e: &Events) {
        let rtl = &mut self._rtl;
        let d = &self.descriptor;
        rtl.section("Position: address, coordinates, and those of the tile's first position");
        let zero = lit(0, COORDINATE_BITS);
        let row_end = rtl.named("position_row_end", self.row_left.is(1));
        let now = |shortcut: &Wire<Local>, main: &Wire<Local>| mux(&self.in_shortcut, shortcut, main);
        let stride = now(&d.shortcut_stride, &d.stride).zext(COORDINATE_BITS);
        let stride = rtl.named("stride_extended", stride);
        let frame_end = rtl.named("frame_end", &e.running & &e.last_position);
        let row_step = rtl.named("present_row_step", now(&d.shortcut_row_step, &d.row_step));
        let x_step = rtl.named("present_x_step", now(&d.shortcut_x_step, &d.x_step));
        let step = mux(&row_end, row_step, x_step);
        let again = rtl.named("tile_again", &e.tile_end | (&frame_end & !&e.last_vector));
        let main_end = rtl.named("main_tile_end", &e.tile_end & !&self.in_shortcut);
        for (present, [main, shortcut, behind], [main_origin, shortcut_origin], next) in [
            (
                &self.position,
                [&self.tile_position, &self.shortcut_position, &self.next_position],
                [d.in_origin.e(), d.shortcut_origin.e()],
                &self.position + step,
            ),
            (
                &self.position_y,
                [&self.tile_position_y, &self.shortcut_position_y, &self.next_position_y],
                [zero.clone(), zero.clone()],
                mux(&row_end, &self.position_y + &stride, &self.position_y),
            ),
            (
                &self.position_x,
                [&self.tile_position_x, &self.shortcut_position_x, &self.next_position_x],
                [zero.clone(), zero.clone()],
                mux(&row_end, &zero, &self.position_x + &stride),
            ),
        ] {
            let moved = mux(&e.running, &next, present);
            let main_moved = mux(&self.in_shortcut, behind, &moved);
            rtl.register(behind, 0).when(&main_end, &moved);
            rtl.register(main, 0).when(&self.start_i, &main_origin).when(&e.positions_end, &main_moved);
            rtl.register(shortcut, 0).when(&self.start_i, &shortcut_origin).when(&e.positions_end, &moved);
            rtl.register(present, 0)
                .when(&self.start_i, &main_origin)
                .when(&e.positions_end, &main_moved)
                .when(&again, mux(&e.shortcut_next, shortcut, main))
                .when(&e.running, next);
        }
        let next_left = mux(&row_end, &d.out_width, self.row_left.minus(1));
        let moved = mux(&e.running, &next_left, &self.row_left);
        rtl.register(&self.tile_row_left, 0).when(&self.start_i, &d.out_width).when(&e.positions_end, &moved);
        rtl.register(&self.row_left, 0)
            .when(&self.start_i, &d.out_width)
            .when(&e.positions_end, moved)
            .when(again, &self.tile_row_left)
            .when(&e.running, next_left);

        rtl.section("Positions of the tile, frames, and the accumulator's entry");
        let of = |last: Expr| mux(last, &d.last_tile_positions, &d.tile_positions);
        let first_positions = rtl.named("first_positions", of(d.tiles.is(1)));
        let next_positions = mux(&e.positions_end, of(self.tiles_left.is(2)), &self.positions);
        let next_positions = rtl.named("next_positions", next_positions);
        rtl.register(&self.positions, 0)
            .when(&self.start_i, &first_positions)
            .when(&e.positions_end, &next_positions);
        rtl.register(&self.positions_left, 0)
            .when(&self.start_i, first_positions)
            .when(&e.tile_end | &frame_end, next_positions)
            .when(&e.running, self.positions_left.minus(1));
        rtl.register(&self.frames_left, 0)
            .when(&self.start_i | &e.tile_end, &d.frames)
            .when(frame_end, self.frames_left.minus(1));
        rtl.register(&self.entry, 0)
            .when(&e.tile_end & &e.shortcut_next, &d.shortcut_entry)
            .when(&self.start_i | &e.tile_end, self.entry.zero())
            .when(&e.running, self.entry.plus(1));
    }

    /// Offsets of tap, frame, summed frame and plane.
    fn offset(&mut self, e: &Events) {
        let rtl = &mut self._rtl;
        let d = &self.descriptor;
        rtl.section("Offsets of tap, frame, summed frame and plane");
        let zero = self.tap.zero();
        let now = |shortcut: &Wire<Local>, main: &Wire<Local>| mux(&self.in_shortcut, shortcut, main);
        let padding = mux(&e.shortcut_next, &d.shortcut_padding, &d.padding).zext(COORDINATE_BITS);
        let border = rtl.named("minus_padding", lit(0, COORDINATE_BITS) - padding);
        let ky_step = now(&d.shortcut_ky_step, &d.ky_step);
        rtl.register(&self.tap, 0)
            .when(&self.start_i | &e.taps_end, &zero)
            .when(&e.tile_end, &self.tap + mux(&e.row_end, ky_step, lit(1, self.tap.width())));
        rtl.register(&self.tap_y, 0)
            .when(&self.start_i | &e.taps_end, &border)
            .when(&e.row_end, self.tap_y.plus(1));
        rtl.register(&self.tap_x, 0)
            .when(&self.start_i | &e.row_end, border)
            .when(&e.blocks_end, self.tap_x.plus(1));
        rtl.register(&self.frame, 0)
            .when(&self.start_i | &e.tile_end, &zero)
            .when(&e.running & &e.last_position, &self.frame + now(&d.shortcut_frame_step, &d.frame_step));
        rtl.register(&self.summed_frame, 0)
            .when(&self.start_i | &e.pass_end, zero)
            .when(&e.taps_end, &self.summed_frame + &d.frame_step);
        rtl.register(&self.planes, 0)
            .when(&self.start_i | &e.block_end, concat([&d.planes_high, &d.planes_low]))
            .when(&e.part_end, self.planes.zero())
            .when(&e.pass_end, self.planes.e().shr(PLANE_BITS as usize));
        rtl.register(&self.doubles, 0)
            .when(&self.start_i | &e.block_end, &d.double_mask)
            .when(&e.part_end, self.doubles.zero())
            .when(&e.pass_end, self.doubles.e().shr(1));
    }

    /// A tile's weights follow each other in the memory; summed frames read them again.
    fn weights(&mut self, e: &Events, min_cycles: usize) {
        let rtl = &mut self._rtl;
        let d = &self.descriptor;
        rtl.section("Weights of a tile follow each other in the memory; summed frames read them again");
        let next = rtl.named("next_weight", &self.weight + e.reading.zext(self.weight.width()));
        let rewind = rtl.named("rewind", &self.start_i | &e.positions_end);
        rtl.register(&self.weight, 0)
            .when(&rewind, &d.weight_base)
            .when(&e.taps_end & !&e.pass_end, &self.pass_weight)
            .set(&next);
        rtl.register(&self.pass_weight, 0).when(rewind, &d.weight_base).when(&e.pass_end, next);
        let first = &e.reading & self.cycles_left.is(min_cycles as u64);
        let read = rtl.delay(&e.reading, &self.weight_reads);
        let first = rtl.delay(first, &self.weight_firsts);
        let address = rtl.delay_data(&self.weight, &self.weight_addresses);
        rtl.assign(&self.weight_read_o, read);
        rtl.assign(&self.weight_first_o, first);
        rtl.assign(&self.weight_address_o, address);
    }

    fn emit_vectors(&mut self, e: &Events) {
        let rtl = &mut self._rtl;
        let d = &self.descriptor;
        rtl.section("A vector: control of its sums, then its address in two steps");
        let control = Control {
            set: self.first_tile.e(),
            double: &self.first_of_pass & self.doubles.e().bit(0),
            bank: self.bank.e(),
            address: self.entry.e(),
        };
        rtl.assign(&self.valid_o, &e.running);
        rtl.assign(&self.control_o, control.pack());
        let loops = [
            &self.last_block,
            &self.last_kx,
            &self.last_ky,
            &self.last_summed,
            &self.last_pass,
            &self.last_part,
        ];
        let last = loops.into_iter().fold(e.last_vector.clone(), |all, last| all & last);
        rtl.assign(&self.last_o, last);

        let step = d.plane_step.e();
        let plane = select(
            &[lit(0, step.width()), step.clone(), step.shl(1), &step + step.shl(1)],
            self.planes.e().slice(0, PLANE_BITS as usize),
        );
        let plane = rtl.named("plane_offset", plane);
        rtl.register(&self.vector, 0).set(&e.running);
        rtl.register(&self.vector_position, 0).set(&self.position);
        rtl.register(&self.vector_offset, 0).set((&self.tap + &self.frame) + (&self.summed_frame + plane));
        rtl.register(&self.vector_y, 0).set(&self.position_y + &self.tap_y);
        rtl.register(&self.vector_x, 0).set(&self.position_x + &self.tap_x);
        rtl.register(&self.vector_last_block, 0).set(&self.last_block);
        rtl.register(&self.vector_in_shortcut, 0).set(&self.in_shortcut);

        let of_vector =
            |shortcut: &Wire<Local>, main: &Wire<Local>| mux(&self.vector_in_shortcut, shortcut, main);
        let size = [of_vector(&d.shortcut_height, &d.in_height), of_vector(&d.shortcut_width, &d.in_width)];
        let inside = is_inside([&self.vector_y, &self.vector_x], size);
        rtl.register(&self.read_o, 0).set(&self.vector);
        rtl.register(&self.read_address_o, 0).set(&self.vector_position + &self.vector_offset);
        rtl.register(&self.inside_o, 0).set(inside);
        let banks = self.bank_mask_o.width() as u64;
        let last_banks = of_vector(&d.shortcut_last_banks, &d.last_banks);
        let present = |b| last_banks.gt(lit(b, last_banks.width()));
        let mask = concat((0..banks).rev().map(present));
        let all = lit(crate::rtl::word::mask(banks as usize), banks as usize);
        rtl.register(&self.bank_mask_o, 0).set(mux(&self.vector_last_block, mask, all));
        rtl.assign(&self.border_o, &d.zero_point);
    }
}

#[cfg(test)]
mod tests;
