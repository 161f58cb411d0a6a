//! Sequencer: reads the schedule, hands each step's descriptor to its unit and waits for it.
//!
//! ```text
//! after reset:  word 0 -> build id, word 1 -> input length
//! inference:    for each step:  FETCH opcode; DECODE; FIELDS, one a cycle; LAUNCH; BUSY until done
//! ```

use crate::arithmetic::counter_bits;
use crate::descriptor::{FIELD_BITS, INDEX_BITS, OPCODE_BITS};
use crate::rtl::address_width;
use crate::rtl::prelude::*;
use crate::unit_macro::unit;
use empf_ir::ArchConfig;
use empf_ir::program::{
    Conv, OPCODE_CONV, OPCODE_END, OPCODE_POOL, OPCODE_UNFOLD, Pool, SCHEDULE_HEADER, Unfold,
};

/// Cycles of a step besides its fields and its unit's work: FETCH, DECODE, the last field on the bus, LAUNCH.
pub const STEP_CYCLES: usize = 4;
/// Cycles of the end of the schedule: FETCH, DECODE.
pub const END_CYCLES: usize = 2;

const BUILD_ID: u64 = 0;
const LENGTH: u64 = 1;
const IDLE: u64 = 2;
const FETCH: u64 = 3;
const DECODE: u64 = 4;
const FIELDS: u64 = 5;
const LAUNCH: u64 = 6;
const BUSY: u64 = 7;
const STATE_BITS: usize = 3;

unit! {
    /// Control of an inference.
    pub(crate) struct Sequencer(depth: usize, input: usize) "sequencer" {
        reset_i: Wire<In> = Wire::new(1),
        /// Begin an inference as soon as the input is there.
        start_i: Wire<In> = Wire::new(1),
        input_full_i: Wire<In> = Wire::new(1),
        /// The running unit is done.
        done_i: Wire<In> = Wire::new(1),
        schedule_read_o: Wire<Out> = Wire::new(1),
        schedule_address_o: Wire<Out> = Wire::new(address_width(depth)),
        /// One cycle after its read.
        schedule_i: Wire<In> = Wire::new(FIELD_BITS),
        field_valid_o: Wire<Out> = Wire::new(1),
        field_opcode_o: Wire<Out> = Wire::new(OPCODE_BITS),
        field_index_o: Wire<Out> = Wire::new(INDEX_BITS),
        field_data_o: Wire<Out> = Wire::new(FIELD_BITS),
        unfold_start_o: Wire<Out> = Wire::new(1),
        conv_start_o: Wire<Out> = Wire::new(1),
        pool_start_o: Wire<Out> = Wire::new(1),
        /// The step that runs, from 0.
        step_o: Wire<Out> = Wire::new(address_width(depth)),
        opcode_o: Wire<Out> = Wire::new(OPCODE_BITS),
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
        state: Wire<Local> = Wire::new(STATE_BITS),
        address: Wire<Local> = Wire::new(address_width(depth)),
        known: Wire<Local> = Wire::new(1),
        index: Wire<Local> = Wire::new(INDEX_BITS),
        reading: Wire<Local> = Wire::new(1),
    }
}

impl Sequencer {
    /// The sequencer of `arch`.
    pub(crate) fn new(arch: &ArchConfig) -> Self {
        let mut u = Self::declare(arch.schedule_depth, counter_bits(arch.input_depth));
        u._rtl
            .doc("Sequencer: reads the schedule, hands each step's descriptor to its unit and waits for it.");
        u._rtl.reset(&u.reset_i);
        u.step();
        u.read_schedule();
        u.header();
        u.fields();
        u
    }

    fn is(&self, state: u64) -> Expr {
        self.state.e().eq(lit(state, STATE_BITS))
    }

    fn step(&mut self) {
        let end = self.schedule_i.e().eq(lit(u64::from(OPCODE_END), FIELD_BITS));
        let begin = self.is(IDLE) & &self.start_i & &self.input_full_i;
        let finished = self.is(DECODE) & &end;
        let done = self.is(BUSY) & &self.done_i;
        let last_field = self.is(FIELDS) & !&self.reading;
        let state = |value| lit(value, STATE_BITS);
        let (build_id, length, fetch, decode, launch) =
            (self.is(BUILD_ID), self.is(LENGTH), self.is(FETCH), self.is(DECODE), self.is(LAUNCH));
        let rtl = &mut self._rtl;
        rtl.register(&self.state, BUILD_ID)
            .when(build_id, state(LENGTH))
            .when(length & &self.known, state(IDLE))
            .when(&begin | &done, state(FETCH))
            .when(&fetch, state(DECODE))
            .when(&finished, state(IDLE))
            .when(decode, state(FIELDS))
            .when(last_field, state(LAUNCH))
            .when(&launch, state(BUSY));
        let bits = self.step_o.width();
        rtl.register(&self.step_o, 0).when(&begin, lit(0, bits)).when(done, &self.step_o + lit(1, bits));
        rtl.register(&self.cycles_o, 0)
            .when(&begin, lit(0, FIELD_BITS))
            .when(&self.busy_o, &self.cycles_o + lit(1, FIELD_BITS));
        rtl.assign(&self.busy_o, self.state.e().ge(lit(FETCH, STATE_BITS)));
        rtl.assign(&self.begun_o, begin);
        rtl.assign(&self.finished_o, finished);
        for (output, opcode) in [
            (&self.unfold_start_o, OPCODE_UNFOLD),
            (&self.conv_start_o, OPCODE_CONV),
            (&self.pool_start_o, OPCODE_POOL),
        ] {
            rtl.assign(output, &launch & self.opcode_o.e().eq(lit(u64::from(opcode), OPCODE_BITS)));
        }
    }

    /// One word a cycle while `schedule_read_o` is high; an inference starts behind the header.
    fn read_schedule(&mut self) {
        let read = self.is(BUILD_ID) | self.is(LENGTH) & !&self.known | self.is(FETCH) | &self.reading;
        let bits = self.address.width();
        let rtl = &mut self._rtl;
        rtl.assign(&self.schedule_read_o, &read);
        rtl.assign(&self.schedule_address_o, &self.address);
        rtl.register(&self.address, 0)
            .when(&self.finished_o, lit(SCHEDULE_HEADER as u64, bits))
            .when(read, &self.address + lit(1, bits));
    }

    fn header(&mut self) {
        let (build_id, length) = (self.is(BUILD_ID), self.is(LENGTH));
        let rtl = &mut self._rtl;
        rtl.register(&self.known, 0).when(&length, lit(1, 1));
        rtl.register(&self.build_id_o, 0).when(&length & !&self.known, &self.schedule_i);
        rtl.register(&self.input_length_o, 0)
            .when(&length & &self.known, self.schedule_i.e().slice(0, self.input_length_o.width()));
        rtl.assign(&self.ready_o, !(build_id | length));
    }

    /// The opcode says how many fields follow; a field is on the bus one cycle after its read.
    fn fields(&mut self) {
        let decode = self.is(DECODE);
        let end = self.schedule_i.e().eq(lit(u64::from(OPCODE_END), FIELD_BITS));
        let is = |code: u32| self.opcode_o.e().eq(lit(u64::from(code), OPCODE_BITS));
        let last = |fields: &[&str]| lit(fields.len() as u64 - 1, INDEX_BITS);
        let pool_or_conv = mux(is(OPCODE_POOL), last(Pool::FIELDS), last(Conv::FIELDS));
        let last_index = mux(is(OPCODE_UNFOLD), last(Unfold::FIELDS), pool_or_conv);
        let rtl = &mut self._rtl;
        rtl.register(&self.opcode_o, 0).when(&decode, self.schedule_i.e().slice(0, OPCODE_BITS));
        rtl.register(&self.reading, 0)
            .when(&decode & !end, lit(1, 1))
            .when(self.index.e().eq(last_index), lit(0, 1));
        rtl.register(&self.index, 0)
            .when(decode, lit(0, INDEX_BITS))
            .when(&self.reading, &self.index + lit(1, INDEX_BITS));
        rtl.register(&self.field_valid_o, 0).set(&self.reading);
        rtl.register(&self.field_index_o, 0).set(&self.index);
        rtl.assign(&self.field_opcode_o, &self.opcode_o);
        rtl.assign(&self.field_data_o, &self.schedule_i);
    }
}
