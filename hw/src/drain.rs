//! The drain: takes a full accumulator bank through the neuron lanes, or sends its sums as logits.
//!
//! ```text
//! for tile of positions:  for column block:
//!     wait for a full bank
//!     for group of lanes:  for step:      a run
//!         OPEN    wait for the run's parameters
//!         RUN     one position a cycle, or two cycles: its sum, then its shortcut's code or sum
//!         SEND    (logits) wait for the last sum, then one lane a cycle
//!         CLOSE   wait for the next run's parameters; of the last run, for its last result
//! ```
//!
//! Codes of a shortcut are read at the port at which results are written. Positions come every second cycle then, and
//! runs begin in every second, so that the port never has to do both.
//!
//! Results of a run leave the lanes while the next one enters. Its parameters come in meanwhile, one word a cycle, from
//! the cycle on in which the lanes have taken those before. Potentials are kept in a memory of one word a position,
//! which the next group overwrites; where attention goes frame by frame, one of a word for each group and position.
//!
//! Of a layer with channel attention, a first record keeps the currents and fires nothing, and a second has them in place
//! of sums, with mantissas that are times a score.

use crate::accumulator::DRAIN_DELAY;
use crate::arithmetic::counter_bits;
use crate::attention::{Attention, SCORE_DELAY, SUMMED_DELAY};
use crate::descriptor::{FIELD_BITS, Registers, index_bits, keep_descriptor, opcode_bits, widths};
use crate::factor::{FACTOR_DELAY, Factor};
use crate::neuron_lane::{
    CURRENT_DELAY, NeuronLane, PLACES, POTENTIAL_DELAY, POTENTIAL_NEEDED, SPIKE_DELAY, TAKEN, other_bits,
};
use crate::rtl::prelude::*;
use crate::rtl::word::mask;
use crate::rtl::{READ_DELAY, address_width, states};
use crate::unit_macro::unit;
use empf_ir::ArchConfig;
use empf_ir::arch::Memory;
use empf_ir::formats::{LOGIT_BITS, MULTIPLIER_BITS};
use empf_ir::isa::{
    ATTENTION_KEEPS, ATTENTION_SCALES, BIAS_HALF_BITS, Drain as Fields, LaneParameters, ShortcutParameters,
    Unit,
};

/// Parameters of a lane, and those of its shortcut.
const PARAMETERS: usize = LaneParameters::<()>::WORDS;
const OF_SHORTCUT: usize = ShortcutParameters::<()>::WORDS;
/// Cycles from a position's address to its sum at the lanes.
pub(crate) const SUM_DELAY: usize = DRAIN_DELAY;
/// Cycles from a position's address to that of its last potential, which is read, then is 0 in a first step.
const POTENTIAL_READ: usize = SUM_DELAY + POTENTIAL_NEEDED - 1 - READ_DELAY;
/// Cycles from a position's address to its new potential, and to its result.
const POTENTIAL_WRITE: usize = SUM_DELAY + POTENTIAL_DELAY;
const RESULT: usize = SUM_DELAY + SPIKE_DELAY;
/// Cycles from the first address of a run to the one in which the lanes take the last of its parameters.
const TAKEN_ALL: usize = SUM_DELAY + TAKEN.offset - 1;

/// Cycles from the address of a shortcut's code to the code at the lanes: read, then chosen among the banks.
const CODE_DELAY: usize = READ_DELAY + 1;
// A shortcut's address follows in the cycle behind its position's second one, where its results are known to be.
const _: () = assert!(SUM_DELAY == 1 + CODE_DELAY);
// A code is read in the cycle behind its position's second one; results of others are written in the cycles between.
const _: () = assert!(RESULT.is_multiple_of(2));

/// Cycles from a position's last address to its currents where they are kept, and summed up.
const KEPT: usize = SUM_DELAY + CURRENT_DELAY;
// The first currents of a run are summed up in front of the loading of the next run.
const _: () = assert!(KEPT < TAKEN_ALL - 1);

/// Cycles that parameters take more where there is attention, which changes some of them on their way.
fn factor_cycles(arch: &ArchConfig) -> usize {
    if arch.has_attention() { FACTOR_DELAY } else { 0 }
}

/// Cycles from a layer's start to the one in which its first parameters are there.
pub fn load_cycles(d: &Fields, arch: &ArchConfig) -> usize {
    let scores = if d.scales_currents() { SCORE_DELAY + arch.lanes - 1 } else { 0 };
    scores + d.group_words(arch) + 1 + READ_DELAY + factor_cycles(arch)
}

/// Fewest cycles from the one in which a run is opened to that in which it is closed: meanwhile the next run's
/// parameters come in.
pub fn least_run_cycles(d: &Fields, arch: &ArchConfig) -> usize {
    1 + TAKEN_ALL + load_cycles(d, arch)
}

/// Cycles from the last address of a layer, or of a tile whose currents are kept, to the closing of its run: the last
/// result is written.
pub const RESULT_CYCLES: usize = RESULT;
/// Cycles from the opening of a run to the first one in which its logits are offered, where each is one sum.
pub const LOGIT_CYCLES: usize = SUM_DELAY + 2;

states! {
    Idle = "IDLE",
    Open = "OPEN",
    Run = "RUN",
    Send = "SEND",
    Close = "CLOSE",
}

unit! {
    /// Neuron lanes with their parameters, potentials and loops.
    pub(crate) struct Drain(arch: &ArchConfig, w: &Fields<usize>, entry: usize, potential: usize, late: usize,
                            attentions: usize) "drain" {
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
        /// [`READ_DELAY`] cycles after its read.
        parameter_i: Wire<In> = Wire::new(arch.parameter_bits() as usize),
        drain_o: Wire<Out> = Wire::new(1),
        drain_bank_o: Wire<Out> = Wire::new(1),
        drain_address_o: Wire<Out> = Wire::new(entry),
        drain_group_o: Wire<Out> = Wire::new(counter_bits(arch.cols / arch.lanes - 1)),
        /// [`DRAIN_DELAY`] cycles after `drain_o`.
        sum_i: Vec<Wire<In>> = Wire::array(arch.lanes, arch.acc_bits as usize),
        write_o: Wire<Out> = Wire::new(arch.banks()),
        /// Read a shortcut's word.
        shortcut_read_o: Wire<Out> = Wire::new(1),
        /// Of the word to write or to read.
        port_address_o: Wire<Out> = Wire::new(w.out_base),
        /// [`READ_DELAY`] cycles after `shortcut_read_o`.
        shortcut_code_i: Vec<Wire<In>> = Wire::array(arch.rows, arch.act_bits as usize),
        write_data_o: Wire<Out> = Wire::new(arch.lanes * arch.act_bits as usize),
        logit_valid_o: Wire<Out> = Wire::new(1),
        logit_ready_i: Wire<In> = Wire::new(1),
        logit_last_o: Wire<Out> = Wire::new(1),
        logit_o: Wire<Out> = Wire::new(LOGIT_BITS as usize),

        descriptor: Registers<Fields<Wire<Local>>> = Registers::new(arch),

        /// Every position of the layer has a shortcut.
        paired: Wire<Local> = Wire::new(1),
        /// It is a sum.
        has_sums: Wire<Local> = Wire::new(1),
        /// Currents of the layer are kept.
        keeps: Wire<Local> = Wire::new(1),
        /// Currents that were kept are scaled.
        scales: Wire<Local> = Wire::new(1),
        /// The layer takes banks of sums.
        takes_banks: Wire<Local> = Wire::new(1),

        state: Wire<Local> = State::wire(),
        full_banks: Wire<Local> = Wire::new(2),
        /// The next run is the first of its column block.
        block_begins: Wire<Local> = Wire::new(1),
        bank: Wire<Local> = Wire::new(1),
        tiles_left: Wire<Local> = Wire::new(w.tiles),
        groups_left: Wire<Local> = Wire::new(w.groups),
        steps_left: Wire<Local> = Wire::new(w.time_steps),
        /// The present turns of these loops are the last.
        last_tile: Wire<Local> = Wire::new(1),
        tile_before_last: Wire<Local> = Wire::new(1),
        last_group: Wire<Local> = Wire::new(1),
        last_step: Wire<Local> = Wire::new(1),
        /// Group within the column block, and whether it is the last.
        group: Wire<Local> = Wire::new(counter_bits(arch.cols / arch.lanes - 1)),
        last_of_block: Wire<Local> = Wire::new(1),
        first_step: Wire<Local> = Wire::new(1),
        positions: Wire<Local> = Wire::new(w.tile_positions),
        positions_left: Wire<Local> = Wire::new(w.tile_positions),
        first_position: Wire<Local> = Wire::new(1),
        last_position: Wire<Local> = Wire::new(1),
        /// The cycle is a position's second one, its shortcut's.
        second: Wire<Local> = Wire::new(1),
        /// Runs with shortcuts are opened where this is 0.
        odd: Wire<Local> = Wire::new(1),

        parameter_address: Wire<Local> = Wire::new(w.parameter_base),
        reading: Wire<Local> = Wire::new(1),
        words_left: Wire<Local> = Wire::new(counter_bits((PARAMETERS + OF_SHORTCUT) * arch.lanes)),
        /// The words that come in are the shortcut's.
        of_shortcut: Wire<Local> = Wire::new(1),
        loading_shortcut: Vec<Wire<Local>> = Wire::array(READ_DELAY + late, 1),
        loading: Vec<Wire<Local>> = Wire::array(READ_DELAY + late, 1),
        loading_last: Vec<Wire<Local>> = Wire::array(READ_DELAY + late, 1),
        /// The next run's parameters are there.
        loaded: Wire<Local> = Wire::new(1),
        parameters: Vec<Wire<Local>> = Wire::array(PARAMETERS * arch.lanes, arch.parameter_bits() as usize),
        shortcut_parameters: Vec<Wire<Local>> =
            Wire::array(OF_SHORTCUT * arch.lanes, arch.parameter_bits() as usize),

        entry: Wire<Local> = Wire::new(entry),
        step_entry: Wire<Local> = Wire::new(entry),
        second_entry: Wire<Local> = Wire::new(entry),
        /// Beside the sums and codes on their way, a cycle each: the first of a run, a shortcut's, the one with which its
        /// position is complete, that of the run's first position, that of the layer's last.
        first: Vec<Wire<Local>> = Wire::array(TAKEN_ALL, 1),
        /// The lanes take the last of the run's parameters, and another run follows.
        taken: Wire<Local> = Wire::new(1),
        /// Currents leave the lanes that are kept.
        kept: Wire<Local> = Wire::new(1),
        /// Potentials leave the lanes that are kept.
        potential_written: Wire<Local> = Wire::new(1),
        /// What comes to the lanes is no sum.
        other_operand: Wire<Local> = Wire::new(1),
        shortcut: Vec<Wire<Local>> = Wire::array(SUM_DELAY + PLACES.current, 1),
        complete: Vec<Wire<Local>> = Wire::array(RESULT, 1),
        first_complete: Vec<Wire<Local>> = Wire::array(RESULT - 1, 1),
        last: Vec<Wire<Local>> = Wire::array(RESULT - 1, 1),
        /// The last of a run.
        run_ends: Vec<Wire<Local>> = Wire::array(attentions * KEPT, 1),
        /// The potentials that come are of the first step.
        from_zero: Wire<Local> = Wire::new(1),
        potential_read: Wire<Local> = Wire::new(potential),
        potential_write: Wire<Local> = Wire::new(potential),

        tile_out: Wire<Local> = Wire::new(w.out_base),
        step_out: Wire<Local> = Wire::new(w.out_base),
        group_word: Wire<Local> = Wire::new(w.out_base),
        group_bank: Wire<Local> = Wire::new(counter_bits(arch.banks() - 1)),
        /// Where the present run's results begin, in two steps.
        step_in_tile: Wire<Local> = Wire::new(w.out_base),
        run_out: Wire<Local> = Wire::new(w.out_base),
        /// Of the result that leaves the lanes.
        write_address: Wire<Local> = Wire::new(w.out_base),
        write_bank: Wire<Local> = Wire::new(counter_bits(arch.banks() - 1)),

        /// Of the shortcut that is read.
        shortcut_address: Wire<Local> = Wire::new(w.out_base),
        shortcut_bank: Wire<Local> = Wire::new(counter_bits(arch.banks() - 1)),
        /// It, or a current that was kept, beside the sums.
        other: Vec<Wire<Local>> = Wire::array(arch.lanes, other_bits(arch)),

        /// Of the product that is there.
        product_shift: Wire<Local> = Wire::new(w.requant_shift),
        lanes: Vec<NeuronLane> = (0..arch.lanes).map(|_| NeuronLane::new(arch)).collect(),
        potentials: Vec<Ram> = (0..arch.lanes)
            .map(|_| Ram::new("potential_memory", arch.membrane_bits as usize, Memory::Potential.depth(arch)))
            .collect(),

        /// Potential of the position on its way through a lane, behind the step before.
        last_potential: Vec<Wire<Local>> = Wire::array(arch.lanes, arch.membrane_bits as usize),

        /// The last result of a run that is waited for is written.
        last_written: Wire<Local> = Wire::new(1),
        /// The present run is the layer's last.
        last_run: Wire<Local> = Wire::new(1),
        /// The present run is closed: loops take their next turns.
        closes: Wire<Local> = Wire::new(1),
        first_tile: Wire<Local> = Wire::new(1),
        attention: Vec<Attention> = (0..attentions).map(|_| Attention::new(arch)).collect(),
        factor: Vec<Factor> = (0..attentions).map(|_| Factor::new(arch)).collect(),
        currents: Vec<Ram> = (0..attentions * arch.lanes)
            .map(|_| Ram::new("current_memory", arch.membrane_bits as usize, arch.current_depth))
            .collect(),
        /// Of the current that is read or written.
        current_address: Vec<Wire<Local>> = Wire::array(attentions, address_width(arch.current_depth)),
        /// Beside a current that is read.
        current_reads: Vec<Wire<Local>> = Wire::array(attentions * CODE_DELAY, 1),
        /// The word that is read is the first of a lane.
        lane_word: Vec<Wire<Local>> = Wire::array(attentions * PARAMETERS, 1),
        loading_score: Vec<Wire<Local>> = Wire::array(attentions * READ_DELAY, 1),
        loading_mantissa: Vec<Wire<Local>> = Wire::array(attentions * READ_DELAY, 1),

        logit: Vec<Wire<Local>> = Wire::array(arch.lanes, LOGIT_BITS as usize),
        /// The logits of the run are there.
        summed: Wire<Local> = Wire::new(1),
        lane: Wire<Local> = Wire::new(counter_bits(arch.lanes - 1)),
        classes_left: Wire<Local> = Wire::new(w.classes),
        /// The logit at the output is the lanes' last, the layer's last.
        last_lane: Wire<Local> = Wire::new(1),
        last_class: Wire<Local> = Wire::new(1),
    }
}

/// The parameters of lane `l` that come in.
fn lane_parameters(registers: &[Wire<Local>], l: usize) -> LaneParameters<Expr> {
    LaneParameters::unpack(std::array::from_fn(|i| registers[PARAMETERS * l + i].e()))
}

/// The parameters of lane `l`'s shortcut that come in.
fn shortcut_parameters(registers: &[Wire<Local>], l: usize) -> ShortcutParameters<Expr> {
    ShortcutParameters::unpack(std::array::from_fn(|i| registers[OF_SHORTCUT * l + i].e()))
}

/// The field `attention` is `kind`; a register for no attention has too few bits for it.
fn is_attention(field: &Wire<Local>, kind: u32) -> Expr {
    if u64::from(kind) > mask(field.width()) { lit(0, 1) } else { field.is(kind.into()) }
}

/// Conditions of the present cycle.
struct Events {
    running: Expr,
    /// The present run is closed behind its last result.
    awaits_result: Expr,
    /// The present run is opened: its first position follows.
    opens: Expr,
    /// The present run is closed, and all steps of a group are done.
    group_end: Expr,
    /// So is the column block.
    block_end: Expr,
    /// So is the tile of positions.
    tile_end: Expr,
    all_end: Expr,
    /// The first cycle of a run.
    first: Expr,
    /// The next run's parameters begin to come in.
    load: Expr,
    /// The present position's shortcut.
    shortcut: Expr,
    /// The present position's last cycle.
    complete: Expr,
    /// That of the run's first position.
    first_complete: Expr,
    /// That of its last.
    run_end: Expr,
    /// A logit is accepted.
    sent: Expr,
}

/// `now` as it was `cycles` before; `line` holds it from 1 cycle on.
fn before(cycles: usize, now: &Expr, line: &[Wire<Local>]) -> Expr {
    if cycles == 0 { now.clone() } else { line[cycles - 1].e() }
}

impl Drain {
    /// The drain of `arch`.
    pub(crate) fn new(arch: &ArchConfig) -> Self {
        let entry = address_width(arch.accumulator_depth);
        let potential = address_width(Memory::Potential.depth(arch));
        let attentions = usize::from(arch.has_attention());
        // The sums of a layer are there before the next record, with all its fields, has come.
        assert!(KEPT + SUMMED_DELAY + arch.lanes <= RESULT + Unit::Drain.fields().len());
        let mut u = Self::declare(arch, &widths(arch), entry, potential, factor_cycles(arch), attentions);
        u._rtl.doc("Drain: accumulators through requantizer and neuron into the activation memory, or out as logits.");
        u._rtl.reset(&u.reset_i);
        keep_descriptor!(u);
        let events = u.events(arch);
        u.control(&events);
        u.count(&events);
        u.attend(&events);
        u.keep_currents(&events);
        u.load_parameters(&events, arch.lanes);
        u.read_sums(&events);
        u.read_shortcuts(&events, arch);
        u.follow(&events);
        u.run_lanes(&events, arch);
        u.write_spikes(&events, arch);
        u.send_logits(&events);
        u
    }

    fn events(&mut self, arch: &ArchConfig) -> Events {
        let rtl = &mut self._rtl;
        let d = &self.descriptor;
        rtl.section("Loops: step, group, tile of positions");
        let has_sums = d.shortcut.e().all();
        let scales = is_attention(&d.attention, ATTENTION_SCALES);
        let of_layer = [
            (&self.paired, d.shortcut.e().any()),
            (&self.has_sums, has_sums.clone()),
            (&self.keeps, is_attention(&d.attention, ATTENTION_KEEPS)),
            (&self.scales, scales.clone()),
            (&self.takes_banks, !scales | has_sums),
        ];
        for (register, value) in of_layer {
            rtl.register(register, 0).without_reset().set(value);
        }
        let bank_is_full = !&self.block_begins | self.full_banks.e().any() | !&self.takes_banks;
        let bank_is_full = rtl.named("bank_is_full", bank_is_full);
        let in_turn = rtl.named("in_turn", !(&self.paired & &self.odd));
        let opens = State::Open.is(&self.state) & &self.loaded & bank_is_full & in_turn;
        let opens = rtl.named("opens", opens);
        let tile_ends = rtl.named("last_of_tile", &self.last_step & &self.last_group);
        rtl.register(&self.last_run, 0).set(&tile_ends & &self.last_tile);
        let awaits_result = rtl.named("awaits_result", &self.last_run | (&self.keeps & tile_ends));
        let [group_end, tile_end, all_end] = rtl.nest(
            &self.start_i.e(),
            &self.closes.e(),
            [
                Loop {
                    end: "group_end",
                    left: &self.steps_left,
                    last: &self.last_step,
                    turns: d.time_steps.e(),
                },
                Loop {
                    end: "tile_end",
                    left: &self.groups_left,
                    last: &self.last_group,
                    turns: d.groups.e(),
                },
                Loop { end: "all_end", left: &self.tiles_left, last: &self.last_tile, turns: d.tiles.e() },
            ],
        );
        rtl.register(&self.last_of_block, 0).set(self.group.is((arch.cols / arch.lanes - 1) as u64));
        let block_end = rtl.named("block_end", (&group_end & &self.last_of_block) | &tile_end);
        let running = rtl.named("running", State::Run.is(&self.state));
        let shortcut = rtl.named("reads_shortcut", &running & &self.second);
        let first = rtl.named("first_of_run", &running & &self.first_position & !&self.second);
        rtl.register(&self.taken, 0).set(before(TAKEN_ALL - 1, &first, &self.first) & !&self.last_run);
        let complete = rtl.named("position_complete", &running & (&self.second | !&self.paired));
        Events {
            first,
            load: rtl.named("load", &self.start_i | &self.taken),
            first_complete: rtl.named("first_complete", &complete & &self.first_position),
            run_end: rtl.named("run_end", &complete & &self.last_position),
            shortcut,
            complete,
            running,
            awaits_result,
            sent: rtl.named("logit_sent", self.logit_valid_o.e() & &self.logit_ready_i),
            opens,
            group_end,
            block_end,
            tile_end,
            all_end,
        }
    }

    fn control(&mut self, e: &Events) {
        let rtl = &mut self._rtl;
        rtl.section("State, and the accumulator banks that are full");
        let all_sent = rtl.named("all_sent", &e.sent & (&self.last_lane | &self.last_class));
        rtl.machine(&self.state, State::Idle)
            .when(&self.start_i, State::Open)
            .when(&e.opens, State::Run)
            .when(&e.run_end, mux(&self.descriptor.logits, State::Send, State::Close))
            .when(&all_sent, State::Close)
            .when(&self.closes, mux(&self.last_run, State::Idle, State::Open));
        // All loops follow from it, so that it is a register: what the next cycle will be is known in this one.
        let enters = (&e.run_end & !&self.descriptor.logits) | &all_sent;
        let is_next = enters | (State::Close.is(&self.state) & !&self.closes);
        let written =
            &self.last[RESULT - 2] | &self.last_written | &self.descriptor.logits | !&e.awaits_result;
        let loaded = &self.loaded | self.loading_last[self.loading_last.len() - 1].e() | &self.last_run;
        rtl.register(&self.closes, 0).set(is_next & written & loaded);
        let bank_end = rtl.named("bank_end", &e.block_end & &self.takes_banks);
        rtl.register(&self.full_banks, 0)
            .when(&self.block_i & !&bank_end, self.full_banks.plus(1))
            .when(&bank_end & !&self.block_i, self.full_banks.minus(1));
        rtl.register(&self.block_begins, 1)
            .when(&self.start_i | &e.block_end, lit(1, 1))
            .when(&e.opens, lit(0, 1));
        rtl.register(&self.bank, 0).when(&self.start_i, lit(0, 1)).when(&bank_end, !&self.bank);
        rtl.assign(&self.bank_free_o, bank_end);
        rtl.register(&self.last_written, 0).when(&e.opens, lit(0, 1)).when(&self.last[RESULT - 2], lit(1, 1));
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
            .when(&self.closes, lit(0, 1));
        rtl.register(&self.first_tile, 1).when(&self.start_i, lit(1, 1)).when(&e.tile_end, lit(0, 1));
        // Without attention nobody asks for these.
        rtl.discard(&self.first_tile);
        rtl.discard(&self.kept);
        rtl.register(&self.tile_before_last, 0).set(self.tiles_left.is(2));
        let of = |last: Expr| mux(last, &d.last_tile_positions, &d.tile_positions);
        rtl.register(&self.positions, 0)
            .when(&self.start_i, of(d.tiles.is(1)))
            .when(&e.tile_end, of(self.tile_before_last.e()));
        let waits = rtl.named("waits", !&e.running);
        rtl.register(&self.positions_left, 0)
            .when(&e.complete, self.positions_left.minus(1))
            .when(&waits, &self.positions);
        rtl.register(&self.first_position, 1).when(&e.complete, lit(0, 1)).when(&waits, lit(1, 1));
        rtl.register(&self.last_position, 0)
            .when(&e.complete, self.positions_left.is(2))
            .when(&waits, self.positions.is(1));
        rtl.register(&self.second, 0).set(&e.running & &self.paired & !&self.second);
        rtl.register(&self.odd, 0).when(&self.start_i, lit(0, 1)).set(!&self.odd);
    }

    /// Channel attention: sums of the currents that are kept, scores for the mantissas of those that are scaled.
    fn attend(&mut self, e: &Events) {
        let rtl = &mut self._rtl;
        let d = &self.descriptor;
        let ([attention], [factor]) = (&self.attention[..], &self.factor[..]) else {
            let unused = [&d.channels, &d.sum_step, &d.score_reach, &d.score_base];
            unused.into_iter().for_each(|field| rtl.discard(field));
            return;
        };
        rtl.section("Channel attention: sums of currents, and scores for the next run's mantissas");
        rtl.clock(&attention.clock);
        rtl.assign(&attention.reset_i, &self.reset_i);
        rtl.assign(&attention.start_i, &self.start_i);
        rtl.assign(&attention.next_i, &self.taken);
        rtl.assign(&attention.last_step_i, &self.last_step);
        rtl.assign(&attention.last_group_i, &self.last_group);
        rtl.assign(&attention.scales_i, &self.scales);
        rtl.assign(&attention.sum_step_i, &d.sum_step);
        rtl.assign(&attention.channels_i, &d.channels);
        rtl.assign(&attention.reach_i, &d.score_reach);
        rtl.assign(&attention.base_i, &d.score_base);
        rtl.assign(&attention.valid_i, &self.kept);
        rtl.assign(&attention.first_follows_i, before(KEPT - 1, &e.first_complete, &self.first_complete));
        rtl.assign(&attention.last_i, before(KEPT, &e.run_end, &self.run_ends));
        rtl.assign(&attention.first_tile_i, &self.first_tile);
        for (input, lane) in attention.current_i.iter().zip(&self.lanes) {
            rtl.assign(input, &lane.current_o);
        }

        rtl.section("Which of a lane's words is read; the first one is its mantissa");
        for (index, word) in self.lane_word.iter().enumerate() {
            let before = &self.lane_word[(index + PARAMETERS - 1) % PARAMETERS];
            rtl.register(word, 0).when(&e.load, lit(u64::from(index == 0), 1)).when(&self.reading, before);
        }
        let mantissa = &self.reading & &self.lane_word[0] & !&self.of_shortcut & &self.scales;
        let mantissa = rtl.delay(mantissa, &self.loading_mantissa);
        let score = rtl.delay(&attention.score_o, &self.loading_score);
        rtl.clock(&factor.clock);
        rtl.assign(&factor.word_i, &self.parameter_i);
        rtl.assign(&factor.score_i, score);
        rtl.assign(&factor.mantissa_i, mantissa);
    }

    /// Currents lie in the order of the loops.
    fn keep_currents(&mut self, e: &Events) {
        let rtl = &mut self._rtl;
        let [address] = &self.current_address[..] else { return };
        rtl.section("Currents that are kept, in the order of the loops");
        let reads = &e.running & &self.scales & !&self.second;
        rtl.delay(reads, &self.current_reads);
        let read = self.current_reads[0].e();
        rtl.register(address, 0)
            .when(&self.start_i, address.zero())
            .when(&read | &self.kept, address.plus(1));
        for (memory, lane) in self.currents.iter().zip(&self.lanes) {
            rtl.clock(&memory.clock);
            rtl.assign(&memory.write_i, &self.kept);
            rtl.assign(&memory.write_address_i, address);
            rtl.assign(&memory.write_data_i, &lane.current_o);
            rtl.assign(&memory.read_i, &read);
            rtl.assign(&memory.read_address_i, address);
        }
    }

    /// Parameters shift in serially, so that no lane needs an address.
    fn load_parameters(&mut self, e: &Events, lanes: usize) {
        let rtl = &mut self._rtl;
        rtl.section("The next run's parameters shift in serially, so that no lane needs an address");
        let last_word = rtl.named("last_word", &self.reading & self.words_left.is(1));
        let loads = match &self.attention[..] {
            [attention] => {
                rtl.named("parameters_follow", (&e.load & !&self.scales) | &attention.last_score_o)
            }
            _ => e.load.clone(),
        };
        rtl.register(&self.reading, 0).when(loads, lit(1, 1)).when(&last_word, lit(0, 1));
        let words = |count: usize| lit((count * lanes) as u64, self.words_left.width());
        let all = mux(&self.paired, words(PARAMETERS + OF_SHORTCUT), words(PARAMETERS));
        rtl.register(&self.words_left, 0).when(&e.load, all).when(&self.reading, self.words_left.minus(1));
        let last_of_lane = &self.reading & self.words_left.e().eq(words(OF_SHORTCUT).plus(1));
        rtl.register(&self.of_shortcut, 0)
            .when(&e.load, lit(0, 1))
            .when(last_of_lane & &self.paired, lit(1, 1));
        let tile_again = &e.load & &self.last_step & &self.last_group;
        rtl.register(&self.parameter_address, 0)
            .when(&self.start_i | tile_again, &self.descriptor.parameter_base)
            .when(&self.reading, self.parameter_address.plus(1));
        let (mut read, mut address) = (self.reading.e(), self.parameter_address.e());
        if let [attention] = &self.attention[..] {
            read = read | &attention.score_o;
            address = mux(&attention.score_o, &attention.score_address_o, address);
        }
        rtl.assign(&self.parameter_read_o, read);
        rtl.assign(&self.parameter_address_o, address);
        let loading = rtl.delay(&self.reading, &self.loading);
        let loading_last = rtl.delay(&last_word, &self.loading_last);
        let loading_shortcut = rtl.delay(&self.reading & &self.of_shortcut, &self.loading_shortcut);
        rtl.register(&self.loaded, 0).when(&self.start_i | &e.opens, lit(0, 1)).when(loading_last, lit(1, 1));
        let loading_lane = rtl.named("loading_lane", loading & !&loading_shortcut);
        let word = self.factor.first().map_or(self.parameter_i.e(), |factor| factor.word_o.e());
        for (chain, shifts) in
            [(&self.parameters, &loading_lane), (&self.shortcut_parameters, &loading_shortcut)]
        {
            let mut next = word.clone();
            for register in chain.iter().rev() {
                rtl.register(register, 0).when(shifts, next).without_reset();
                next = register.e();
            }
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
            .when(&self.closes, next_step);
        rtl.register(&self.entry, 0)
            .when(&e.complete, self.entry.plus(1))
            .when(!&e.running, &self.step_entry);
        let of_shortcut = &self.entry + &self.descriptor.shortcut_entry;
        rtl.register(&self.second_entry, 0).set(of_shortcut);
        rtl.assign(&self.drain_o, &e.running & mux(&self.second, &self.has_sums, !&self.scales));
        rtl.assign(&self.drain_bank_o, &self.bank);
        rtl.assign(&self.drain_address_o, mux(&self.second, &self.second_entry, &self.entry));
        rtl.assign(&self.drain_group_o, &self.group);
    }

    /// Shortcuts lie as the results do.
    fn read_shortcuts(&mut self, e: &Events, arch: &ArchConfig) {
        let rtl = &mut self._rtl;
        let d = &self.descriptor;
        rtl.section("A shortcut's codes, in the group's bank");
        let base = mux(&self.first_position, &self.run_out, &self.shortcut_address);
        let step = mux(&self.first_position, &d.shortcut_step, &d.out_blocks);
        rtl.register(&self.shortcut_read_o, 0).set(&e.shortcut & !&self.has_sums);
        rtl.register(&self.shortcut_address, 0).when(&e.shortcut, base + step).without_reset();
        rtl.register(&self.shortcut_bank, 0).when(&e.first, &self.group_bank).without_reset();
        let double = rtl.named("double", d.shortcut.e().bit(1));
        for (l, other) in self.other.iter().enumerate() {
            let choices: Vec<Expr> =
                (0..arch.banks()).map(|b| self.shortcut_code_i[b * arch.lanes + l].e()).collect();
            let wide = select(&choices, &self.shortcut_bank).zext(other.width());
            let code = mux(&double, wide.shl(1), &wide);
            let value = match (self.current_reads.last(), self.currents.get(l)) {
                (Some(is_current), Some(memory)) => {
                    mux(is_current, memory.read_data_o.e().sext(other.width()), code)
                }
                _ => code,
            };
            rtl.register(other, 0).without_reset().set(value);
        }
        rtl.discard(&self.shortcut_bank);
    }

    /// What goes beside the positions on their way, and their places in the memory of potentials.
    fn follow(&mut self, e: &Events) {
        let rtl = &mut self._rtl;
        rtl.section("Beside the positions on their way through the lanes");
        rtl.delay(&e.first, &self.first);
        rtl.delay(&e.shortcut, &self.shortcut);
        rtl.delay(&e.complete, &self.complete);
        rtl.delay(&e.run_end, &self.run_ends);
        rtl.delay(&e.first_complete, &self.first_complete);
        rtl.delay(&e.run_end & &e.awaits_result, &self.last);
        let keeps_current = before(KEPT - 1, &e.complete, &self.complete) & &self.keeps;
        rtl.register(&self.kept, 0).set(keeps_current);
        let writes_potential = before(POTENTIAL_WRITE - 1, &e.complete, &self.complete) & !&self.keeps;
        rtl.register(&self.potential_written, 0).set(writes_potential);
        let d = &self.descriptor;
        for (counter, at) in
            [(&self.potential_read, POTENTIAL_READ), (&self.potential_write, POTENTIAL_WRITE)]
        {
            let first = before(at - 1, &e.first_complete, &self.first_complete);
            // The first potential of a layer has number 0.
            rtl.register(counter, 0)
                .when(first & !&d.potentials_follow, counter.zero())
                .when(before(at - 1, &e.complete, &self.complete), counter.plus(1))
                .when(&self.start_i, counter.zero().minus(1));
        }
        let first_comes = before(POTENTIAL_READ + READ_DELAY - 1, &e.first_complete, &self.first_complete);
        rtl.register(&self.from_zero, 1).when(first_comes, &self.first_step & &d.fresh);
        let of_shortcut = before(SUM_DELAY + PLACES.shift - 1, &e.shortcut, &self.shortcut);
        rtl.register(&self.product_shift, 0).set(mux(&of_shortcut, &d.shortcut_shift, &d.requant_shift));
    }

    fn run_lanes(&mut self, e: &Events, arch: &ArchConfig) {
        let rtl = &mut self._rtl;
        let (v, m) = (arch.membrane_bits as usize, MULTIPLIER_BITS as usize);
        // A parameter is taken in the cycle before the first sum that needs it.
        let take = TAKEN.pack().map(|used| before(SUM_DELAY + used - 1, &e.first, &self.first));
        let [operand, bias, current] = [PLACES.operand, PLACES.bias, PLACES.current]
            .map(|place| before(SUM_DELAY + place, &e.shortcut, &self.shortcut));
        let next = before(SUM_DELAY + PLACES.operand - 1, &e.shortcut, &self.shortcut);
        rtl.register(&self.other_operand, 0).set(mux(next, !&self.has_sums, &self.scales));
        let memories = self.potentials.iter().zip(&self.last_potential);
        for (l, (lane, (memory, last_potential))) in self.lanes.iter().zip(memories).enumerate() {
            let parameters = lane_parameters(&self.parameters, l);
            let of_shortcut = shortcut_parameters(&self.shortcut_parameters, l);
            rtl.clock(&lane.clock);
            rtl.assign(&lane.sum_i, &self.sum_i[l]);
            rtl.assign(&lane.other_i, &self.other[l]);
            rtl.assign(&lane.other_operand_i, &self.other_operand);
            rtl.assign(&lane.shortcut_operand_i, &operand);
            rtl.assign(&lane.shortcut_bias_i, &bias);
            rtl.assign(&lane.shortcut_current_i, &current);
            rtl.assign(&lane.second_mantissa_i, of_shortcut.mantissa.slice(0, m));
            rtl.assign(&lane.second_bias_i, of_shortcut.bias.slice(0, v));
            rtl.assign(&lane.mantissa_i, parameters.mantissa.slice(0, m));
            rtl.assign(&lane.bias_i, parameters.bias.slice(0, v));
            rtl.assign(&lane.lambda_i, parameters.lambda.slice(0, m));
            rtl.assign(&lane.theta_i, parameters.theta.slice(0, v));
            rtl.assign(&lane.offset_i, parameters.offset.slice(0, v));
            let takes = [
                &lane.take_mantissa_i,
                &lane.take_bias_i,
                &lane.take_lambda_i,
                &lane.take_theta_i,
                &lane.take_offset_i,
            ];
            for (input, take) in takes.into_iter().zip(&take) {
                rtl.assign(input, take);
            }
            rtl.assign(&lane.requant_shift_i, &self.product_shift);
            rtl.assign(&lane.spike_shift_i, &self.descriptor.spike_shift);
            let kept = mux(&self.from_zero, lit(0, v), &memory.read_data_o);
            rtl.register(last_potential, 0).without_reset().set(kept);
            rtl.assign(&lane.potential_i, last_potential);
            rtl.clock(&memory.clock);
            rtl.assign(&memory.read_i, lit(1, 1));
            rtl.assign(&memory.read_address_i, &self.potential_read);
            rtl.assign(&memory.write_i, &self.potential_written);
            rtl.assign(&memory.write_address_i, &self.potential_write);
            rtl.assign(&memory.write_data_i, &lane.potential_o);
        }
    }

    /// Output addresses: `out_base + tile * out_tile_step + step * out_frame_step + position * out_blocks + word of the
    /// group`.
    fn write_spikes(&mut self, e: &Events, arch: &ArchConfig) {
        let rtl = &mut self._rtl;
        let d = &self.descriptor;
        rtl.section("Where the run's results begin: tile, step, word of the group");
        rtl.register(&self.tile_out, 0)
            .when(&self.start_i, &d.out_base)
            .when(&e.tile_end, &self.tile_out + &d.out_tile_step);
        rtl.register(&self.step_out, 0)
            .when(&self.start_i | &e.group_end, self.step_out.zero())
            .when(&self.closes, &self.step_out + &d.out_frame_step);
        let last_bank = self.group_bank.is(arch.banks() as u64 - 1);
        let word_end = rtl.named("word_end", &e.group_end & last_bank);
        let restart = rtl.named("restart", &self.start_i | &e.tile_end);
        rtl.register(&self.group_bank, 0)
            .when(&restart | &word_end, self.group_bank.zero())
            .when(&e.group_end, self.group_bank.plus(1));
        rtl.register(&self.group_word, 0)
            .when(restart, self.group_word.zero())
            .when(word_end, self.group_word.plus(1));
        rtl.register(&self.step_in_tile, 0).set(&self.tile_out + &self.step_out);
        rtl.register(&self.run_out, 0).set(&self.step_in_tile + &self.group_word);

        rtl.section("Results, out_blocks apart");
        let first = before(RESULT - 1, &e.first_complete, &self.first_complete);
        rtl.register(&self.write_address, 0)
            .when(&first, &self.run_out)
            .when(before(RESULT - 1, &e.complete, &self.complete), &self.write_address + &d.out_blocks);
        rtl.register(&self.write_bank, 0).when(&first, &self.group_bank);
        let written = rtl.named(
            "result_written",
            before(RESULT, &e.complete, &self.complete) & !(&d.logits | &self.keeps),
        );
        let banks = (0..arch.banks() as u64).rev().map(|b| self.write_bank.is(b) & &written);
        rtl.assign(&self.write_o, concat(banks));
        let address = mux(&self.shortcut_read_o, &self.shortcut_address, &self.write_address);
        rtl.assign(&self.port_address_o, address);
        rtl.assign(&self.write_data_o, concat(self.lanes.iter().rev().map(|lane| &lane.spike_o)));
    }

    /// A lane sums up a run, whose positions are frames, on top of the bias: the lane's first two parameters, low and high
    /// half. Logits move on by a lane as one is sent.
    fn send_logits(&mut self, e: &Events) {
        let rtl = &mut self._rtl;
        rtl.section("Logits: a run's sums and the bias, which is in two halves among the lane's parameters");
        let (bits, half_bits) = (LOGIT_BITS as usize, BIAS_HALF_BITS as usize);
        let sums = before(SUM_DELAY, &e.complete, &self.complete);
        // All lanes see it, so that it is a register; the first sum comes later.
        let begins = before(1, &e.first, &self.first);
        let mut next = lit(0, bits);
        for (l, logit) in self.logit.iter().enumerate().rev() {
            let [low, high] = lane_parameters(&self.parameters, l).bias_halves();
            let bias = concat([high, low].map(|half| half.slice(0, half_bits)));
            rtl.register(logit, 0)
                .when(&begins, bias)
                .without_reset()
                .when(&sums, logit + self.sum_i[l].e().sext(bits))
                .when(&e.sent, next);
            next = logit.e();
        }
        let still_comes = self.complete[..SUM_DELAY - 1].iter().fold(lit(0, 1), |any, stage| any | stage);
        let all_summed = State::Send.is(&self.state) & !still_comes;
        rtl.register(&self.summed, 0).when(&e.opens, lit(0, 1)).when(all_summed, lit(1, 1));
        rtl.register(&self.lane, 0).when(&e.opens, self.lane.zero()).when(&e.sent, self.lane.plus(1));
        rtl.register(&self.classes_left, 0)
            .when(&self.start_i, &self.descriptor.classes)
            .when(&e.sent, self.classes_left.minus(1));
        let lanes = self.lanes.len() as u64;
        let next_is_last = if lanes > 1 { self.lane.is(lanes - 2) } else { lit(1, 1) };
        rtl.register(&self.last_lane, 0)
            .when(&e.opens, lit(u64::from(lanes == 1), 1))
            .when(&e.sent, next_is_last);
        rtl.register(&self.last_class, 0)
            .when(&self.start_i, self.descriptor.classes.is(1))
            .when(&e.sent, self.classes_left.is(2));
        rtl.assign(&self.logit_valid_o, State::Send.is(&self.state) & &self.summed);
        rtl.assign(&self.logit_last_o, &self.last_class);
        rtl.assign(&self.logit_o, &self.logit[0]);
    }
}

#[cfg(test)]
mod tests;
