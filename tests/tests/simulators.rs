//! One network in every simulator of the accelerator: tensors, logits and cycles are equal.

use empf_compiler::digits::digit;
use empf_ir::{ArchConfig, QuantOp};
use empf_tests::{Case, CaseInput, Conv, Layer, Shortcut, Suite, accelerator};

fn conv(channels: usize, kernel: usize, stride: usize, padding: usize, sign: bool) -> Layer {
    Layer::Conv(Conv {
        channels,
        kernel,
        stride,
        padding,
        sign,
        parallel: false,
        offset: true,
        shortcut: None,
        attention: None,
    })
}

#[track_caller]
fn equal_everywhere(case: &Case) {
    let outcome = Suite::shared(&case.arch).unwrap().run_everywhere(case).unwrap();
    assert!(outcome.elements > 0 && outcome.cycles > 0);
}

#[test]
fn verilator_icarus_and_rust_hdl_are_equal() {
    equal_everywhere(&Case {
        seed: 2,
        arch: accelerator([4, 4], 6),
        time_steps: 2,
        input: CaseInput { channels: 3, height: 6, width: 6, is_static: false, zero_point: 9.into() },
        layers: vec![conv(5, 3, 1, 1, false), conv(5, 3, 2, 1, true), Layer::GlobalPool],
        classes: 6,
    });
}

/// Of a shortcut, lanes show three currents: its own, the one that it is added to, and both together.
#[test]
fn a_shortcut_is_equal_everywhere() {
    let mut sum = conv(5, 3, 1, 1, true);
    if let Layer::Conv(conv) = &mut sum {
        conv.shortcut = Some(Shortcut { by: 0, scaled: true, windows: None });
    }
    equal_everywhere(&Case {
        seed: 3,
        arch: accelerator([4, 4], 6),
        time_steps: 2,
        input: CaseInput { channels: 3, height: 5, width: 5, is_static: true, zero_point: 9.into() },
        layers: vec![conv(5, 3, 1, 1, false), sum],
        classes: 3,
    });
}

/// A case of one position whose first layer reads all of the input with weights +-1 of eight digits: accumulators of
/// `acc_bits` bits hold its sums, but not what they are doubled to before the last pass.
fn wrapping(acc_bits: u32, time_steps: usize, layers: &[Layer]) -> Case {
    let case = |seed| Case {
        seed,
        arch: ArchConfig { acc_bits, ..accelerator([2, 2], 8) },
        time_steps,
        input: CaseInput {
            channels: 3,
            height: 1,
            width: 1,
            is_static: time_steps == 1,
            zero_point: 0.into(),
        },
        layers: layers.to_vec(),
        classes: 5,
    };
    (0..1000).map(case).find(wraps).expect("some seed has large sums")
}

/// The doubled sum of some output leaves the accumulators in the first inference.
fn wraps(case: &Case) -> bool {
    let (network, input) = (case.network(), case.input(0));
    let first = &network.nodes[0];
    assert!(matches!(first.op, QuantOp::Conv { .. } | QuantOp::Linear { .. }));
    let limit = 1i32 << (case.arch.acc_bits - 1);
    let weights = network.tensor(&first.name, "weight").unwrap();
    weights.chunks(case.input.channels).any(|weights| {
        let codes = || weights.iter().cycle().zip(&input);
        let sum: i32 = codes().map(|(weight, code)| weight * i32::from(*code)).sum();
        let last: i32 = codes().map(|(weight, code)| digit(*weight, Some(0)) * i32::from(*code)).sum();
        assert!((-limit..limit).contains(&sum));
        !(-limit..limit).contains(&(sum - last))
    })
}

#[test]
fn a_convolution_whose_accumulators_wrap_is_equal_everywhere() {
    equal_everywhere(&wrapping(11, 1, &[conv(3, 1, 1, 0, false)]));
}

#[test]
fn logits_whose_accumulators_wrap_are_equal_everywhere() {
    equal_everywhere(&wrapping(12, 2, &[]));
}
