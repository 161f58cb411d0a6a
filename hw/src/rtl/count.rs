//! Counting: comparisons with constants, steps, and the counters of nested loops.

use super::expr::{Expr, lit};
use super::{Rtl, Wire};
use rust_hdl_core::prelude::{Direction, Local};

impl Expr {
    /// Equal to the constant `value`, 1 bit.
    #[track_caller]
    pub fn is(&self, value: u64) -> Expr {
        self.eq(lit(value, self.width()))
    }

    /// Increased by the constant `step`; wraps.
    #[track_caller]
    pub fn plus(&self, step: u64) -> Expr {
        self + lit(step, self.width())
    }

    /// Decreased by the constant `step`; wraps.
    #[track_caller]
    pub fn minus(&self, step: u64) -> Expr {
        self - lit(step, self.width())
    }
}

impl<D: Direction> Wire<D> {
    /// Equal to the constant `value`, 1 bit.
    #[track_caller]
    pub fn is(&self, value: u64) -> Expr {
        self.e().is(value)
    }

    /// Increased by the constant `step`; wraps.
    #[track_caller]
    pub fn plus(&self, step: u64) -> Expr {
        self.e().plus(step)
    }

    /// Decreased by the constant `step`; wraps.
    #[track_caller]
    pub fn minus(&self, step: u64) -> Expr {
        self.e().minus(step)
    }

    /// 0 in the signal's width.
    pub fn zero(&self) -> Expr {
        lit(0, self.width())
    }
}

/// A loop of a nest.
pub struct Loop<'a> {
    /// Name of the wire that says that the loop ends.
    pub end: &'static str,
    /// Turns left, the present one included.
    pub left: &'a Wire<Local>,
    /// The present turn is the last.
    pub last: &'a Wire<Local>,
    /// Turns of the loop, at least 1, where it begins.
    pub turns: Expr,
}

impl Rtl {
    /// Counters of nested loops, the innermost first, which count down to 1: loaded with `start` and when the loop
    /// ends, and decreased when the loop inside it ends, the innermost with `step`. `start` comes before `step`.
    ///
    /// Returns for each loop whether its last turn ends in this cycle: 1 bit, only with `step`. That a turn is the last
    /// is known in a register, so that the ends of all loops are an AND of registers.
    #[track_caller]
    pub fn nest<const N: usize>(&mut self, start: &Expr, step: &Expr, loops: [Loop; N]) -> [Expr; N] {
        let mut inner = step.clone();
        loops.map(|Loop { end, left, last, turns }| {
            let end = self.named(end, &inner & last);
            let again = start | &end;
            self.register(left, 0).when(&again, &turns).when(&inner, left.minus(1));
            self.register(last, 0).when(again, turns.is(1)).when(&inner, left.is(2));
            inner = end.clone();
            end
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::rtl::prelude::*;

    #[derive(LogicBlock)]
    struct Nest {
        clock: Wire<In>,
        start_i: Wire<In>,
        step_i: Wire<In>,
        end_o: Vec<Wire<Out>>,
        turns: Vec<Wire<Local>>,
        left: Vec<Wire<Local>>,
        last: Vec<Wire<Local>>,
        _rtl: Rtl,
    }
    rtl_logic!(Nest);

    impl Nest {
        fn new(turns_of: [u64; 3]) -> Self {
            let (clock, start_i, step_i) = (Wire::new(1), Wire::new(1), Wire::new(1));
            let (end_o, last) = (Wire::array(3, 1), Wire::array(3, 1));
            let (turns, left) = (Wire::array(3, 4), Wire::array(3, 4));
            let mut rtl = Rtl::new("nest", &clock);
            for (wire, turns) in turns.iter().zip(turns_of) {
                rtl.assign(wire, lit(turns, 4));
            }
            let of = |at: usize, end| Loop { end, left: &left[at], last: &last[at], turns: turns[at].e() };
            let loops = [of(0, "x_end"), of(1, "y_end"), of(2, "all_end")];
            for (output, end) in end_o.iter().zip(rtl.nest(&start_i.e(), &step_i.e(), loops)) {
                rtl.assign(output, end);
            }
            Nest { clock, start_i, step_i, end_o, turns, left, last, _rtl: rtl }
        }
    }

    #[test]
    fn loops_end_with_their_last_turns() {
        for turns in [[3, 2, 4], [1, 1, 1], [1, 5, 2]] {
            let mut bench = Bench::new(Nest::new(turns), |unit| &unit.clock);
            bench.start_i.set(1);
            bench.tick();
            bench.start_i.set(0);
            let mut steps = 0;
            for cycle in 0..100u64 {
                // A pause now and then.
                let step = u64::from(cycle % 3 != 1);
                bench.step_i.set(step);
                bench.settle();
                steps += step;
                let mut of_loop = 1;
                for (turns, end) in turns.iter().zip(&bench.end_o) {
                    of_loop *= turns;
                    let expected = u64::from(step == 1 && steps % of_loop == 0);
                    assert_eq!(end.get(), expected, "{turns} turns, step {steps}");
                }
                bench.tick();
            }
        }
    }
}
