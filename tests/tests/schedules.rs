//! Drawn cases on the engines that need no Verilog: many networks on many accelerators in little time.

use empf_ir::QuantOp;
use empf_ir::arch::Memory;
use empf_sim::accesses::{Access, Accesses};
use empf_sim::{Engine, Interpreter};
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

/// Closed forms of the schedule say what the interpreter reads and writes.
#[test]
fn every_access_is_predicted() {
    let mut seen = Accesses::default();
    for seed in 0..150 {
        let mut cases = [Case::random(seed, &pooled_arch(0, seed), 30_000)];
        fit(&mut cases).unwrap_or_else(|failure| panic!("{cases:?}: {failure}"));
        let (_, program) = compile(&cases[0]).unwrap();
        let mut interpreter = Interpreter::new(&program).unwrap();
        for index in 0..2 {
            interpreter.run(&cases[0].input(index)).unwrap();
            let expected = Accesses::of_schedule(program.steps.iter().map(|step| &step.task), &program.arch);
            assert_eq!(interpreter.accesses(), expected, "{cases:?}");
            seen += &expected;
        }
    }
    for memory in Memory::ALL {
        let Access { read_bits, written_bits } = seen.of(memory);
        let is_rom = matches!(memory, Memory::Weight | Memory::Parameter | Memory::Input | Memory::Schedule);
        assert!(read_bits > 0 && (written_bits > 0) != is_rom, "{memory:?}");
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
