//! Cases that together use every bit of a small accelerator, in Verilator.

use empf_ir::QuantOp;
use empf_tests::{Case, Interrupted, Suite, crowd};

#[test]
fn every_case_is_exact() {
    let cases = crowd().unwrap();
    let suite = Suite::shared(&cases[0].arch).unwrap();
    for (index, case) in cases.iter().enumerate() {
        let outcome = suite.run(case).unwrap_or_else(|failure| panic!("case {index}: {failure}"));
        assert!(outcome.elements > 0 && outcome.cycles > 0, "case {index}");
    }
}

/// Cases of the crowd with few cycles, and with attention, shortcuts and pooling.
const INTERRUPTED: [u64; 2] = [142, 143];

#[test]
fn resets_leave_nothing_behind() {
    let cases = crowd().unwrap();
    let suite = Suite::shared(&cases[0].arch).unwrap();
    for case in cases.iter().filter(|case| INTERRUPTED.contains(&case.seed)) {
        let interrupted = Interrupted::new(case).unwrap();
        for held in [1, 8] {
            interrupted.run_in_verilator(&suite, held).unwrap();
        }
    }
}

/// The case of a seed, its suite, and inputs of it.
fn one(seed: u64) -> (Case, Suite, Vec<Vec<u8>>) {
    let case = crowd().unwrap().into_iter().find(|case| case.seed == seed).unwrap();
    let suite = Suite::shared(&case.arch).unwrap();
    let inputs = (0..4).map(|index| case.input(index)).collect();
    (case, suite, inputs)
}

/// A case of the crowd with attention on all frames together.
const ATTENTION: u64 = 130;

/// Sums that are small beside what they are added up of: their signs hang on each bit.
#[test]
fn small_sums_have_their_signs() {
    let (case, suite, inputs) = one(ATTENTION);
    for scale in -4i32..5 {
        let mut network = case.network();
        for node in &mut network.nodes {
            if let ("conv2", QuantOp::Conv { shift, .. }) = (node.name.as_str(), &mut node.op) {
                *shift = (-scale).max(0) as u8;
            }
        }
        for (kind, value) in [("mantissa", 1 << scale.max(0)), ("bias", 0)] {
            let shape = network.tensors.get(&format!("conv2.{kind}")).unwrap().shape.clone();
            network.set_tensor("conv2", kind, shape, vec![value; 4 * 8]);
        }
        let program = empf_compiler::lower(&network, &case.arch).unwrap();
        let outcome = suite.run_network(&network, &program, &inputs);
        outcome.unwrap_or_else(|failure| panic!("scale 2^{scale}: {failure}"));
    }
}

/// Case of the crowd whose shortcut has a position of 680 channels.
const WIDE_SHORTCUT: u64 = 112;

/// Shifts that are larger than drawn ones, of sums that are as large: half of what is shifted out decides.
#[test]
fn large_shifts_of_shortcuts_are_rounded() {
    let (case, suite, inputs) = one(WIDE_SHORTCUT);
    for large in 16..=28 {
        let mut network = case.network();
        for node in &mut network.nodes {
            match (node.name.as_str(), &mut node.op) {
                ("short3", QuantOp::Conv { shift, .. }) => *shift = large,
                ("spike3", QuantOp::Neuron { shift, .. }) => *shift = 0,
                _ => {}
            }
        }
        let mantissa = (1 << (large - 9)).min(1 << 14);
        let own =
            ["conv3.mantissa", "conv3.bias", "short3.bias", "spike3.theta"].map(|name| (name, vec![0; 4]));
        // Spikes are the currents of the shortcut.
        let mantissas = [1, 6, 13, 27].map(|more| mantissa + more).to_vec();
        let of_shortcut = [("short3.weight", vec![1; 4 * 680]), ("short3.mantissa", mantissas)];
        for (name, values) in own.into_iter().chain(of_shortcut) {
            let (node, kind) = name.split_once('.').unwrap();
            let shape = network.tensors.get(name).unwrap().shape.clone();
            network.set_tensor(node, kind, shape, values);
        }
        let program = empf_compiler::lower(&network, &case.arch).unwrap();
        let outcome = suite.run_network(&network, &program, &inputs);
        outcome.unwrap_or_else(|failure| panic!("shift {large}: {failure}"));
    }
}
