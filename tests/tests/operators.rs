//! Operators that are not yet in hardware, on the engines that have them.

use empf_integer::IntegerModel;
use empf_ir::{Border, INPUT, Node, QuantInput, QuantNetwork, QuantOp, Tensors, WeightKind};
use ndarray::Array4;
use rand::prelude::*;
use rand_pcg::Pcg64Mcg;

const STEPS: usize = 3;
const CHANNELS: usize = 5;

fn node(name: &str, inputs: &[&str], op: QuantOp) -> Node<QuantOp> {
    Node { name: name.into(), inputs: inputs.iter().map(|s| s.to_string()).collect(), op }
}

/// `stem -> s1 -> pool -> conv -> attention -> add -> s2 -> fc`, where `add` also reads `pool`, widened or scaled.
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
    let kernel = rng.random_range(1..=3);
    let pool =
        QuantOp::MaxPool { kernel, stride: rng.random_range(1..=2), padding: rng.random_range(0..kernel) };
    let kernel = *[3, 5, 7].choose(rng).unwrap();
    // Factors of up to 300: scores are halved on the whole, and most results stay inside the format.
    let attention = QuantOp::Seca { kernel, shift: rng.random_range(5..=9) };
    let shortcut = match rng.random() {
        true => QuantOp::Widen { shift: rng.random_range(0..8) },
        false => QuantOp::Scale { shift: rng.random_range(0..8) },
    };
    let mut network = QuantNetwork {
        name: "operators".into(),
        time_steps: STEPS,
        classes: 4,
        class_names: Default::default(),
        act_bits: 6,
        membrane_bits: 12,
        input: QuantInput { channels: 2, height: 4, width: 5, frames: 1 },
        nodes: vec![
            node("stem", &[INPUT], conv(WeightKind::Float, Border::new(&[9, 200]).unwrap())),
            node("s1", &["stem"], spike.clone()),
            node("pool", &["s1"], pool),
            node("conv", &["pool"], conv(WeightKind::Sign, 0.into())),
            node("attention", &["conv"], attention),
            node("shortcut", &["pool"], shortcut),
            node("add", &["attention", "shortcut"], QuantOp::Add),
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
            // A few hundred keeps most sums inside the format and lets some leave it; scores take all their bits.
            let limit = if spec.name == "score" { 1 << 15 } else { 300 };
            let (low, high) = (spec.min.max(-limit), spec.max.min(limit));
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
    let (mut added, mut attended) = (0, 0);
    let saturated = |tensor: &Array4<i32>| tensor.iter().filter(|v| [-2048, 2047].contains(*v)).count();
    for seed in 0..400 {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let network = network(&mut rng);
        let input = Array4::from_shape_simple_fn((1, 2, 4, 5), || rng.random());
        let expected = empf_golden::run(&network, input.view()).unwrap();
        let got = IntegerModel::new(&network).unwrap().run(input.view()).unwrap();
        assert_eq!(got, expected, "seed {seed}");
        added += saturated(&expected.tensors["add"]);
        attended += saturated(&expected.tensors["attention"]);
    }
    assert!(added > 100 && attended > 100, "only {added} sums and {attended} products saturate");
}
