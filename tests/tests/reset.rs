//! A reset at any cycle of an inference leaves nothing behind: the next inference is exact.

use empf_sim::verilator::Options;
use empf_sim::{Engine, GoldenEngine, Interpreter, RustHdl};
use empf_tests::{Case, Suite, compile};

/// Cycles for which reset is held.
const HELD: [u32; 2] = [1, 8];
/// Cycles after the last of an inference in which a reset is tried as well: registers are read there.
const MARGIN: u64 = 20;

/// Every unit works, two column blocks are drained, and both banks of accumulators are used.
fn case() -> Case {
    Case::kept("small").unwrap()
}

/// Cycles from the first byte of an input to the end of its inference.
fn cycles(case: &Case) -> u64 {
    let (_, program) = compile(case).unwrap();
    let inference = Interpreter::new(&program).unwrap().predicted_cycles();
    assert!(inference <= 500, "{inference} cycles are too many for a reset at each");
    program.input_bytes() as u64 + inference + MARGIN
}

#[test]
fn at_every_cycle_in_verilator() {
    let case = case();
    let (network, program) = compile(&case).unwrap();
    let suite = Suite::shared(&case.arch).unwrap();
    let mut golden = GoldenEngine::new(&network);
    let [interrupted, whole] = [case.input(0), case.input(1)];
    let expected = golden.run(&whole).unwrap();
    assert_ne!(expected.logits, golden.run(&interrupted).unwrap().logits, "answers must tell inputs apart");
    let predicted = Interpreter::new(&program).unwrap().predicted_cycles();
    for held in HELD {
        let options = Options { power_up_seed: held, ..Options::default() };
        let mut engine = suite.verilog().engine(&program, options).unwrap();
        for at in 0..cycles(&case) {
            engine.begin(&interrupted, at).unwrap();
            engine.reset(held).unwrap();
            let got = engine.run(&whole).unwrap_or_else(|e| panic!("reset in cycle {at} for {held}: {e}"));
            assert_eq!(got.logits, expected.logits, "reset in cycle {at} for {held}");
            assert_eq!(got.cycles, Some(predicted), "reset in cycle {at} for {held}");
        }
    }
}

#[test]
fn at_every_cycle_in_rust_hdl() {
    std::thread::scope(|scope| {
        for held in HELD {
            scope.spawn(move || in_rust_hdl(held));
        }
    });
}

fn in_rust_hdl(held: u32) {
    let case = case();
    let (network, program) = compile(&case).unwrap();
    let mut golden = GoldenEngine::new(&network);
    let [interrupted, whole] = [case.input(0), case.input(1)];
    let expected = golden.run(&whole).unwrap();
    assert_ne!(expected.logits, golden.run(&interrupted).unwrap().logits, "answers must tell inputs apart");
    let mut engine = RustHdl::new(&program, held.into()).unwrap();
    for at in 0..cycles(&case) {
        engine.begin(&interrupted, at).unwrap();
        engine.reset(held.into());
        let got = engine.run(&whole).unwrap_or_else(|e| panic!("reset in cycle {at} for {held}: {e}"));
        assert_eq!(got.logits, expected.logits, "reset in cycle {at} for {held}");
    }
}
