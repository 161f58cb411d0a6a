//! Drawn cases on the engines that need no Verilog: many networks on many accelerators in little time.

use empf_ir::QuantOp;
use empf_tests::{Case, compile, fit, pooled_arch, run_description, run_schedule, tiny_arch};
use std::collections::BTreeSet;

#[test]
fn interpreter_and_trainer_equal_golden() {
    for seed in 0..250 {
        let mut cases = [Case::random(seed, &pooled_arch(0, seed), 60_000)];
        fit(&mut cases).unwrap_or_else(|failure| panic!("{cases:?}: {failure}"));
        let outcome = run_schedule(&cases[0]).unwrap_or_else(|failure| panic!("{cases:?}: {failure}"));
        assert!(outcome.elements > 0);
    }
}

#[test]
fn descriptions_of_tiny_accelerators_equal_golden() {
    for seed in 0..21 {
        let mut cases = [Case::random(seed, &tiny_arch(seed), 300)];
        fit(&mut cases).unwrap_or_else(|failure| panic!("{cases:?}: {failure}"));
        let outcome = run_description(&cases[0]).unwrap_or_else(|failure| panic!("{cases:?}: {failure}"));
        assert!(outcome.elements > 0 && outcome.cycles > 0);
    }
}

/// Nothing that lies in the activation memory is left out of comparisons.
#[test]
fn programs_place_the_codes_of_every_node() {
    for seed in 0..100 {
        let (network, program) = compile(&Case::random(seed, &pooled_arch(0, seed), 60_000)).unwrap();
        let gives_codes = |op: &QuantOp| {
            matches!(op, QuantOp::Neuron { .. } | QuantOp::AvgPool { .. } | QuantOp::MaxPool { .. })
        };
        let nodes = network.nodes.iter().filter(|node| gives_codes(&node.op)).map(|node| node.name.clone());
        let promise = empf_sim::Promise::of_program(&program);
        assert_eq!(promise.nodes, nodes.collect::<BTreeSet<_>>());
        assert!(promise.cycles);
    }
}
