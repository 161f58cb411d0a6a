//! Test bench for units in RustHDL's simulator.

use super::wire::Wire;
use rust_hdl_core::prelude::{Block, In, check_all, simulate};
use std::ops::{Deref, DerefMut};

/// Passes until combinational values must have settled; a path crosses a level of hierarchy per pass.
const MAX_PASSES: usize = 1000;

/// Propagates values until nothing changes; panics if they never settle (a combinational loop).
#[track_caller]
pub fn settle(block: &mut impl Block) {
    assert!(simulate(block, MAX_PASSES), "combinational values do not settle: is there a loop?");
}

/// A unit under test with its clock; dereferences to the unit.
pub struct Bench<B> {
    unit: B,
    clock: fn(&B) -> &Wire<In>,
}

impl<B: Block> Bench<B> {
    /// Checks that all signals of `unit` are driven and settles it with the clock low.
    #[track_caller]
    pub fn new(unit: B, clock: fn(&B) -> &Wire<In>) -> Self {
        if let Err(error) = check_all(&unit) {
            panic!("the unit is incomplete: {error:?}");
        }
        let mut bench = Bench { unit, clock };
        bench.settle();
        bench
    }

    /// Propagates input values to the outputs without a clock edge.
    #[track_caller]
    pub fn settle(&mut self) {
        settle(&mut self.unit);
    }

    /// One clock cycle: inputs set before it are taken at its rising edge, and outputs are settled after it.
    #[track_caller]
    pub fn tick(&mut self) {
        for level in [0, 1] {
            (self.clock)(&self.unit).set(level);
            self.settle();
        }
    }
}

impl<B> Deref for Bench<B> {
    type Target = B;
    fn deref(&self) -> &B {
        &self.unit
    }
}

impl<B> DerefMut for Bench<B> {
    fn deref_mut(&mut self) -> &mut B {
        &mut self.unit
    }
}
