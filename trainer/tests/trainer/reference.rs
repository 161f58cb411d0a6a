//! The trainer's evaluation against the float reference, which is written for clarity alone.

use approx::abs_diff_eq;
use empf_golden::float;
use empf_ir::{Codes, INPUT, Input, Network, NeuronVersion, Node, Op, Tensors, WeightKind};
use empf_trainer::presets::{PRESETS, Target, preset};
use empf_trainer::{Extents, Frames, Model, Tensor};
use ndarray::Array4;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64;

/// Gives every tensor of `network` random values, variances positive ones.
fn fill(network: &mut Network, rng: &mut Pcg64) {
    let shapes = network.shapes().unwrap();
    for (i, node) in network.nodes.clone().iter().enumerate() {
        let input = network.shape_of(&node.inputs[0], &shapes);
        for (name, shape) in Network::expected_tensors(&node.op, input, shapes[i], network.time_steps) {
            let count = shape.iter().product();
            let around = if name == "var" { 2.0 } else { 0.2 };
            let values = (0..count).map(|_| around + rng.random_range(-1.0..1.0)).collect();
            network.set_tensor(&node.name, name, shape, values);
        }
    }
}

/// Logits of both for one input of random codes.
fn assert_same_logits(network: &Network, rng: &mut Pcg64) {
    let Input { channels, height, width, frames, .. } = network.input;
    let codes: Array4<u8> = Array4::from_shape_simple_fn((frames, channels, height, width), || rng.random());
    let expected = float::run(network, codes.view()).unwrap().logits;
    let extents = Extents { images: 1, height, width, channels };
    let value = |((c, ..), code): ((usize, usize, usize), &u8)| network.input.value(c, *code);
    let x: Vec<Tensor<f64>> = (codes.outer_iter())
        .map(|frame| Tensor::from_nchw(extents, &frame.indexed_iter().map(value).collect::<Vec<f64>>()))
        .collect();
    let mut model = Model::<f64>::from_network(network).unwrap();
    let logits = model.evaluate(Frames::of(&x)).unwrap().data;
    let largest = expected.iter().fold(1.0f64, |m, x| m.max(x.abs()));
    assert_eq!(logits.len(), expected.len());
    for (got, want) in logits.iter().zip(&expected) {
        let close = abs_diff_eq!(*got, *want, epsilon = 1e-9 * largest);
        assert!(close, "{}: {logits:?}, expected {expected:?}", network.name);
    }
}

fn node(name: &str, inputs: &[&str], op: Op) -> Node<Op> {
    Node { name: name.into(), inputs: inputs.iter().map(|s| s.to_string()).collect(), op }
}

#[test]
fn every_operator() {
    let conv = |out_channels, kernel, stride, weights| Op::Conv {
        out_channels,
        kernel,
        stride,
        padding: kernel / 2,
        weights,
    };
    let neuron = |version| Op::Neuron { version, eps: 1e-3 };
    let norm = Op::BatchNorm { eps: 1e-3 };
    let nodes = vec![
        node("conv1", &[INPUT], conv(6, 3, 1, WeightKind::Float)),
        node("bn1", &["conv1"], norm.clone()),
        node("n1", &["bn1"], neuron(NeuronVersion::II)),
        node("max", &["n1"], Op::MaxPool { kernel: 3, stride: 2, padding: 1 }),
        node("conv2", &["max"], conv(6, 3, 1, WeightKind::Sign)),
        node("bn2", &["conv2"], norm.clone()),
        node("inner", &["bn2"], conv(6, 3, 1, WeightKind::Sign)),
        node("inner_bn", &["inner"], norm),
        node("inner_sum", &["bn2", "inner_bn"], Op::Add),
        node("seca", &["inner_sum"], Op::Seca { kernel: 5 }),
        node("sum", &["seca", "max"], Op::Add),
        node("n2", &["sum"], neuron(NeuronVersion::I)),
        node("avg", &["n2"], Op::AvgPool { kernel: 2, stride: 1 }),
        node("conv3", &["avg"], conv(4, 1, 2, WeightKind::Sign)),
        node("lif", &["conv3"], Op::Lif { leak: 0.6, threshold: 0.7 }),
        node("conv4", &["lif"], conv(4, 1, 1, WeightKind::Sign)),
        node("n3", &["conv4"], neuron(NeuronVersion::III)),
        node("gap", &["n3"], Op::GlobalAvgPool),
        node("fc", &["gap"], Op::Linear { out_features: 3 }),
    ];
    let scales = [("n1", 0.25), ("n2", 0.125), ("avg", 0.125), ("n3", 0.5), ("gap", 0.125)];
    let codes = Codes { bits: 4, scales: scales.map(|(node, scale)| (node.to_owned(), scale)).into() };
    let mut rng = Pcg64::seed_from_u64(4);
    for (frames, codes) in [(1, None), (3, None), (1, Some(codes.clone())), (3, Some(codes))] {
        let mut network = Network {
            name: "operators".into(),
            time_steps: 3,
            classes: 3,
            class_names: Default::default(),
            input: Input {
                channels: 2,
                height: 9,
                width: 8,
                frames,
                zero_point: 90.0.into(),
                scale: 0.01.into(),
            },
            nodes: nodes.clone(),
            codes,
            tensors: Tensors::default(),
        };
        fill(&mut network, &mut rng);
        assert_same_logits(&network, &mut rng);
    }
}

/// Nothing in front of it depends on the step, and still it must not be computed once for all.
#[test]
fn a_static_current_charges_a_neuron_step_by_step() {
    let mut rng = Pcg64::seed_from_u64(5);
    for neuron in [Op::Lif { leak: 0.9, threshold: 2.0 }, Op::Neuron { version: NeuronVersion::I, eps: 1e-3 }]
    {
        let conv = Op::Conv { out_channels: 4, kernel: 3, stride: 1, padding: 1, weights: WeightKind::Float };
        let mut network = Network {
            name: "static".into(),
            time_steps: 5,
            classes: 2,
            class_names: Default::default(),
            input: Input {
                channels: 1,
                height: 4,
                width: 4,
                frames: 1,
                zero_point: 0.0.into(),
                scale: 0.01.into(),
            },
            nodes: vec![
                node("conv", &[INPUT], conv),
                node("neuron", &["conv"], neuron),
                node("fc", &["neuron"], Op::Linear { out_features: 2 }),
            ],
            codes: None,
            tensors: Tensors::default(),
        };
        fill(&mut network, &mut rng);
        assert_same_logits(&network, &mut rng);
    }
}

#[test]
fn every_preset() {
    let mut rng = Pcg64::seed_from_u64(6);
    for name in PRESETS {
        let input = Input {
            channels: 3,
            height: 32,
            width: 32,
            frames: 1,
            zero_point: 120.0.into(),
            scale: 0.015.into(),
        };
        let target = Target { input, classes: 5, time_steps: 2, width: 0.05 };
        let mut network = preset(name, &target).unwrap();
        fill(&mut network, &mut rng);
        assert_same_logits(&network, &mut rng);
    }
}
