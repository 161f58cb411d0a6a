//! The drain: takes a full accumulator bank through the neuron lanes, or sends its sums as logits.
//!
//! ```text
//! for tile of positions:  for column block:
//!     wait for a full bank
//!     for group of lanes:  for step:
//!         LOAD    5 * lanes parameters, one a cycle
//!         RUN     one position a cycle
//!         FLUSH   until the last result is written
//!         SEND    (logits) one lane a cycle
//! ```
//!
//! Potentials are kept in a memory of one word a position, which the next group overwrites.

use crate::arithmetic::counter_bits;
use crate::descriptor::{FIELD_BITS, Registers, index_bits, keep_descriptor, opcode_bits, widths};
use crate::neuron_lane::{LANE_LATENCY, NeuronLane, POTENTIAL_DELAY};
use crate::rtl::address_width;
use crate::rtl::prelude::*;
use crate::unit_macro::unit;
use empf_ir::ArchConfig;
use empf_ir::formats::{LOGIT_BITS, MULTIPLIER_BITS};
use empf_ir::isa::Drain as Fields;

/// Parameters of a lane: M, B, lambda, theta, c.
const PARAMETERS: usize = 5;
/// Cycles from a position's address to its sum at the lanes.
const SUM_DELAY: usize = 1;
/// Cycles from a position's address to its result.
const RESULT_DELAY: usize = SUM_DELAY + LANE_LATENCY;
/// Cycles from the last position to the next use of the lanes.
pub const FLUSH_CYCLES: usize = RESULT_DELAY + 1;

/// Cycles in which a group's parameters are loaded.
pub const fn load_cycles(lanes: usize) -> usize {
    PARAMETERS * lanes + 1
}

const IDLE: u64 = 0;
const LOAD: u64 = 1;
const RUN: u64 = 2;
const FLUSH: u64 = 3;
const SEND: u64 = 4;
const STATE_BITS: usize = 3;

unit! {
    /// Neuron lanes with their parameters, potentials and loops.
    pub(crate) struct Drain(arch: &ArchConfig, w: &Fields<usize>, entry: usize) "drain" {
        reset_i: Wire<In> = Wire::new(1),
        field_valid_i: Wire<In> = Wire::new(1),
        field_opcode_i: Wire<In> = Wire::new(opcode_bits()),
        field_index_i: Wire<In> = Wire::new(index_bits()),
        field_data_i: Wire<In> = Wire::new(FIELD_BITS),
        start_i: Wire<In> = Wire::new(1),
        /// A bank is full.
        block_i: Wire<In> = Wire::new(1),
        /// A bank has been drained.
        bank_free_o: Wire<Out> = Wire::new(1),
        /// The layer is done.
        done_o: Wire<Out> = Wire::new(1),
        parameter_read_o: Wire<Out> = Wire::new(1),
        parameter_address_o: Wire<Out> = Wire::new(w.parameter_base),
        /// One cycle after its read.
        parameter_i: Wire<In> = Wire::new(arch.parameter_bits() as usize),
        drain_o: Wire<Out> = Wire::new(1),
        drain_bank_o: Wire<Out> = Wire::new(1),
        drain_address_o: Wire<Out> = Wire::new(entry),
        drain_group_o: Wire<Out> = Wire::new(counter_bits(arch.cols / arch.lanes - 1)),
        /// One cycle after `drain_o`.
        sum_i: Vec<Wire<In>> = Wire::array(arch.lanes, arch.acc_bits as usize),
        write_o: Wire<Out> = Wire::new(arch.banks()),
        write_address_o: Wire<Out> = Wire::new(w.out_base),
        write_data_o: Wire<Out> = Wire::new(arch.lanes * arch.act_bits as usize),
        logit_valid_o: Wire<Out> = Wire::new(1),
        logit_ready_i: Wire<In> = Wire::new(1),
        logit_last_o: Wire<Out> = Wire::new(1),
        logit_o: Wire<Out> = Wire::new(LOGIT_BITS as usize),

        descriptor: Registers<Fields<Wire<Local>>> = Registers::new(arch),

        state: Wire<Local> = Wire::new(STATE_BITS),
        /// There is a descriptor; sums may be there before it.
        active: Wire<Local> = Wire::new(1),
        full_banks: Wire<Local> = Wire::new(2),
        bank: Wire<Local> = Wire::new(1),
        tiles_left: Wire<Local> = Wire::new(w.tiles),
        groups_left: Wire<Local> = Wire::new(w.groups),
        /// Group within the column block.
        group: Wire<Local> = Wire::new(counter_bits(arch.cols / arch.lanes - 1)),
        steps_left: Wire<Local> = Wire::new(w.time_steps),
        positions: Wire<Local> = Wire::new(w.tile_positions),
        positions_left: Wire<Local> = Wire::new(w.tile_positions),
        timer: Wire<Local> = Wire::new(counter_bits(load_cycles(arch.lanes).max(FLUSH_CYCLES))),
        first_step: Wire<Local> = Wire::new(1),
        parameter_address: Wire<Local> = Wire::new(w.parameter_base),
        loading: Wire<Local> = Wire::new(1),
        parameters: Vec<Wire<Local>> = Wire::array(PARAMETERS * arch.lanes, arch.parameter_bits() as usize),

        entry: Wire<Local> = Wire::new(entry),
        step_entry: Wire<Local> = Wire::new(entry),
        tile_out: Wire<Local> = Wire::new(w.out_base),
        group_word: Wire<Local> = Wire::new(w.out_base),
        group_bank: Wire<Local> = Wire::new(counter_bits(arch.banks() - 1)),
        step_out: Wire<Local> = Wire::new(w.out_base),
        write_address: Wire<Local> = Wire::new(w.out_base),
        /// The tile's first (group, step) is not done.
        first_run: Wire<Local> = Wire::new(1),
        next_tile_out: Wire<Local> = Wire::new(w.out_base),
        results: Vec<Wire<Local>> = Wire::array(RESULT_DELAY, 1),
        potential_read: Wire<Local> = Wire::new(entry),
        potential_write: Wire<Local> = Wire::new(entry),

        lanes: Vec<NeuronLane> = (0..arch.lanes).map(|_| NeuronLane::new(arch)).collect(),
        potentials: Vec<Ram> = (0..arch.lanes)
            .map(|_| Ram::new("potential_memory", arch.membrane_bits as usize, arch.accumulator_depth))
            .collect(),

        logit: Vec<Wire<Local>> = Wire::array(arch.lanes, LOGIT_BITS as usize),
        lane: Wire<Local> = Wire::new(counter_bits(arch.lanes - 1)),
        classes_left: Wire<Local> = Wire::new(w.classes),
    }
}

/// Conditions of the present cycle.
struct Events {
    loading: Expr,
    running: Expr,
    /// The present run starts.
    load_start: Expr,
    timer_end: Expr,
    last_position: Expr,
    /// The present (group, step) is done.
    run_end: Expr,
    /// So are all steps.
    group_end: Expr,
    /// So is the column block.
    block_end: Expr,
    /// So is the tile of positions.
    tile_end: Expr,
    all_end: Expr,
    /// A logit is accepted.
    sent: Expr,
}

impl Drain {
    /// The drain of `arch`.
    pub(crate) fn new(arch: &ArchConfig) -> Self {
        let mut u = Self::declare(arch, &widths(arch), address_width(arch.accumulator_depth));
        u._rtl.doc("Drain: accumulators through requantizer and neuron into the activation memory, or out as logits.");
        u._rtl.reset(&u.reset_i);
        keep_descriptor!(u);
        let events = u.events(arch);
        u.control(&events, arch.lanes);
        u.count(&events);
        u.load_parameters(&events);
        u.read_sums(&events);
        u.run_lanes(arch);
        u.write_spikes(&events, arch);
        u.send_logits(&events);
        u
    }

    fn events(&self, arch: &ArchConfig) -> Events {
        let one = |wire: &Wire<Local>| wire.e().eq(lit(1, wire.width()));
        let in_state = |state| self.state.e().eq(lit(state, STATE_BITS));
        let timer_end = one(&self.timer);
        let sent = in_state(SEND) & &self.logit_ready_i;
        let last_lane = self.lane.e().eq(lit(arch.lanes as u64 - 1, self.lane.width()));
        let last_class = one(&self.classes_left);
        let flushed = in_state(FLUSH) & &timer_end;
        let run_end = (&flushed & !&self.descriptor.logits) | (&sent & (last_lane | &last_class));
        let group_end = &run_end & one(&self.steps_left);
        let last_group = self.group.e().eq(lit((arch.cols / arch.lanes - 1) as u64, self.group.width()));
        let tile_end = &group_end & one(&self.groups_left);
        let block_end = (&group_end & last_group) | &tile_end;
        let all_end = &tile_end & one(&self.tiles_left);
        let idle_start = in_state(IDLE) & &self.active & self.full_banks.e().any();
        Events {
            loading: in_state(LOAD),
            running: in_state(RUN),
            load_start: idle_start | (&run_end & !&block_end),
            timer_end,
            last_position: in_state(RUN) & one(&self.positions_left),
            run_end,
            group_end,
            block_end,
            tile_end,
            all_end,
            sent,
        }
    }

    fn control(&mut self, e: &Events, lanes: usize) {
        let rtl = &mut self._rtl;
        let state = |value| lit(value, STATE_BITS);
        let flushing = self.state.e().eq(state(FLUSH));
        rtl.register(&self.state, IDLE)
            .when(&e.load_start, state(LOAD))
            .when(&e.block_end, state(IDLE))
            .when(&e.loading & &e.timer_end, state(RUN))
            .when(&e.last_position, state(FLUSH))
            .when(&flushing & &e.timer_end, state(SEND));
        rtl.register(&self.active, 0).when(&self.start_i, lit(1, 1)).when(&e.all_end, lit(0, 1));
        let timer = |cycles: usize| lit(cycles as u64, self.timer.width());
        rtl.register(&self.timer, 0)
            .when(&e.load_start, timer(load_cycles(lanes)))
            .when(&e.last_position, timer(FLUSH_CYCLES))
            .when(&e.loading | flushing, &self.timer - timer(1));
        let count = &self.full_banks;
        rtl.register(count, 0)
            .when(&self.block_i & !&e.block_end, count + lit(1, 2))
            .when(&e.block_end & !&self.block_i, count - lit(1, 2));
        rtl.register(&self.bank, 0).when(&self.start_i, lit(0, 1)).when(&e.block_end, !&self.bank);
        rtl.assign(&self.bank_free_o, &e.block_end);
        rtl.assign(&self.done_o, &e.all_end);
    }

    fn count(&mut self, e: &Events) {
        let rtl = &mut self._rtl;
        let decrement = |wire: &Wire<Local>| wire - lit(1, wire.width());
        rtl.register(&self.tiles_left, 0)
            .when(&self.start_i, &self.descriptor.tiles)
            .when(&e.tile_end, decrement(&self.tiles_left));
        rtl.register(&self.groups_left, 0)
            .when(&self.start_i | &e.tile_end, &self.descriptor.groups)
            .when(&e.group_end, decrement(&self.groups_left));
        rtl.register(&self.group, 0)
            .when(&self.start_i | &e.block_end, lit(0, self.group.width()))
            .when(&e.group_end, &self.group + lit(1, self.group.width()));
        rtl.register(&self.steps_left, 0)
            .when(&self.start_i | &e.group_end, &self.descriptor.time_steps)
            .when(&e.run_end, decrement(&self.steps_left));
        rtl.register(&self.first_step, 1)
            .when(&self.start_i | &e.group_end, lit(1, 1))
            .when(&e.run_end, lit(0, 1));

        let one = |wire: &Wire<Local>| wire.e().eq(lit(1, wire.width()));
        let only_tile = one(&self.descriptor.tiles);
        let next_is_last = self.tiles_left.e().eq(lit(2, self.tiles_left.width()));
        let of =
            |last: Expr| mux(last, &self.descriptor.last_tile_positions, &self.descriptor.tile_positions);
        rtl.register(&self.positions, 0)
            .when(&self.start_i, of(only_tile))
            .when(&e.tile_end, of(next_is_last));
        rtl.register(&self.positions_left, 0)
            .when(&e.loading, &self.positions)
            .when(&e.running, decrement(&self.positions_left));
    }

    /// Parameters shift in serially, so that no lane needs an address.
    fn load_parameters(&mut self, e: &Events) {
        let rtl = &mut self._rtl;
        let read = &e.loading & !&e.timer_end;
        rtl.register(&self.parameter_address, 0)
            .when(&self.start_i | &e.tile_end, &self.descriptor.parameter_base)
            .when(&read, &self.parameter_address + lit(1, self.parameter_address.width()));
        rtl.assign(&self.parameter_read_o, &read);
        rtl.assign(&self.parameter_address_o, &self.parameter_address);
        rtl.register(&self.loading, 0).set(read);
        let mut next = self.parameter_i.e();
        for register in self.parameters.iter().rev() {
            rtl.register(register, 0).when(&self.loading, next);
            next = register.e();
        }
    }

    /// Sums of a step follow each other; a static input has one step for all.
    fn read_sums(&mut self, e: &Events) {
        let rtl = &mut self._rtl;
        let bits = self.entry.width();
        let one_frame = self.descriptor.frames.e().eq(lit(1, self.descriptor.frames.width()));
        let positions = self.positions.e().slice(0, bits);
        let next_step = mux(one_frame, &self.step_entry, &self.step_entry + positions);
        rtl.register(&self.step_entry, 0)
            .when(&self.start_i | &e.group_end, lit(0, bits))
            .when(&e.run_end, next_step);
        rtl.register(&self.entry, 0)
            .when(&e.loading, &self.step_entry)
            .when(&e.running, &self.entry + lit(1, bits));
        rtl.assign(&self.drain_o, &e.running);
        rtl.assign(&self.drain_bank_o, &self.bank);
        rtl.assign(&self.drain_address_o, &self.entry);
        rtl.assign(&self.drain_group_o, &self.group);
        let result = rtl.delay(&e.running, &self.results);
        let asked = self.results[SUM_DELAY + POTENTIAL_DELAY - 2].e();
        let count = |rtl: &mut Rtl, counter: &Wire<Local>, step: &Expr| {
            rtl.register(counter, 0).when(&e.loading, lit(0, bits)).when(step, counter + lit(1, bits));
        };
        count(rtl, &self.potential_read, &asked);
        count(rtl, &self.potential_write, &result);
    }

    fn run_lanes(&mut self, arch: &ArchConfig) {
        let rtl = &mut self._rtl;
        let (v, m) = (arch.membrane_bits as usize, MULTIPLIER_BITS as usize);
        for (l, (lane, memory)) in self.lanes.iter().zip(&self.potentials).enumerate() {
            let parameter = |i: usize, width: usize| self.parameters[PARAMETERS * l + i].e().slice(0, width);
            rtl.clock(&lane.clock);
            rtl.assign(&lane.sum_i, &self.sum_i[l]);
            rtl.assign(&lane.mantissa_i, parameter(0, m));
            rtl.assign(&lane.bias_i, parameter(1, v));
            rtl.assign(&lane.lambda_i, parameter(2, m));
            rtl.assign(&lane.theta_i, parameter(3, v));
            rtl.assign(&lane.offset_i, parameter(4, v));
            rtl.assign(&lane.requant_shift_i, &self.descriptor.requant_shift);
            rtl.assign(&lane.spike_shift_i, &self.descriptor.spike_shift);
            rtl.assign(&lane.potential_i, mux(&self.first_step, lit(0, v), &memory.read_data_o));
            rtl.clock(&memory.clock);
            rtl.assign(&memory.read_i, lit(1, 1));
            rtl.assign(&memory.read_address_i, &self.potential_read);
            rtl.assign(&memory.write_i, &self.results[RESULT_DELAY - 1]);
            rtl.assign(&memory.write_address_i, &self.potential_write);
            rtl.assign(&memory.write_data_i, &lane.potential_o);
        }
    }

    /// Output addresses: `out_base + step * out_frame_step + position * out_blocks + word of the group`.
    fn write_spikes(&mut self, e: &Events, arch: &ArchConfig) {
        let rtl = &mut self._rtl;
        let act = self.write_address.width();
        let result = &self.results[RESULT_DELAY - 1];
        rtl.register(&self.write_address, 0)
            .when(&e.loading, (&self.tile_out + &self.step_out) + &self.group_word)
            .when(result, &self.write_address + &self.descriptor.out_blocks);
        rtl.register(&self.step_out, 0)
            .when(&self.start_i | &e.group_end, lit(0, act))
            .when(&e.run_end, &self.step_out + &self.descriptor.out_frame_step);
        rtl.register(&self.first_run, 1)
            .when(&self.start_i | &e.tile_end, lit(1, 1))
            .when(&e.run_end, lit(0, 1));
        rtl.register(&self.next_tile_out, 0).when(&e.run_end & &self.first_run, &self.write_address);
        rtl.register(&self.tile_out, 0)
            .when(&self.start_i, &self.descriptor.out_base)
            .when(&e.tile_end, mux(&self.first_run, &self.write_address, &self.next_tile_out));

        let bits = self.group_bank.width();
        let last_bank = self.group_bank.e().eq(lit(arch.banks() as u64 - 1, bits));
        let restart = &self.start_i | &e.tile_end;
        rtl.register(&self.group_bank, 0)
            .when(&restart | (&e.group_end & &last_bank), lit(0, bits))
            .when(&e.group_end, &self.group_bank + lit(1, bits));
        rtl.register(&self.group_word, 0)
            .when(restart, lit(0, act))
            .when(&e.group_end & last_bank, &self.group_word + lit(1, act));
        let written = result & !&self.descriptor.logits;
        let banks = (0..arch.banks() as u64).rev().map(|b| self.group_bank.e().eq(lit(b, bits)) & &written);
        rtl.assign(&self.write_o, concat(banks));
        rtl.assign(&self.write_address_o, &self.write_address);
        rtl.assign(&self.write_data_o, concat(self.lanes.iter().rev().map(|lane| &lane.spike_o)));
    }

    /// The bias of a logit is the lane's first two parameters, low and high half.
    fn send_logits(&mut self, e: &Events) {
        let rtl = &mut self._rtl;
        let (bits, half) = (LOGIT_BITS as usize, LOGIT_BITS as usize / 2);
        for (l, logit) in self.logit.iter().enumerate() {
            let low = &self.parameters[PARAMETERS * l];
            let high = &self.parameters[PARAMETERS * l + 1];
            let bias = concat([high.e().slice(0, half), low.e().slice(0, half)]);
            rtl.register(logit, 0).when(&self.results[SUM_DELAY - 1], self.sum_i[l].e().sext(bits) + bias);
        }
        let bits = self.lane.width();
        rtl.register(&self.lane, 0).when(&e.loading, lit(0, bits)).when(&e.sent, &self.lane + lit(1, bits));
        rtl.register(&self.classes_left, 0)
            .when(&self.start_i, &self.descriptor.classes)
            .when(&e.sent, &self.classes_left - lit(1, self.classes_left.width()));
        rtl.assign(&self.logit_valid_o, self.state.e().eq(lit(SEND, STATE_BITS)));
        rtl.assign(&self.logit_last_o, self.classes_left.e().eq(lit(1, self.classes_left.width())));
        rtl.assign(&self.logit_o, select(&self.logit.iter().map(Wire::e).collect::<Vec<_>>(), &self.lane));
    }
}

#[cfg(test)]
mod tests;
