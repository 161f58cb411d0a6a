//! Drawn cases on the engines that need no Verilog: many networks in little time.

use empf_tests::{ACT_BITS, ARRAYS, Case, run_schedule};

#[test]
fn interpreter_and_trainer_equal_golden() {
    for seed in 0..150 {
        let array = ARRAYS[seed as usize % ARRAYS.len()];
        let act_bits = ACT_BITS[seed as usize / ARRAYS.len() % ACT_BITS.len()];
        let case = Case::random(seed, array, act_bits);
        let outcome = run_schedule(&case).unwrap_or_else(|failure| panic!("{case:?}: {failure}"));
        assert!(outcome.elements > 0);
    }
}
