//! One network in every simulator of the accelerator: tensors, logits and cycles are equal.

use empf_tests::{Case, CaseInput, Layer, Suite, accelerator};

#[test]
fn verilator_icarus_and_rust_hdl_are_equal() {
    let conv = |kernel, stride, padding, sign| Layer::Conv {
        channels: 5,
        kernel,
        stride,
        padding,
        sign,
        parallel: false,
        offset: true,
    };
    let case = Case {
        seed: 2,
        arch: accelerator([4, 4], 6),
        time_steps: 2,
        input: CaseInput { channels: 3, height: 6, width: 6, is_static: false, zero_point: 9 },
        layers: vec![conv(3, 1, 1, false), conv(3, 2, 1, true), Layer::GlobalPool],
        classes: 6,
    };
    let outcome = Suite::shared(&case.arch).unwrap().run_everywhere(&case).unwrap();
    assert!(outcome.elements > 0 && outcome.cycles > 0);
}
