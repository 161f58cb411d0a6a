//! An inference that a reset interrupts, and the one behind it.

use crate::case::Case;
use crate::suite::{Result, Suite, compile};
use empf_ir::Program;
use empf_sim::verilator::Options;
use empf_sim::{Engine, GoldenEngine, Interpreter};
use std::ops::Range;

/// Cycles after the last of an inference in which a reset is tried as well: registers are read there.
const MARGIN: u64 = 20;

/// Two inputs of a case: one whose inference is interrupted, and one that runs behind the reset.
pub struct Interrupted {
    /// What both run on.
    pub program: Program,
    /// The input of the first.
    pub before: Vec<u8>,
    /// The input of the second.
    pub behind: Vec<u8>,
    /// What the golden model makes of the second.
    pub logits: Vec<i32>,
    /// Cycles of an inference.
    pub cycles: u64,
}

impl Interrupted {
    /// Of `case`.
    ///
    /// # Panics
    /// If both inputs have the same logits, which say nothing then.
    pub fn new(case: &Case) -> Result<Self> {
        let (network, program) = compile(case)?;
        let cycles = Interpreter::new(&program)?.predicted_cycles();
        let mut golden = GoldenEngine::new(&network);
        let [before, behind] = [case.input(0), case.input(1)];
        let logits = golden.run(&behind)?.logits;
        assert_ne!(logits, golden.run(&before)?.logits, "answers must tell inputs apart");
        Ok(Interrupted { program, before, behind, logits, cycles })
    }

    /// Cycles from the first byte of the first input at which it is interrupted.
    pub fn moments(&self) -> Range<u64> {
        0..self.before.len() as u64 + self.cycles + MARGIN
    }

    /// Resets the accelerator of `suite` in Verilator at each moment for `held` cycles. Its registers start at values of
    /// the seed `held`.
    ///
    /// # Panics
    /// If the inference behind a reset has other logits or cycles.
    pub fn run_in_verilator(&self, suite: &Suite, held: u32) -> Result<()> {
        let options = Options { power_up_seed: held, ..Options::default() };
        let mut engine = suite.verilog().engine(&self.program, options)?;
        for at in self.moments() {
            engine.begin(&self.before, at)?;
            engine.reset(held)?;
            let got =
                engine.run(&self.behind).unwrap_or_else(|e| panic!("reset in cycle {at} for {held}: {e}"));
            assert_eq!(got.logits, self.logits, "reset in cycle {at} for {held}");
            assert_eq!(got.cycles, Some(self.cycles), "reset in cycle {at} for {held}");
        }
        Ok(())
    }
}
