//! Registers, resets and refusals of units.

use crate::rtl::prelude::*;
use crate::rtl::settle;

/// `depth` levels of hierarchy; each level has a register before and one after the level inside it, and
/// the input of all levels is also added on the way out.
#[derive(LogicBlock)]
struct Nested {
    clock: Wire<In>,
    data_i: Wire<In>,
    data_o: Wire<Out>,
    before: Wire<Local>,
    inner: Vec<Nested>,
    _rtl: Rtl,
}
rtl_logic!(Nested);

impl Nested {
    fn new(depth: usize) -> Self {
        let (clock, data_i, data_o, before) = (Wire::new(1), Wire::new(8), Wire::new(8), Wire::new(8));
        let mut rtl = Rtl::new("nested", &clock);
        rtl.register(&before, 0).set(&data_i);
        let inner: Vec<Nested> = (1..depth).map(|_| Nested::new(depth - 1)).take(1).collect();
        for child in &inner {
            rtl.clock(&child.clock);
            rtl.assign(&child.data_i, &before);
        }
        let last = inner.first().map_or(before.e(), |child| child.data_o.e());
        rtl.register(&data_o, 0).set(last);
        Nested { clock, data_i, data_o, before, inner, _rtl: rtl }
    }
}

#[test]
fn shift_register_across_levels() {
    let mut bench = Bench::new(Nested::new(4), |unit| &unit.clock);
    for t in 0..30 {
        bench.data_i.set(t + 1);
        bench.tick();
        assert_eq!(bench.data_o.get(), (t + 1).saturating_sub(7), "cycle {t}");
    }
}

#[test]
fn inputs_that_change_with_the_edge_are_taken_at_the_next() {
    let mut unit = Nested::new(4);
    for t in 0..30 {
        unit.clock.set(0);
        settle(&mut unit);
        unit.clock.set(1);
        unit.data_i.set(t + 1);
        settle(&mut unit);
        assert_eq!(unit.data_o.get(), t.saturating_sub(7), "cycle {t}");
    }
}

#[derive(LogicBlock)]
struct Machine {
    clock: Wire<In>,
    reset_i: Wire<In>,
    load_i: Wire<In>,
    step_i: Wire<In>,
    count_o: Wire<Out>,
    cycles_o: Wire<Out>,
    _rtl: Rtl,
}
rtl_logic!(Machine);

impl Machine {
    fn new() -> Self {
        let (clock, reset_i, load_i, step_i) = (Wire::new(1), Wire::new(1), Wire::new(1), Wire::new(1));
        let (count_o, cycles_o) = (Wire::new(4), Wire::new(8));
        let mut rtl = Rtl::new("machine", &clock);
        rtl.reset(&reset_i);
        let count = rtl.register(&count_o, 3);
        count.when(&load_i, lit(9, 4)).when(&step_i, &count_o + lit(1, 4));
        rtl.register(&cycles_o, 0).without_reset().set(&cycles_o + lit(1, 8));
        Machine { clock, reset_i, load_i, step_i, count_o, cycles_o, _rtl: rtl }
    }
}

#[test]
fn branches_have_priority_and_registers_hold_or_reset() {
    let mut bench = Bench::new(Machine::new(), |unit| &unit.clock);
    let expected =
        [(0, 0, 0, 3), (0, 0, 1, 4), (0, 1, 1, 9), (0, 0, 1, 10), (0, 0, 0, 10), (1, 1, 1, 3), (0, 1, 0, 9)];
    for (n, (reset, load, step, count)) in expected.into_iter().enumerate() {
        bench.reset_i.set(reset);
        bench.load_i.set(load);
        bench.step_i.set(step);
        bench.tick();
        assert_eq!(bench.count_o.get(), count, "step {n}");
        assert_eq!(bench.cycles_o.get(), n as u64 + 1);
    }
}

#[test]
#[should_panic = "a value of 8 bits for 4 bits"]
fn assignment_of_another_width() {
    let mut rtl = Rtl::combinational("unit");
    rtl.assign(&Wire::<Out>::new(4), lit(0, 8));
}

#[test]
#[should_panic = "a condition has 1 bit, not 2"]
fn wide_condition() {
    let mut rtl = Rtl::new("unit", &Wire::new(1));
    rtl.register(&Wire::<Out>::new(4), 0).when(lit(0, 2), lit(0, 4));
}
