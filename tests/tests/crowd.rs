//! Cases that together use every bit of a small accelerator, in Verilator.

use empf_tests::{Suite, crowd};

#[test]
fn every_case_is_exact() {
    let cases = crowd().unwrap();
    let suite = Suite::shared(&cases[0].arch).unwrap();
    for (index, case) in cases.iter().enumerate() {
        let outcome = suite.run(case).unwrap_or_else(|failure| panic!("case {index}: {failure}"));
        assert!(outcome.elements > 0 && outcome.cycles > 0, "case {index}");
    }
}
