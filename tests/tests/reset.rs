//! A reset at any cycle of an inference leaves nothing behind: the next inference is exact.

use empf_sim::{Engine, RustHdl};
use empf_tests::{Case, Interrupted, Suite};

/// Cycles for which reset is held.
const HELD: [u32; 2] = [1, 8];

/// Every unit of a feed-forward network works, two column blocks are drained, and both banks of accumulators are used.
fn case() -> Case {
    Case::kept("small").unwrap()
}

fn interrupted() -> Interrupted {
    let interrupted = Interrupted::new(&case()).unwrap();
    assert!(interrupted.cycles <= 500, "{} cycles are too many for a reset at each", interrupted.cycles);
    interrupted
}

#[test]
fn at_every_cycle_in_verilator() {
    let suite = Suite::shared(&case().arch).unwrap();
    let interrupted = interrupted();
    for held in HELD {
        interrupted.run_in_verilator(&suite, held).unwrap();
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
    let interrupted = interrupted();
    let Interrupted { program, before, behind, logits, .. } = &interrupted;
    let mut engine = RustHdl::new(program, held.into()).unwrap();
    for at in interrupted.moments() {
        engine.begin(before, at).unwrap();
        engine.reset(held.into());
        let got = engine.run(behind).unwrap_or_else(|e| panic!("reset in cycle {at} for {held}: {e}"));
        assert_eq!(&got.logits, logits, "reset in cycle {at} for {held}");
    }
}
