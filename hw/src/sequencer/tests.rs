//! The sequencer at its ports: any schedule, with units that take any time.

use super::*;
use crate::bench_support::{Pending, noise};
use proptest::prelude::*;

const LENGTH: u64 = 77;

/// What a schedule says: the words of its ROM, and for each record its unit and the fields.
fn schedule(units: &[Unit], seed: u64) -> (Vec<u64>, Vec<(Unit, Vec<u64>)>) {
    let word = |record: usize, field: usize| noise([seed, record as u64, field as u64]) & 0xffff_ffff;
    let records: Vec<(Unit, Vec<u64>)> = (units.iter().enumerate())
        .map(|(record, unit)| (*unit, (0..unit.fields().len()).map(|field| word(record, field)).collect()))
        .collect();
    let mut words = vec![0xfeed_f00d, LENGTH];
    for (unit, fields) in &records {
        words.push(unit.opcode().into());
        words.extend(fields);
    }
    words.push(OPCODE_END.into());
    (words, records)
}

struct Test {
    unit: Bench<Sequencer>,
    words: Vec<u64>,
    read: Pending<u64>,
    /// Cycles until each unit is done; `None`: it is idle.
    left: [Option<u64>; Unit::ALL.len()],
    cycle: u64,
    seed: u64,
}

impl Test {
    fn done_ports(&self) -> [(&Wire<Out>, &Wire<In>); Unit::ALL.len()] {
        let u = &self.unit;
        Unit::ALL.map(|unit| match unit {
            Unit::Unfold => (&u.unfold_start_o, &u.unfold_done_i),
            Unit::Stream => (&u.stream_start_o, &u.stream_done_i),
            Unit::Drain => (&u.drain_start_o, &u.drain_done_i),
            Unit::Pool => (&u.pool_start_o, &u.pool_done_i),
        })
    }

    fn is_idle(&self, unit: Unit) -> bool {
        Unit::ALL.iter().zip(&self.left).all(|(other, left)| *other != unit || left.is_none())
    }

    /// One cycle; the units that start in it.
    fn tick(&mut self) -> Vec<Unit> {
        self.cycle += 1;
        for ((_, done), left) in self.done_ports().into_iter().zip(self.left) {
            done.set(u64::from(left == Some(0)));
        }
        self.unit.settle();
        let read = (self.unit.schedule_read_o.get() == 1).then(|| self.unit.schedule_address_o.get());
        let started: Vec<Unit> = Unit::ALL
            .into_iter()
            .zip(self.done_ports())
            .filter_map(|(unit, (start, _))| (start.get() == 1).then_some(unit))
            .collect();
        for unit in &started {
            for other in unit.waits_for() {
                assert!(self.is_idle(*other), "{unit:?} starts before {other:?} is done");
            }
        }
        for (unit, left) in Unit::ALL.iter().zip(&mut self.left) {
            let chosen = noise([self.seed, self.cycle, 5]) % 40;
            *left =
                if started.contains(unit) { Some(chosen) } else { left.and_then(|left| left.checked_sub(1)) };
        }
        self.unit.tick();
        if let Some(address) = self.read.after(read) {
            let word = self.words.get(address as usize).copied();
            self.unit.schedule_i.set(word.expect("a read within the schedule"));
            self.unit.settle();
        }
        started
    }

    /// One inference; the records that were on the bus when their units started, and the steps whose results came.
    fn inference(&mut self) -> (Vec<(Unit, Vec<u64>)>, u64) {
        self.unit.start_i.set(1);
        self.unit.input_full_i.set(1);
        self.unit.settle();
        assert_eq!(self.unit.begun_o.get(), 1);
        self.tick();
        self.unit.start_i.set(0);
        let (mut records, mut fields, mut steps, mut busy) = (vec![], vec![], 0, 0);
        loop {
            self.unit.settle();
            assert_eq!(self.unit.step_o.get(), steps);
            assert_eq!(self.unit.cycles_o.get(), busy);
            assert_eq!(self.unit.busy_o.get(), 1);
            if self.unit.field_valid_o.get() == 1 {
                assert_eq!(self.unit.field_index_o.get(), fields.len() as u64);
                fields.push((self.unit.field_opcode_o.get(), self.unit.field_data_o.get()));
            }
            let writes = [Unit::Unfold, Unit::Drain, Unit::Pool];
            let results =
                Unit::ALL.iter().zip(self.left).filter(|(u, left)| *left == Some(0) && writes.contains(u));
            // Units that end in the same cycle wrote one step's result: a stream and its drain.
            steps += u64::from(results.count() > 0);
            let finished = self.unit.finished_o.get() == 1;
            busy += 1;
            for unit in self.tick() {
                let sent = std::mem::take(&mut fields);
                assert!(sent.iter().all(|(opcode, _)| *opcode == u64::from(unit.opcode())));
                records.push((unit, sent.into_iter().map(|(_, data)| data).collect()));
            }
            if finished {
                assert!(Unit::ALL.iter().all(|unit| self.is_idle(*unit)), "the end comes behind all units");
                self.unit.settle();
                assert_eq!((self.unit.busy_o.get(), self.unit.cycles_o.get()), (0, busy));
                return (records, steps);
            }
            assert!(busy < 20_000, "the inference does not end");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn each_unit_gets_its_descriptor_when_it_may_start(
        steps in prop::collection::vec(prop::sample::select(vec![Unit::Unfold, Unit::Stream, Unit::Pool]), 0..6),
        seed in any::<u64>(),
    ) {
        // A stream has its drain behind it.
        let units: Vec<Unit> = steps
            .into_iter()
            .flat_map(|unit| if unit == Unit::Stream { vec![unit, Unit::Drain] } else { vec![unit] })
            .collect();
        let (words, records) = schedule(&units, seed);
        let arch = ArchConfig::default();
        let unit = Bench::new(Sequencer::new(&arch), |unit| &unit.clock);
        let mut test = Test { unit, words, read: Pending::new(READ_DELAY), left: [None; 4], cycle: 0, seed };
        test.unit.reset_i.set(1);
        test.tick();
        test.unit.reset_i.set(0);
        prop_assert_eq!(test.unit.ready_o.get(), 0);
        for _ in 0..8 {
            test.tick();
        }
        let known = [&test.unit.ready_o, &test.unit.build_id_o, &test.unit.input_length_o].map(Wire::get);
        prop_assert_eq!(known, [1, 0xfeed_f00d, LENGTH]);
        let written = records.iter().filter(|(unit, _)| *unit != Unit::Stream).count() as u64;
        for _ in 0..2 {
            let (seen, steps) = test.inference();
            prop_assert_eq!(&seen, &records);
            prop_assert_eq!(steps, written);
            for _ in 0..5 {
                test.tick();
                prop_assert_eq!(test.unit.busy_o.get(), 0);
            }
        }
    }

    #[test]
    fn an_inference_needs_a_start_and_an_input(start in 0u64..2, input in 0u64..2) {
        let (words, _) = schedule(&[], 0);
        let unit = Bench::new(Sequencer::new(&ArchConfig::default()), |unit| &unit.clock);
        let mut test = Test { unit, words, read: Pending::new(READ_DELAY), left: [None; 4], cycle: 0, seed: 0 };
        test.unit.reset_i.set(1);
        test.tick();
        test.unit.reset_i.set(0);
        test.unit.start_i.set(start);
        test.unit.input_full_i.set(input);
        let begun = (0..20).filter(|_| { test.tick(); test.unit.busy_o.get() == 1 }).count() > 0;
        prop_assert_eq!(begun, start & input == 1);
    }
}
