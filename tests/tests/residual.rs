//! Residual additions, on the engines that have them.

use empf_ir::{INPUT, Node, QuantInput, QuantNetwork, QuantOp, Tensors, WeightKind};
use empf_trainer::integer::IntegerModel;
use ndarray::Array4;
use rand::prelude::*;
use rand_pcg::Pcg64Mcg;

const STEPS: usize = 3;
const CHANNELS: usize = 5;

fn node(name: &str, inputs: &[&str], op: QuantOp) -> Node<QuantOp> {
    Node { name: name.into(), inputs: inputs.iter().map(|s| s.to_string()).collect(), op }
}

/// `stem -> s1 -> conv -> add -> s2 -> fc`, where `add` also reads `s1`.
fn network(rng: &mut Pcg64Mcg) -> QuantNetwork {
    let conv = |weights, zero_point| QuantOp::Conv {
        out_channels: CHANNELS,
        kernel: 3,
        stride: 1,
        padding: 1,
        weights,
        zero_point,
        shift: 3,
    };
    let spike = QuantOp::Neuron { parallel: false, shift: rng.random_range(0..4) };
    let mut network = QuantNetwork {
        name: "residual".into(),
        time_steps: STEPS,
        classes: 4,
        act_bits: 6,
        membrane_bits: 12,
        input: QuantInput { channels: 2, height: 4, width: 5, frames: 1 },
        nodes: vec![
            node("stem", &[INPUT], conv(WeightKind::Float, 9)),
            node("s1", &["stem"], spike.clone()),
            node("conv", &["s1"], conv(WeightKind::Sign, 0)),
            node("wide", &["s1"], QuantOp::Widen { shift: rng.random_range(0..8) }),
            node("add", &["conv", "wide"], QuantOp::Add),
            node("s2", &["add"], spike),
            node("fc", &["s2"], QuantOp::Linear { out_features: 4 }),
        ],
        scales: Default::default(),
        tensors: Tensors::default(),
    };
    let shapes = network.shapes().unwrap();
    for (index, node) in network.nodes.clone().iter().enumerate() {
        let input = network.shape_of(&node.inputs[0], &shapes);
        for spec in network.tensor_specs(&node.op, input, shapes[index]) {
            // A few hundred keeps most sums inside the format and lets some leave it.
            let (low, high) = (spec.min.max(-300), spec.max.min(300));
            let value = |_| rng.random_range(low..=high) as i32;
            let odd = |v: i32| if spec.odd && v % 2 == 0 { v + 1 } else { v };
            let values = (0..spec.shape.iter().product()).map(value).map(odd).collect();
            network.set_tensor(&node.name, spec.name, spec.shape, values);
        }
    }
    network
}

#[test]
fn trainer_equals_golden() {
    let mut saturated = 0;
    for seed in 0..200 {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let network = network(&mut rng);
        let input = Array4::from_shape_simple_fn((1, 2, 4, 5), || rng.random());
        let expected = empf_golden::run(&network, input.view()).unwrap();
        let got = IntegerModel::new(&network).unwrap().run(input.view()).unwrap();
        assert_eq!(got, expected, "seed {seed}");
        saturated += expected.tensors["add"].iter().filter(|v| [-2048, 2047].contains(*v)).count();
    }
    assert!(saturated > 100, "only {saturated} sums saturate");
}
