//! Sequencer: reads the schedule, hands each descriptor to its unit and starts it.
//!
//! ```text
//! after reset:  word 0 -> build id, word 1 -> input length
//! inference:    for each record:  FETCH opcode; DECODE; WAIT for the units that it waits for;
//!                                 FIELDS, one a cycle; LAUNCH
//! ```
//!
//! While a unit runs, the next opcode is read, and a drain's descriptor besides. A step ends when the unit is done
//! that writes its result.

use crate::arithmetic::counter_bits;
use crate::descriptor::{FIELD_BITS, index_bits, opcode_bits};
use crate::rtl::prelude::*;
use crate::rtl::states;
use crate::rtl::{READ_DELAY, address_width};
use crate::unit_macro::unit;
use empf_ir::ArchConfig;
use empf_ir::isa::{HEADER, OPCODE_END, Unit};

/// Cycles from the start of an inference, or of a unit, to the next opcode's WAIT: FETCH, DECODE until the opcode is
/// there, WAIT.
pub const FETCH_CYCLES: usize = READ_DELAY + 2;
/// Cycles from the end of a WAIT to the start of the unit, besides its fields: until the last is on the bus, LAUNCH.
pub const LAUNCH_CYCLES: usize = READ_DELAY + 1;

states! {
    /// After reset, the header is read: its first word, then its second.
    BuildId = "BUILD_ID",
    Length = "LENGTH",
    Idle = "IDLE",
    Fetch = "FETCH",
    Decode = "DECODE",
    Wait = "WAIT",
    Fields = "FIELDS",
    Launch = "LAUNCH",
}

unit! {
    /// Control of an inference.
    pub(crate) struct Sequencer(depth: usize, input: usize) "sequencer" {
        reset_i: Wire<In> = Wire::new(1),
        /// Begin an inference as soon as the input is there.
        start_i: Wire<In> = Wire::new(1),
        input_full_i: Wire<In> = Wire::new(1),
        schedule_read_o: Wire<Out> = Wire::new(1),
        schedule_address_o: Wire<Out> = Wire::new(address_width(depth)),
        /// [`READ_DELAY`] cycles after its read.
        schedule_i: Wire<In> = Wire::new(FIELD_BITS),
        field_valid_o: Wire<Out> = Wire::new(1),
        field_opcode_o: Wire<Out> = Wire::new(opcode_bits()),
        field_index_o: Wire<Out> = Wire::new(index_bits()),
        field_data_o: Wire<Out> = Wire::new(FIELD_BITS),
        unfold_start_o: Wire<Out> = Wire::new(1),
        unfold_done_i: Wire<In> = Wire::new(1),
        stream_start_o: Wire<Out> = Wire::new(1),
        stream_done_i: Wire<In> = Wire::new(1),
        drain_start_o: Wire<Out> = Wire::new(1),
        drain_done_i: Wire<In> = Wire::new(1),
        pool_start_o: Wire<Out> = Wire::new(1),
        pool_done_i: Wire<In> = Wire::new(1),
        /// The step whose result is written, from 0.
        step_o: Wire<Out> = Wire::new(address_width(depth)),
        busy_o: Wire<Out> = Wire::new(1),
        /// An inference begins with the next cycle.
        begun_o: Wire<Out> = Wire::new(1),
        /// The inference ends in this cycle.
        finished_o: Wire<Out> = Wire::new(1),
        build_id_o: Wire<Out> = Wire::new(FIELD_BITS),
        input_length_o: Wire<Out> = Wire::new(input),
        /// Build id and input length are known.
        ready_o: Wire<Out> = Wire::new(1),
        /// Cycles of the present inference, or of the last.
        cycles_o: Wire<Out> = Wire::new(FIELD_BITS),
        state: Wire<Local> = State::wire(),
        address: Wire<Local> = Wire::new(address_width(depth)),
        /// A word of the header is being read.
        asked: Wire<Local> = Wire::new(1),
        /// A word of the header, or an opcode, is there.
        word_read: Vec<Wire<Local>> = Wire::array(READ_DELAY, 1),
        opcode: Wire<Local> = Wire::new(opcode_bits()),
        index: Wire<Local> = Wire::new(index_bits()),
        reading: Wire<Local> = Wire::new(1),
        field_read: Vec<Wire<Local>> = Wire::array(READ_DELAY, 1),
        field_index: Vec<Wire<Local>> = Wire::array(READ_DELAY, index_bits()),
        unfold_busy: Wire<Local> = Wire::new(1),
        stream_busy: Wire<Local> = Wire::new(1),
        drain_busy: Wire<Local> = Wire::new(1),
        pool_busy: Wire<Local> = Wire::new(1),
    }
}

impl Sequencer {
    /// The sequencer of `arch`.
    pub(crate) fn new(arch: &ArchConfig) -> Self {
        let mut u = Self::declare(arch.schedule_depth, counter_bits(arch.input_depth));
        u._rtl.doc("Sequencer: reads the schedule, hands each descriptor to its unit and starts it.");
        u._rtl.reset(&u.reset_i);
        u.advance();
        u.units();
        u.read_schedule();
        u.header();
        u.fields();
        u
    }

    fn is(&self, state: State) -> Expr {
        state.is(&self.state)
    }

    fn is_opcode(&self, opcode: u32) -> Expr {
        self.opcode.is(opcode.into())
    }

    fn busy(&self, unit: Unit) -> &Wire<Local> {
        match unit {
            Unit::Unfold => &self.unfold_busy,
            Unit::Stream => &self.stream_busy,
            Unit::Drain => &self.drain_busy,
            Unit::Pool => &self.pool_busy,
        }
    }

    /// All of `units` are idle.
    fn idle(&self, units: &[Unit]) -> Expr {
        !concat(units.iter().map(|unit| self.busy(*unit))).any()
    }

    /// The units that the present opcode waits for are idle; an opcode that names no unit waits for all.
    fn may_go_on(&self) -> Expr {
        Unit::ALL
            .into_iter()
            .filter(|unit| unit.waits_for() != Unit::ALL)
            .fold(self.idle(&Unit::ALL), |others, unit| {
                mux(self.is_opcode(unit.opcode()), self.idle(unit.waits_for()), others)
            })
    }

    fn advance(&mut self) {
        let begin = self.is(State::Idle) & &self.start_i & &self.input_full_i;
        let goes_on = self.is(State::Wait) & self.may_go_on();
        let at_end = self.is_opcode(OPCODE_END);
        // The last field is on the bus, or none is.
        let before_last = self.field_read[..READ_DELAY - 1].iter().map(Wire::e);
        let still_read = before_last.fold(self.reading.e(), |any, stage| any | stage);
        let last_field = self.is(State::Fields) & !still_read;
        let word_read = &self.word_read[READ_DELAY - 1];
        let [build_id, length, decode] =
            [State::BuildId, State::Length, State::Decode].map(|state| self.is(state) & word_read);
        let [fetch, launch] = [State::Fetch, State::Launch].map(|state| self.is(state));
        let last_index = self.last_index();
        let rtl = &mut self._rtl;
        rtl.section("From record to record");
        let begin = rtl.named("begin_inference", begin);
        let goes_on = rtl.named("goes_on", goes_on);
        let finished = rtl.named("finished", &goes_on & at_end);
        rtl.machine(&self.state, State::BuildId)
            .when(build_id, State::Length)
            .when(length, State::Idle)
            .when(&begin | launch, State::Fetch)
            .when(fetch, State::Decode)
            .when(decode, State::Wait)
            .when(&finished, State::Idle)
            .when(&goes_on, State::Fields)
            .when(last_field, State::Launch);
        rtl.register(&self.reading, 0).when(goes_on & !&finished, lit(1, 1)).when(last_index, lit(0, 1));
        let written = &self.unfold_done_i | &self.drain_done_i | &self.pool_done_i;
        rtl.register(&self.step_o, 0).when(&begin, self.step_o.zero()).when(written, self.step_o.plus(1));
        rtl.register(&self.cycles_o, 0)
            .when(&begin, self.cycles_o.zero())
            .when(&self.busy_o, self.cycles_o.plus(1));
        rtl.assign(&self.busy_o, self.state.e().ge(State::Fetch));
        rtl.assign(&self.begun_o, begin);
        rtl.assign(&self.finished_o, finished);
    }

    /// A unit is busy from its start until it is done.
    fn units(&mut self) {
        let launch = self.is(State::Launch);
        let starts = Unit::ALL.map(|unit| &launch & self.is_opcode(unit.opcode()));
        let rtl = &mut self._rtl;
        rtl.section("A unit is busy from its start until it is done");
        for ((output, done, busy), start) in [
            (&self.unfold_start_o, &self.unfold_done_i, &self.unfold_busy),
            (&self.stream_start_o, &self.stream_done_i, &self.stream_busy),
            (&self.drain_start_o, &self.drain_done_i, &self.drain_busy),
            (&self.pool_start_o, &self.pool_done_i, &self.pool_busy),
        ]
        .into_iter()
        .zip(starts)
        {
            rtl.assign(output, start);
            rtl.register(busy, 0).when(output, lit(1, 1)).when(done, lit(0, 1));
        }
    }

    /// One word a cycle while `schedule_read_o` is high; an inference starts behind the header.
    fn read_schedule(&mut self) {
        let header = (self.is(State::BuildId) | self.is(State::Length)) & !&self.asked;
        let opcode = self.is(State::Fetch);
        let rtl = &mut self._rtl;
        rtl.section("Reading of the schedule; an inference starts behind the header");
        let header = rtl.named("reads_header", header);
        let word = rtl.named("reads_word", &header | opcode);
        let word_read = rtl.delay(&word, &self.word_read);
        rtl.register(&self.asked, 0).when(word_read, lit(0, 1)).when(header, lit(1, 1));
        let read = rtl.named("reads_schedule", word | &self.reading);
        rtl.assign(&self.schedule_read_o, &read);
        rtl.assign(&self.schedule_address_o, &self.address);
        rtl.register(&self.address, 0)
            .when(&self.finished_o, lit(HEADER.len() as u64, self.address.width()))
            .when(read, self.address.plus(1));
    }

    fn header(&mut self) {
        let (build_id, length) = (self.is(State::BuildId), self.is(State::Length));
        let rtl = &mut self._rtl;
        rtl.section("The header");
        let word_read = &self.word_read[READ_DELAY - 1];
        rtl.register(&self.build_id_o, 0).when(&build_id & word_read, &self.schedule_i);
        rtl.register(&self.input_length_o, 0)
            .when(&length & word_read, self.schedule_i.e().slice(0, self.input_length_o.width()));
        rtl.assign(&self.ready_o, !(build_id | length));
    }

    /// The field being read is its descriptor's last.
    fn last_index(&self) -> Expr {
        let last = |unit: Unit| lit(unit.fields().len() as u64 - 1, index_bits());
        let [first, rest @ ..] = Unit::ALL;
        let of_opcode = rest
            .into_iter()
            .fold(last(first), |others, unit| mux(self.is_opcode(unit.opcode()), last(unit), others));
        self.index.e().eq(of_opcode)
    }

    /// The opcode says how many fields follow; a field is on the bus when it is read.
    fn fields(&mut self) {
        let decode = self.is(State::Decode) & &self.word_read[READ_DELAY - 1];
        let rtl = &mut self._rtl;
        rtl.section("The descriptor bus");
        let decode = rtl.named("decoding", decode);
        rtl.register(&self.opcode, 0).when(&decode, self.schedule_i.e().slice(0, opcode_bits()));
        rtl.register(&self.index, 0).when(decode, self.index.zero()).when(&self.reading, self.index.plus(1));
        let valid = rtl.delay(&self.reading, &self.field_read);
        let index = rtl.delay_data(&self.index, &self.field_index);
        rtl.assign(&self.field_valid_o, valid);
        rtl.assign(&self.field_index_o, index);
        rtl.assign(&self.field_opcode_o, &self.opcode);
        rtl.assign(&self.field_data_o, &self.schedule_i);
    }
}

#[cfg(test)]
mod tests;
