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
use crate::rtl::states;
use crate::unit_macro::unit;
use empf_ir::ArchConfig;
use empf_ir::formats::{LOGIT_BITS, MULTIPLIER_BITS};
use empf_ir::isa::{BIAS_HALF_BITS, Drain as Fields, LaneParameters};

/// Parameters of a lane.
const PARAMETERS: usize = LaneParameters::<()>::WORDS;
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

states! {
    Idle = "IDLE",
    Load = "LOAD",
    Run = "RUN",
    Flush = "FLUSH",
    Send = "SEND",
}

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

        state: Wire<Local> = State::wire(),
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

/// The registers of lane `l`.
fn lane_parameters(registers: &[Wire<Local>], l: usize) -> LaneParameters<Expr> {
    LaneParameters::unpack(std::array::from_fn(|i| registers[PARAMETERS * l + i].e()))
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

    fn events(&mut self, arch: &ArchConfig) -> Events {
        let rtl = &mut self._rtl;
        let d = &self.descriptor;
        rtl.section("Loops: step, group, tile of positions");
        let loading = rtl.named("loading_parameters", State::Load.is(&self.state));
        let running = rtl.named("running", State::Run.is(&self.state));
        let timer_end = rtl.named("timer_end", self.timer.is(1));
        let sent = rtl.named("logit_sent", State::Send.is(&self.state) & &self.logit_ready_i);
        let last_lane = self.lane.is(arch.lanes as u64 - 1) | self.classes_left.is(1);
        let flushed = State::Flush.is(&self.state) & &timer_end;
        let run_end = rtl.named("run_end", (&flushed & !&d.logits) | (&sent & last_lane));
        let [group_end, tile_end, all_end] = rtl.nest(
            &self.start_i.e(),
            &run_end,
            [
                Loop { end: "group_end", left: &self.steps_left, turns: &d.time_steps },
                Loop { end: "tile_end", left: &self.groups_left, turns: &d.groups },
                Loop { end: "all_end", left: &self.tiles_left, turns: &d.tiles },
            ],
        );
        let last_group = self.group.is((arch.cols / arch.lanes - 1) as u64);
        let block_end = rtl.named("block_end", (&group_end & last_group) | &tile_end);
        let idle_start = State::Idle.is(&self.state) & &self.active & self.full_banks.e().any();
        Events {
            load_start: rtl.named("load_start", idle_start | (&run_end & !&block_end)),
            last_position: rtl.named("last_position", &running & self.positions_left.is(1)),
            loading,
            running,
            timer_end,
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
        rtl.section("State, and the accumulator banks that are full");
        let flushing = rtl.named("flushing", State::Flush.is(&self.state));
        rtl.machine(&self.state, State::Idle)
            .when(&e.load_start, State::Load)
            .when(&e.block_end, State::Idle)
            .when(&e.loading & &e.timer_end, State::Run)
            .when(&e.last_position, State::Flush)
            .when(&flushing & &e.timer_end, State::Send);
        rtl.register(&self.active, 0).when(&self.start_i, lit(1, 1)).when(&e.all_end, lit(0, 1));
        let timer = |cycles: usize| lit(cycles as u64, self.timer.width());
        rtl.register(&self.timer, 0)
            .when(&e.load_start, timer(load_cycles(lanes)))
            .when(&e.last_position, timer(FLUSH_CYCLES))
            .when(&e.loading | flushing, self.timer.minus(1));
        rtl.register(&self.full_banks, 0)
            .when(&self.block_i & !&e.block_end, self.full_banks.plus(1))
            .when(&e.block_end & !&self.block_i, self.full_banks.minus(1));
        rtl.register(&self.bank, 0).when(&self.start_i, lit(0, 1)).when(&e.block_end, !&self.bank);
        rtl.assign(&self.bank_free_o, &e.block_end);
        rtl.assign(&self.done_o, &e.all_end);
    }

    fn count(&mut self, e: &Events) {
        let rtl = &mut self._rtl;
        let d = &self.descriptor;
        rtl.section("Group of the column block, first step, positions of the tile");
        rtl.register(&self.group, 0)
            .when(&self.start_i | &e.block_end, self.group.zero())
            .when(&e.group_end, self.group.plus(1));
        rtl.register(&self.first_step, 1)
            .when(&self.start_i | &e.group_end, lit(1, 1))
            .when(&e.run_end, lit(0, 1));
        let of = |last: Expr| mux(last, &d.last_tile_positions, &d.tile_positions);
        rtl.register(&self.positions, 0)
            .when(&self.start_i, of(d.tiles.is(1)))
            .when(&e.tile_end, of(self.tiles_left.is(2)));
        rtl.register(&self.positions_left, 0)
            .when(&e.loading, &self.positions)
            .when(&e.running, self.positions_left.minus(1));
    }

    /// Parameters shift in serially, so that no lane needs an address.
    fn load_parameters(&mut self, e: &Events) {
        let rtl = &mut self._rtl;
        rtl.section("Parameters shift in serially, so that no lane needs an address");
        let read = rtl.named("parameter_read", &e.loading & !&e.timer_end);
        rtl.register(&self.parameter_address, 0)
            .when(&self.start_i | &e.tile_end, &self.descriptor.parameter_base)
            .when(&read, self.parameter_address.plus(1));
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
        rtl.section("Sums of a step follow each other; a static input has one step for all");
        let bits = self.entry.width();
        let one_frame = self.descriptor.frames.is(1);
        let positions = self.positions.e().slice(0, bits);
        let next_step = mux(one_frame, &self.step_entry, &self.step_entry + positions);
        rtl.register(&self.step_entry, 0)
            .when(&self.start_i | &e.group_end, self.step_entry.zero())
            .when(&e.run_end, next_step);
        rtl.register(&self.entry, 0).when(&e.loading, &self.step_entry).when(&e.running, self.entry.plus(1));
        rtl.assign(&self.drain_o, &e.running);
        rtl.assign(&self.drain_bank_o, &self.bank);
        rtl.assign(&self.drain_address_o, &self.entry);
        rtl.assign(&self.drain_group_o, &self.group);
        let result = rtl.delay(&e.running, &self.results);
        let asked = self.results[SUM_DELAY + POTENTIAL_DELAY - 2].e();
        let count = |rtl: &mut Rtl, counter: &Wire<Local>, step: &Expr| {
            rtl.register(counter, 0).when(&e.loading, counter.zero()).when(step, counter.plus(1));
        };
        count(rtl, &self.potential_read, &asked);
        count(rtl, &self.potential_write, &result);
    }

    fn run_lanes(&mut self, arch: &ArchConfig) {
        let rtl = &mut self._rtl;
        let (v, m) = (arch.membrane_bits as usize, MULTIPLIER_BITS as usize);
        for (l, (lane, memory)) in self.lanes.iter().zip(&self.potentials).enumerate() {
            let parameters = lane_parameters(&self.parameters, l);
            rtl.clock(&lane.clock);
            rtl.assign(&lane.sum_i, &self.sum_i[l]);
            rtl.assign(&lane.mantissa_i, parameters.mantissa.slice(0, m));
            rtl.assign(&lane.bias_i, parameters.bias.slice(0, v));
            rtl.assign(&lane.lambda_i, parameters.lambda.slice(0, m));
            rtl.assign(&lane.theta_i, parameters.theta.slice(0, v));
            rtl.assign(&lane.offset_i, parameters.offset.slice(0, v));
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
        rtl.section("Results: out_base + step * out_frame_step + position * out_blocks + word of the group");
        let result = &self.results[RESULT_DELAY - 1];
        rtl.register(&self.write_address, 0)
            .when(&e.loading, (&self.tile_out + &self.step_out) + &self.group_word)
            .when(result, &self.write_address + &self.descriptor.out_blocks);
        rtl.register(&self.step_out, 0)
            .when(&self.start_i | &e.group_end, self.step_out.zero())
            .when(&e.run_end, &self.step_out + &self.descriptor.out_frame_step);
        rtl.register(&self.first_run, 1)
            .when(&self.start_i | &e.tile_end, lit(1, 1))
            .when(&e.run_end, lit(0, 1));
        rtl.register(&self.next_tile_out, 0).when(&e.run_end & &self.first_run, &self.write_address);
        rtl.register(&self.tile_out, 0)
            .when(&self.start_i, &self.descriptor.out_base)
            .when(&e.tile_end, mux(&self.first_run, &self.write_address, &self.next_tile_out));

        let word_end = rtl.named("word_end", &e.group_end & self.group_bank.is(arch.banks() as u64 - 1));
        let restart = rtl.named("restart", &self.start_i | &e.tile_end);
        rtl.register(&self.group_bank, 0)
            .when(&restart | &word_end, self.group_bank.zero())
            .when(&e.group_end, self.group_bank.plus(1));
        rtl.register(&self.group_word, 0)
            .when(restart, self.group_word.zero())
            .when(word_end, self.group_word.plus(1));
        let written = rtl.named("result_written", result & !&self.descriptor.logits);
        let banks = (0..arch.banks() as u64).rev().map(|b| self.group_bank.is(b) & &written);
        rtl.assign(&self.write_o, concat(banks));
        rtl.assign(&self.write_address_o, &self.write_address);
        rtl.assign(&self.write_data_o, concat(self.lanes.iter().rev().map(|lane| &lane.spike_o)));
    }

    /// The bias of a logit is the lane's first two parameters, low and high half.
    fn send_logits(&mut self, e: &Events) {
        let rtl = &mut self._rtl;
        rtl.section("Logits: the bias is in two halves among the lane's parameters");
        let (bits, half_bits) = (LOGIT_BITS as usize, BIAS_HALF_BITS as usize);
        for (l, logit) in self.logit.iter().enumerate() {
            let [low, high] = lane_parameters(&self.parameters, l).bias_halves();
            let bias = concat([high, low].map(|half| half.slice(0, half_bits)));
            rtl.register(logit, 0).when(&self.results[SUM_DELAY - 1], self.sum_i[l].e().sext(bits) + bias);
        }
        rtl.register(&self.lane, 0).when(&e.loading, self.lane.zero()).when(&e.sent, self.lane.plus(1));
        rtl.register(&self.classes_left, 0)
            .when(&self.start_i, &self.descriptor.classes)
            .when(&e.sent, self.classes_left.minus(1));
        rtl.assign(&self.logit_valid_o, State::Send.is(&self.state));
        rtl.assign(&self.logit_last_o, self.classes_left.is(1));
        rtl.assign(&self.logit_o, select(&self.logit.iter().map(Wire::e).collect::<Vec<_>>(), &self.lane));
    }
}

#[cfg(test)]
mod tests;
