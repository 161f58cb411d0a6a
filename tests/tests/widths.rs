//! Numbers that need every bit of the registers that hold them, in Verilator.

use empf_tests::{Case, CaseInput, Conv, Layer, Suite, accelerator};

/// Windows of the global pooling are as high as the map.
fn pools_globally(height: usize, width: usize) {
    let case = Case {
        seed: 3,
        arch: accelerator([4, 4], 8),
        time_steps: 2,
        input: CaseInput { channels: 1, height, width, is_static: true, zero_point: 0.into() },
        layers: vec![
            Layer::Conv(Conv {
                channels: 3,
                kernel: 1,
                stride: 1,
                padding: 0,
                sign: false,
                parallel: false,
                offset: true,
                shortcut: None,
                attention: None,
            }),
            Layer::GlobalPool,
        ],
        classes: 4,
    };
    let outcome = Suite::shared(&case.arch).unwrap().run(&case).unwrap();
    assert!(outcome.elements > 0 && outcome.cycles > 0);
}

#[test]
fn global_pooling_of_300x2() {
    pools_globally(300, 2);
}

#[test]
fn global_pooling_of_512x1() {
    pools_globally(512, 1);
}
