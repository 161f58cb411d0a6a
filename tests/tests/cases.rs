//! Every file in `cases/` on every engine.

use empf_tests::{Case, Suite};
use std::path::Path;

fn check(path: &str) {
    let case = Case::load(Path::new(path)).unwrap();
    let suite = Suite::shared(&case.arch()).unwrap();
    let outcome = suite.run(&case).unwrap_or_else(|failure| panic!("{path}: {failure}"));
    assert!(outcome.elements > 0 && outcome.cycles > 0);
}

include!(concat!(env!("OUT_DIR"), "/cases.rs"));
