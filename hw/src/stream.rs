//! The stream: one activation address, one accumulator address and, at the start of a weight tile, one
//! weight address a cycle.
//!
//! ```text
//! for tile of positions:  for column block:
//!     wait for a free accumulator bank
//!     for pass:  for ky, kx, channel block:                         one weight tile
//!         for frame:  for position of the tile:                     one vector a cycle
//!         pad to `min_tile_cycles`
//!     the same for ky, kx, channel block of a shortcut, whose sums have entries of their own
//! ```
//!
//! Loop counters count down to 1. The present weight tile is counted first ([`Pace`]), and what follows from its events
//! happens a cycle later ([`Events`]): the loops around it step and its position moves. What the next weight tile will
//! be is known by then in registers, as none ends in less than `min_tile_cycles`. A vector's address is
//! `position + frame + tap + plane` offset, added in three stages; whether it lies outside the map is
//! decided beside it.

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

/// Row and column of a position, two's complement, lie each in a map of so many rows and columns.
fn are_inside(position: [&Wire<Local>; 2], size: [Expr; 2]) -> [Expr; 2] {
    let [y, x] = position.map(Wire::e);
    let [height, width] = size.map(|extent| extent.zext(COORDINATE_BITS));
    [y.lt(height), x.lt(width)]
}

/// Both do.
pub(crate) fn is_inside(position: [&Wire<Local>; 2], size: [Expr; 2]) -> Expr {
    let [y, x] = are_inside(position, size);
    y & x
}

/// Cycles from the choice of a vector to its address at the activation memory.
pub(crate) const ADDRESS_DELAY: usize = 3;

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
        /// A cycle after the start.
        begins: Wire<Local> = Wire::new(1),
        free_banks: Wire<Local> = Wire::new(2),
        cycles_left: Wire<Local> = Wire::new(counter_bits(min_cycles)),
        long_enough: Wire<Local> = Wire::new(1),
        /// Positions of the present tile, and of the next weight tile's.
        positions: Wire<Local> = Wire::new(w.tile_positions),
        one_position: Wire<Local> = Wire::new(1),
        first_positions: Wire<Local> = Wire::new(w.tile_positions),
        next_positions: Wire<Local> = Wire::new(w.tile_positions),
        one_next_position: Wire<Local> = Wire::new(1),
        positions_left: Wire<Local> = Wire::new(w.tile_positions),
        frames_left: Wire<Local> = Wire::new(w.frames),
        last_position: Wire<Local> = Wire::new(1),
        one_frame: Wire<Local> = Wire::new(1),
        last_frame: Wire<Local> = Wire::new(1),

        /// A vector is chosen.
        running: Wire<Local> = Wire::new(1),
        /// It is the last of a frame, but not of the weight tile.
        frame_ends: Wire<Local> = Wire::new(1),
        /// It is the last of the weight tile.
        vectors_end: Wire<Local> = Wire::new(1),
        /// The weight tile ends, one tap and channel block.
        tile_ends: Wire<Local> = Wire::new(1),
        /// A weight word is read, the first one of its tile.
        reading: Wire<Local> = Wire::new(1),
        reads_first: Wire<Local> = Wire::new(1),

        bank: Wire<Local> = Wire::new(1),
        tiles_left: Wire<Local> = Wire::new(w.tiles),
        column_blocks_left: Wire<Local> = Wire::new(w.column_blocks),
        passes_left: Wire<Local> = Wire::new(w.passes),
        parts_left: Wire<Local> = Wire::new(2),
        ky_left: Wire<Local> = Wire::new(w.kernel_height),
        kx_left: Wire<Local> = Wire::new(w.kernel_width),
        blocks_left: Wire<Local> = Wire::new(w.blocks),
        /// The present turns of these loops are the last.
        last_block: Wire<Local> = Wire::new(1),
        last_kx: Wire<Local> = Wire::new(1),
        last_ky: Wire<Local> = Wire::new(1),
        last_pass: Wire<Local> = Wire::new(1),
        last_part: Wire<Local> = Wire::new(1),
        last_column_block: Wire<Local> = Wire::new(1),
        last_tile: Wire<Local> = Wire::new(1),
        /// With the present weight tile end a column block, a tile of positions, the layer.
        closes_block: Wire<Local> = Wire::new(1),
        closes_positions: Wire<Local> = Wire::new(1),
        closes_layer: Wire<Local> = Wire::new(1),
        /// The present weight tile is the shortcut's; the next one is.
        in_shortcut: Wire<Local> = Wire::new(1),
        shortcut_follows: Wire<Local> = Wire::new(1),

        /// Of the layer or its shortcut, whichever is present.
        present_stride: Wire<Local> = Wire::new(COORDINATE_BITS),
        present_x_step: Wire<Local> = Wire::new(w.x_step),
        present_row_step: Wire<Local> = Wire::new(w.row_step),
        present_ky_step: Wire<Local> = Wire::new(w.ky_step),
        present_frame_step: Wire<Local> = Wire::new(w.frame_step),
        /// A row or column number of the window's first tap.
        border: Wire<Local> = Wire::new(COORDINATE_BITS),
        shortcut_border: Wire<Local> = Wire::new(COORDINATE_BITS),

        position: Wire<Local> = Wire::new(w.in_origin),
        position_y: Wire<Local> = Wire::new(COORDINATE_BITS),
        position_x: Wire<Local> = Wire::new(COORDINATE_BITS),
        row_left: Wire<Local> = Wire::new(w.out_width),
        last_of_row: Wire<Local> = Wire::new(1),
        one_of_row: Wire<Local> = Wire::new(1),
        /// A tile of positions has begun with this cycle.
        tile_begun: Wire<Local> = Wire::new(1),
        /// The first position of the tile.
        tile_position: Wire<Local> = Wire::new(w.in_origin),
        tile_position_y: Wire<Local> = Wire::new(COORDINATE_BITS),
        tile_position_x: Wire<Local> = Wire::new(COORDINATE_BITS),
        tile_row_left: Wire<Local> = Wire::new(w.out_width),
        tile_last_of_row: Wire<Local> = Wire::new(1),
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
        planes: Wire<Local> = Wire::new(2 * FIELD_BITS),
        three_planes: Wire<Local> = Wire::new(w.plane_step),
        doubles: Wire<Local> = Wire::new(FIELD_BITS),
        first_tile: Wire<Local> = Wire::new(1),
        first_of_pass: Wire<Local> = Wire::new(1),
        entry: Wire<Local> = Wire::new(address_width(depth)),
        weight: Wire<Local> = Wire::new(w.weight_base),

        vectors: Vec<Wire<Local>> = Wire::array(ADDRESS_DELAY - 1, 1),
        vector_positions: Vec<Wire<Local>> = Wire::array(2, w.in_origin),
        vector_tap: Wire<Local> = Wire::new(w.in_origin),
        vector_plane: Wire<Local> = Wire::new(w.in_origin),
        vector_offset: Wire<Local> = Wire::new(w.in_origin),
        vector_y: Wire<Local> = Wire::new(COORDINATE_BITS),
        vector_x: Wire<Local> = Wire::new(COORDINATE_BITS),
        vector_last_block: Vec<Wire<Local>> = Wire::array(2, 1),
        vector_in_shortcut: Wire<Local> = Wire::new(1),
        vector_inside: Wire<Local> = Wire::new(2),
        vector_banks: Wire<Local> = Wire::new(arch.banks()),
        weight_reads: Vec<Wire<Local>> = Wire::array(ADDRESS_DELAY, 1),
        weight_firsts: Vec<Wire<Local>> = Wire::array(ADDRESS_DELAY, 1),
        weight_addresses: Vec<Wire<Local>> = Wire::array(ADDRESS_DELAY, w.weight_base),
    }
}

/// Conditions of the present weight tile, a cycle before what they cause.
struct Pace {
    running: Expr,
    last_vector: Expr,
    tile_end: Expr,
    /// The next weight tile, or the first one, begins with the next cycle.
    again: Expr,
}

/// What ends with the present weight tile.
struct Events {
    /// The channel blocks of the tap.
    blocks_end: Expr,
    /// So does the window's row.
    row_end: Expr,
    /// So do all taps of the window.
    pass_end: Expr,
    /// So do all passes, or the shortcut.
    part_end: Expr,
    /// So does the column block.
    block_end: Expr,
    /// So does the tile of positions.
    positions_end: Expr,
    /// So does the layer.
    all_end: Expr,
}

/// What ends with the present weight tile, from its first vector on.
struct Closing {
    /// The column block.
    block: Expr,
    /// The tile of positions.
    positions: Expr,
}

impl Stream {
    /// The stream for the memories of `arch`.
    pub(crate) fn new(arch: &ArchConfig) -> Self {
        let min_cycles = arch.min_tile_cycles();
        let mut u = Self::declare(arch, &widths(arch), arch.accumulator_depth, min_cycles);
        u._rtl.doc("Address generator of the array: loops over tiles, passes, taps and positions.");
        u._rtl.reset(&u.reset_i);
        keep_descriptor!(u);
        let pace = u.pace(min_cycles, arch.rows);
        u.control(&pace);
        u.count_vectors(&pace);
        let events = u.loops();
        let closing = u.look_ahead();
        u.count_tiles(&events);
        u.choose_part();
        u.walk_positions(&events, &closing);
        u.offset(&events);
        u.weights(&events);
        u.emit_vectors(&closing);
        u
    }

    /// The cycles of a weight tile.
    fn pace(&mut self, min_cycles: usize, rows: usize) -> Pace {
        let rtl = &mut self._rtl;
        rtl.section("A weight tile: its vectors, and what it is padded with");
        rtl.register(&self.begins, 0).set(&self.start_i);
        let running = rtl.named("runs", State::Run.is(&self.state));
        let padded = State::Pad.is(&self.state);
        let last_vector = rtl.named("last_vector", &running & &self.last_position & &self.last_frame);
        let tile_end = rtl.named("tile_end", (&last_vector | &padded) & &self.long_enough);
        let working = rtl.named("working", &running | padded);
        let again = rtl.named("tile_again", &self.begins | &tile_end);
        let all = lit(min_cycles as u64, self.cycles_left.width());
        rtl.register(&self.cycles_left, 0)
            .when(&again, &all)
            .when(&working & self.cycles_left.e().any(), self.cycles_left.minus(1));
        rtl.register(&self.long_enough, 0)
            .when(&again, lit(0, 1))
            .when(&working & self.cycles_left.is(2), lit(1, 1));
        let unread = self.cycles_left.e().gt(lit((min_cycles - rows) as u64, self.cycles_left.width()));
        rtl.register(&self.reading, 0).set(&working & unread);
        rtl.register(&self.reads_first, 0).set(working & self.cycles_left.e().eq(all));
        let frame_end = &running & &self.last_position & !&self.last_frame;
        rtl.register(&self.running, 0).set(&running);
        rtl.register(&self.frame_ends, 0).set(frame_end);
        rtl.register(&self.vectors_end, 0).set(&last_vector);
        rtl.register(&self.tile_ends, 0).set(&tile_end);
        Pace { running, last_vector, tile_end, again }
    }

    /// State and banks.
    fn control(&mut self, p: &Pace) {
        let rtl = &mut self._rtl;
        rtl.section("State and free accumulator banks");
        let waiting = rtl.named("waiting", State::Wait.is(&self.state));
        let free = rtl.named("bank_free", self.free_banks.e().any());
        let ends_layer = &p.tile_end & &self.closes_layer;
        let ends_block = rtl.named("ends_block", &p.tile_end & &self.closes_block);
        rtl.machine(&self.state, State::Idle)
            .when(&self.start_i, State::Wait)
            .when(&waiting & &free, State::Run)
            .when(ends_layer, State::Idle)
            .when(&ends_block, mux(&free, State::Run, State::Wait))
            .when(&p.tile_end, State::Run)
            .when(&p.last_vector, State::Pad);
        let next_block = ends_block & !&self.closes_layer;
        let taken = rtl.named("bank_taken", (waiting | next_block) & free);
        rtl.register(&self.free_banks, 2)
            .when(&self.start_i, lit(2, 2))
            .when(&taken & !&self.bank_free_i, self.free_banks.minus(1))
            .when(&self.bank_free_i & !&taken, self.free_banks.plus(1));
    }

    /// Positions of the tile, and frames.
    fn count_vectors(&mut self, p: &Pace) {
        let rtl = &mut self._rtl;
        let d = &self.descriptor;
        rtl.section("Vectors of a weight tile: positions of the tile, then frames");
        let frame_end = rtl.named("frame_end", &p.running & &self.last_position);
        rtl.register(&self.positions, 0)
            .when(&self.begins, &self.first_positions)
            .when(&p.tile_end, &self.next_positions);
        rtl.register(&self.one_position, 0)
            .when(&self.begins, self.first_positions.is(1))
            .when(&p.tile_end, &self.one_next_position);
        rtl.register(&self.positions_left, 0)
            .when(&self.begins, &self.first_positions)
            .when(&p.tile_end, &self.next_positions)
            .when(&frame_end, &self.positions)
            .when(&p.running, self.positions_left.minus(1));
        rtl.register(&self.last_position, 0)
            .when(&self.begins, self.first_positions.is(1))
            .when(&p.tile_end, &self.one_next_position)
            .when(&frame_end, &self.one_position)
            .when(&p.running, self.positions_left.is(2));
        rtl.register(&self.one_frame, 0).set(d.frames.is(1));
        rtl.register(&self.frames_left, 0)
            .when(&p.again, &d.frames)
            .when(&frame_end, self.frames_left.minus(1));
        rtl.register(&self.last_frame, 0)
            .when(&p.again, &self.one_frame)
            .when(frame_end, self.frames_left.is(2));
    }

    /// Loops over weight tiles, a cycle behind them.
    fn loops(&mut self) -> Events {
        let rtl = &mut self._rtl;
        let d = &self.descriptor;
        rtl.section("Loops over weight tiles, the innermost first");
        let next = |shortcut: &Wire<Local>, main: &Wire<Local>| mux(&self.shortcut_follows, shortcut, main);
        let parts = concat([d.shortcut.e(), !&d.shortcut]);
        let [blocks_end, row_end, pass_end, part_end, ..] = rtl.nest(
            &self.begins.e(),
            &self.tile_ends.e(),
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
                    end: "pass_end",
                    left: &self.ky_left,
                    last: &self.last_ky,
                    turns: next(&d.shortcut_kernel_height, &d.kernel_height),
                },
                Loop {
                    end: "part_end",
                    left: &self.passes_left,
                    last: &self.last_pass,
                    turns: mux(&self.shortcut_follows, lit(1, d.passes.width()), &d.passes),
                },
                Loop { end: "block_end", left: &self.parts_left, last: &self.last_part, turns: parts },
                Loop {
                    end: "positions_end",
                    left: &self.column_blocks_left,
                    last: &self.last_column_block,
                    turns: d.column_blocks.e(),
                },
                Loop { end: "all_end", left: &self.tiles_left, last: &self.last_tile, turns: d.tiles.e() },
            ],
        );
        // The addresses wait for these, which are known long before.
        let mut closed = |name, closes: &Wire<Local>| rtl.named(name, &self.tile_ends & closes);
        Events {
            block_end: closed("block_closed", &self.closes_block),
            positions_end: closed("positions_closed", &self.closes_positions),
            all_end: closed("layer_closed", &self.closes_layer),
            blocks_end,
            row_end,
            pass_end,
            part_end,
        }
    }

    /// What the end of the present weight tile will be, and what follows it.
    fn look_ahead(&mut self) -> Closing {
        let rtl = &mut self._rtl;
        let d = &self.descriptor;
        rtl.section("What ends with the present weight tile, and what follows it");
        let of_part = [&self.last_block, &self.last_kx, &self.last_ky, &self.last_pass];
        let part = of_part.into_iter().fold(lit(1, 1), |all, last| all & last);
        let part = rtl.named("closes_part", part);
        let block = rtl.named("closes_parts", &part & &self.last_part);
        let positions = rtl.named("closes_column_blocks", &block & &self.last_column_block);
        let layer = &positions & &self.last_tile;
        rtl.register(&self.closes_block, 0).set(&block);
        rtl.register(&self.closes_positions, 0).set(&positions);
        rtl.register(&self.closes_layer, 0).set(layer);
        let follows = mux(part, !&self.last_part, &self.in_shortcut);
        rtl.register(&self.shortcut_follows, 0).set(follows & !State::Idle.is(&self.state));
        let of = |last: Expr| mux(last, &d.last_tile_positions, &d.tile_positions);
        rtl.register(&self.first_positions, 0).set(of(d.tiles.is(1)));
        let next = mux(&self.closes_positions, of(self.tiles_left.is(2)), &self.positions);
        rtl.register(&self.next_positions, 0).set(next);
        rtl.register(&self.one_next_position, 0).set(self.next_positions.is(1));
        Closing { block, positions }
    }

    /// What the first weight tile of a column block, or of a pass, does otherwise.
    fn count_tiles(&mut self, e: &Events) {
        let rtl = &mut self._rtl;
        rtl.section("The first weight tile of a column block sets the sums, that of a pass may double them");
        let (begins, ends) = (&self.begins, &self.tile_ends);
        rtl.register(&self.bank, 0).when(begins, lit(0, 1)).when(&e.block_end, !&self.bank);
        rtl.assign(&self.done_o, &e.all_end);
        rtl.register(&self.first_tile, 1).when(begins | &e.part_end, lit(1, 1)).when(ends, lit(0, 1));
        rtl.register(&self.in_shortcut, 0).when(begins, lit(0, 1)).when(ends, &self.shortcut_follows);
        rtl.register(&self.first_of_pass, 1).when(begins | &e.pass_end, lit(1, 1)).when(ends, lit(0, 1));
        rtl.register(&self.entry, 0)
            .when(ends & &self.shortcut_follows, &self.descriptor.shortcut_entry)
            .when(begins | ends, self.entry.zero())
            .when(&self.running, self.entry.plus(1));
    }

    /// Strides and steps of the layer or its shortcut.
    fn choose_part(&mut self) {
        let rtl = &mut self._rtl;
        let d = &self.descriptor;
        rtl.section("Steps of the layer or of its shortcut, whichever is present");
        for (present, shortcut, main) in [
            (&self.present_stride, &d.shortcut_stride, &d.stride),
            (&self.present_x_step, &d.shortcut_x_step, &d.x_step),
            (&self.present_row_step, &d.shortcut_row_step, &d.row_step),
            (&self.present_ky_step, &d.shortcut_ky_step, &d.ky_step),
            (&self.present_frame_step, &d.shortcut_frame_step, &d.frame_step),
        ] {
            let [shortcut, main] = [shortcut, main].map(|step| step.e().zext(present.width()));
            rtl.register(present, 0)
                .when(&self.begins, &main)
                .when(&self.tile_ends, mux(&self.shortcut_follows, shortcut, main));
        }
        for (border, padding) in [(&self.border, &d.padding), (&self.shortcut_border, &d.shortcut_padding)] {
            let padding = padding.e().zext(COORDINATE_BITS);
            rtl.register(border, 0).set(lit(0, COORDINATE_BITS) - padding);
        }
    }

    /// The position in the map, in raster order. A weight tile, and a frame, start again at the tile's first position;
    /// a tile of positions goes on where the one before it has ended.
    fn walk_positions(&mut self, e: &Events, closing: &Closing) {
        let rtl = &mut self._rtl;
        let d = &self.descriptor;
        rtl.section("Position: address, coordinates, and those of the tile's first position");
        let (begins, running) = (&self.begins, &self.running);
        let again = (&self.tile_ends | &self.frame_ends) & !&e.positions_end;
        let again = rtl.named("position_again", again);
        let to_shortcut = mux(&self.tile_ends, &self.shortcut_follows, &self.in_shortcut);
        let to_shortcut = rtl.named("to_shortcut", to_shortcut);
        let behind = rtl.named("shortcut_ends", &e.positions_end & &self.in_shortcut);
        let main_passed = rtl.named("main_passed", &self.vectors_end & !&self.in_shortcut);
        let shortcut_passed = &self.vectors_end & &self.in_shortcut & &closing.positions;
        let shortcut_passed = rtl.named("shortcut_passed", shortcut_passed);
        rtl.register(&self.tile_begun, 0).set(begins | &e.positions_end);
        let zero = lit(0, COORDINATE_BITS);
        let last = &self.last_of_row;
        for (present, [main, shortcut, next], [origin, shortcut_origin], moved) in [
            (
                &self.position,
                [&self.tile_position, &self.shortcut_position, &self.next_position],
                [d.in_origin.e(), d.shortcut_origin.e()],
                &self.position + mux(last, &self.present_row_step, &self.present_x_step),
            ),
            (
                &self.position_y,
                [&self.tile_position_y, &self.shortcut_position_y, &self.next_position_y],
                [zero.clone(), zero.clone()],
                mux(last, &self.position_y + &self.present_stride, &self.position_y),
            ),
            (
                &self.position_x,
                [&self.tile_position_x, &self.shortcut_position_x, &self.next_position_x],
                [zero.clone(), zero.clone()],
                mux(last, &zero, &self.position_x + &self.present_stride),
            ),
        ] {
            rtl.register(next, 0).when(&main_passed, &moved);
            rtl.register(main, 0).when(&self.tile_begun, present);
            rtl.register(shortcut, 0).when(begins, shortcut_origin).when(&shortcut_passed, &moved);
            // The first position is not kept yet where a tile has just begun.
            let first = mux(&self.tile_begun, present, mux(&to_shortcut, shortcut, main));
            rtl.register(present, 0)
                .when(begins, origin)
                .when(&behind, next)
                .when(&again, first)
                .when(running, moved);
        }
        let kept = |present: &Wire<Local>, main: &Wire<Local>| mux(&self.tile_begun, present, main);
        rtl.register(&self.one_of_row, 0).set(d.out_width.is(1));
        rtl.register(&self.tile_row_left, 0).when(&self.tile_begun, &self.row_left);
        rtl.register(&self.row_left, 0)
            .when(begins, &d.out_width)
            .when(&again, kept(&self.row_left, &self.tile_row_left))
            .when(running, mux(last, &d.out_width, self.row_left.minus(1)));
        rtl.register(&self.tile_last_of_row, 0).when(&self.tile_begun, last);
        rtl.register(last, 0)
            .when(begins, &self.one_of_row)
            .when(again, kept(last, &self.tile_last_of_row))
            .when(running, mux(last, &self.one_of_row, self.row_left.is(2)));
    }

    /// Offsets of tap, frame and plane.
    fn offset(&mut self, e: &Events) {
        let rtl = &mut self._rtl;
        let d = &self.descriptor;
        rtl.section("Offsets of tap, frame and plane");
        let zero = self.tap.zero();
        let (begins, ends) = (&self.begins, &self.tile_ends);
        let border = mux(&self.shortcut_follows, &self.shortcut_border, &self.border);
        let border = rtl.named("next_border", border);
        rtl.register(&self.tap, 0)
            .when(begins | &e.pass_end, &zero)
            .when(ends, &self.tap + mux(&e.row_end, &self.present_ky_step, lit(1, self.tap.width())));
        rtl.register(&self.tap_y, 0).when(begins | &e.pass_end, &border).when(&e.row_end, self.tap_y.plus(1));
        rtl.register(&self.tap_x, 0)
            .when(begins | &e.row_end, border)
            .when(&e.blocks_end, self.tap_x.plus(1));
        rtl.register(&self.frame, 0)
            .when(begins | ends, zero)
            .when(&self.frame_ends, &self.frame + &self.present_frame_step);
        rtl.register(&self.planes, 0)
            .when(begins | &e.block_end, concat([&d.planes_high, &d.planes_low]))
            .when(&e.part_end, self.planes.zero())
            .when(&e.pass_end, self.planes.e().shr(PLANE_BITS as usize));
        rtl.register(&self.doubles, 0)
            .when(begins | &e.block_end, &d.double_mask)
            .when(&e.part_end, self.doubles.zero())
            .when(&e.pass_end, self.doubles.e().shr(1));
        rtl.register(&self.three_planes, 0).set(&d.plane_step + d.plane_step.e().shl(1));
    }

    /// Weights follow each other in the memory; a tile of positions reads them again.
    fn weights(&mut self, e: &Events) {
        let rtl = &mut self._rtl;
        let d = &self.descriptor;
        rtl.section("Weights follow each other in the memory; a tile of positions reads them again");
        rtl.register(&self.weight, 0)
            .when(&self.begins | &e.positions_end, &d.weight_base)
            .when(&self.reading, self.weight.plus(1));
        let read = rtl.delay(&self.reading, &self.weight_reads);
        let first = rtl.delay(&self.reads_first, &self.weight_firsts);
        let address = rtl.delay_data(&self.weight, &self.weight_addresses);
        rtl.assign(&self.weight_read_o, read);
        rtl.assign(&self.weight_first_o, first);
        rtl.assign(&self.weight_address_o, address);
    }

    fn emit_vectors(&mut self, closing: &Closing) {
        let rtl = &mut self._rtl;
        let d = &self.descriptor;
        rtl.section("A vector: control of its sums, then its address in three steps");
        let control = Control {
            set: self.first_tile.e(),
            double: &self.first_of_pass & self.doubles.e().bit(0),
            bank: self.bank.e(),
            address: self.entry.e(),
        };
        rtl.assign(&self.valid_o, &self.running);
        rtl.assign(&self.control_o, control.pack());
        rtl.assign(&self.last_o, &self.vectors_end & &closing.block);

        let step = d.plane_step.e();
        let planes = [lit(0, step.width()), step.clone(), step.shl(1), self.three_planes.e()];
        rtl.register(&self.vector_plane, 0)
            .set(select(&planes, self.planes.e().slice(0, PLANE_BITS as usize)));
        rtl.register(&self.vector_tap, 0).set(&self.tap);
        rtl.register(&self.vector_offset, 0).set(&self.vector_tap + &self.vector_plane);
        let position = rtl.delay_data(&self.position + &self.frame, &self.vector_positions);
        rtl.register(&self.read_address_o, 0).set(position + &self.vector_offset);
        let vector = rtl.delay(&self.running, &self.vectors);
        rtl.register(&self.read_o, 0).set(vector);

        rtl.register(&self.vector_y, 0).set(&self.position_y + &self.tap_y);
        rtl.register(&self.vector_x, 0).set(&self.position_x + &self.tap_x);
        rtl.register(&self.vector_in_shortcut, 0).set(&self.in_shortcut);
        let of_vector =
            |shortcut: &Wire<Local>, main: &Wire<Local>| mux(&self.vector_in_shortcut, shortcut, main);
        let size = [of_vector(&d.shortcut_height, &d.in_height), of_vector(&d.shortcut_width, &d.in_width)];
        let inside = are_inside([&self.vector_y, &self.vector_x], size);
        rtl.register(&self.vector_inside, 0).set(concat(inside));
        rtl.register(&self.inside_o, 0).set(self.vector_inside.e().bit(0) & self.vector_inside.e().bit(1));

        let banks = self.bank_mask_o.width() as u64;
        let last_banks = of_vector(&d.shortcut_last_banks, &d.last_banks);
        let present = |b| last_banks.gt(lit(b, last_banks.width()));
        rtl.register(&self.vector_banks, 0).set(concat((0..banks).rev().map(present)));
        let last_block = rtl.delay(&self.last_block, &self.vector_last_block);
        let all = lit(crate::rtl::word::mask(banks as usize), banks as usize);
        rtl.register(&self.bank_mask_o, 0).set(mux(last_block, &self.vector_banks, all));
        rtl.assign(&self.border_o, &d.zero_point);
    }
}

#[cfg(test)]
mod tests;
