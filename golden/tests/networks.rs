//! Whole networks, worked out by hand.

use empf_golden::{Error, classify, float, run};
use empf_ir::{
    Input, Network, NeuronVersion, Node, Op, QuantInput, QuantNetwork, QuantOp, Tensors, WeightKind,
};
use ndarray::{Array4, Array5, Axis};

fn node<O>(name: &str, inputs: &[&str], op: O) -> Node<O> {
    Node { name: name.into(), inputs: inputs.iter().map(|s| s.to_string()).collect(), op }
}

fn conv(weights: WeightKind, zero_point: u8, shift: u8) -> QuantOp {
    let zero_point = zero_point.into();
    QuantOp::Conv { out_channels: 1, kernel: 1, stride: 1, padding: 0, weights, zero_point, shift }
}

/// `input -> a, b -> sum -> n -> pool -> fc`: two convolutions of the input, added; T = 2, static 2x2 input.
fn integer_network() -> QuantNetwork {
    let mut network = QuantNetwork {
        name: "hand".into(),
        time_steps: 2,
        classes: 2,
        class_names: Default::default(),
        act_bits: 4,
        membrane_bits: 12,
        input: QuantInput { channels: 1, height: 2, width: 2, frames: 1 },
        nodes: vec![
            node("a", &["input"], conv(WeightKind::Sign, 0, 1)),
            node("b", &["input"], conv(WeightKind::Float, 0, 0)),
            node("sum", &["a", "b"], QuantOp::Add),
            node("n", &["sum"], QuantOp::Neuron { parallel: false, shift: 1 }),
            node("pool", &["n"], QuantOp::AvgPool { kernel: [1, 2], stride: [1, 2], shift: 1 }),
            node("fc", &["pool"], QuantOp::Linear { out_features: 2 }),
        ],
        scales: Default::default(),
        tensors: Tensors::default(),
    };
    for (node, name, shape, values) in [
        ("a", "weight", vec![1, 1, 1, 1], vec![-1]),
        ("a", "mantissa", vec![2, 1], vec![-3, -1]),
        ("a", "bias", vec![2, 1], vec![0, 1]),
        ("b", "weight", vec![1, 1, 1, 1], vec![3]),
        ("b", "mantissa", vec![2, 1], vec![1, 2]),
        ("b", "bias", vec![2, 1], vec![-4, -2]),
        ("n", "lambda", vec![2, 1], vec![4096, 2048]),
        ("n", "theta", vec![2, 1], vec![5, 3]),
        ("n", "offset", vec![2, 1], vec![0, 0]),
        ("fc", "weight", vec![2, 2], vec![1, 3, 5, -1]),
        ("fc", "bias", vec![2], vec![-10, 1]),
    ] {
        network.set_tensor(node, name, shape, values);
    }
    network
}

fn image() -> Array4<u8> {
    Array4::from_shape_vec((1, 1, 2, 2), vec![0, 1, 2, 3]).unwrap()
}

fn values(tensor: &Array4<i32>) -> Vec<i32> {
    tensor.iter().copied().collect()
}

#[test]
fn integer_network_by_hand() {
    let trace = run(&integer_network(), image().view()).unwrap();
    // acc of a: 0, -1, -2, -3
    assert_eq!(values(&trace.tensors["a"]), [0, 2, 3, 5, 1, 2, 2, 3]);
    // acc of b: 0, 3, 6, 9
    assert_eq!(values(&trace.tensors["b"]), [-4, -1, 2, 5, -2, 4, 10, 16]);
    assert_eq!(values(&trace.tensors["sum"]), [-4, 1, 5, 10, -1, 6, 12, 19]);
    // v after step 0: -4, 1, 5, 5; halved: -2, 0.5 -> 1, 2.5 -> 3, 3; m: -3, 7, 15, 22
    assert_eq!(values(&trace.tensors["n"]), [0, 0, 0, 3, 0, 2, 6, 10]);
    assert_eq!(values(&trace.tensors["pool"]), [0, 2, 1, 8]);
    assert_eq!(trace.logits, [-10 + 6 + 1 + 24, 1 - 2 + 5 - 8]);
    assert_eq!(values(&trace.tensors["fc"]), trace.logits);
    assert_eq!((trace.class(), trace.cycles), (0, None));
}

/// A sum of codes beyond A bits becomes the largest code of A bits.
#[test]
fn means_have_the_bits_of_spikes() {
    let mut network = integer_network();
    network.nodes[4].op = QuantOp::AvgPool { kernel: [1, 2], stride: [1, 2], shift: 0 };
    let trace = run(&network, image().view()).unwrap();
    assert_eq!(values(&trace.tensors["pool"]), [0, 3, 2, 15]);
}

#[test]
fn frames_are_read_one_a_step() {
    let mut network = integer_network();
    network.input.frames = 2;
    let frames = Array4::from_shape_vec((2, 1, 2, 2), vec![0, 1, 2, 3, 3, 2, 1, 0]).unwrap();
    let trace = run(&network, frames.view()).unwrap();
    assert_eq!(values(&trace.tensors["b"]), [-4, -1, 2, 5, 16, 10, 4, -2]);
    let repeated = Array4::from_shape_fn((2, 1, 2, 2), |(_, c, y, x)| image()[[0, c, y, x]]);
    let mut of_one = run(&integer_network(), image().view()).unwrap();
    let of_two = run(&network, repeated.view()).unwrap();
    assert_eq!(of_two, of_one);
    of_one.logits[0] += 1;
    assert_ne!(of_two, of_one);
}

#[test]
fn border_holds_the_zero_point() {
    let mut network = integer_network();
    for node in &mut network.nodes[..2] {
        if let QuantOp::Conv { padding, kernel, zero_point, .. } = &mut node.op {
            (*padding, *kernel, *zero_point) = (1, 2, 7.into());
        }
    }
    for name in ["a", "b"] {
        network.set_tensor(name, "weight", vec![1, 1, 2, 2], vec![1, 1, -1, 1]);
    }
    network.set_tensor("fc", "weight", vec![2, 3], vec![1; 6]);
    let trace = run(&network, image().view()).unwrap();
    // Top left: 7 + 7 - 7 + 0; centre: 0 + 1 - 2 + 3.
    let b = &trace.tensors["b"];
    assert_eq!((b.dim(), b[[0, 0, 0, 0]], b[[0, 0, 1, 1]]), ((2, 1, 3, 3), 7 - 4, 2 - 4));
}

#[test]
fn classes_of_a_batch() {
    let network = integer_network();
    let images = Array5::from_shape_fn((5, 1, 1, 2, 2), |(n, _, _, y, x)| (50 * n + 3 * y + x) as u8);
    let classes = classify(&network, images.view()).unwrap();
    let one_by_one: Vec<usize> =
        images.axis_iter(Axis(0)).map(|i| run(&network, i).unwrap().class()).collect();
    assert_eq!(classes, one_by_one);
}

#[test]
fn bad_input_is_an_error() {
    let wrong = Array4::<u8>::zeros((2, 1, 2, 2));
    let error = run(&integer_network(), wrong.view()).unwrap_err();
    assert!(matches!(error, Error::Input { .. }));
    assert!(
        error.to_string().contains("[2, 1, 2, 2]") && error.to_string().contains("[1, 1, 2, 2]"),
        "{error}"
    );

    let mut network = integer_network();
    network.tensors.0.remove("n.theta");
    let error = run(&network, image().view()).unwrap_err();
    assert!(error.to_string().contains("n.theta"), "{error}");

    let mut network = integer_network();
    network.set_tensor("fc", "bias", vec![2], vec![i32::MAX, 0]);
    let error = run(&network, image().view()).unwrap_err();
    assert!(matches!(error, Error::Logit { class: 0, value: 2147483678, .. }), "{error}");
}

fn float_network(version: NeuronVersion) -> Network {
    let mut network = Network {
        name: "hand".into(),
        time_steps: 2,
        classes: 1,
        class_names: Default::default(),
        input: Input {
            channels: 1,
            height: 2,
            width: 2,
            frames: 1,
            zero_point: 1.0.into(),
            scale: 0.5.into(),
        },
        nodes: vec![
            node(
                "conv",
                &["input"],
                Op::Conv { out_channels: 2, kernel: 1, stride: 1, padding: 0, weights: WeightKind::Sign },
            ),
            node("bn", &["conv"], Op::BatchNorm { eps: 0.0 }),
            node("sum", &["bn", "conv"], Op::Add),
            node("n", &["sum"], Op::Neuron { version, eps: 0.0 }),
            node("pool", &["n"], Op::AvgPool { kernel: 2, stride: 2 }),
            node("gap", &["pool"], Op::GlobalAvgPool),
            node("fc", &["gap"], Op::Linear { out_features: 1 }),
        ],
        codes: None,
        tensors: Tensors::default(),
    };
    for (node, name, shape, values) in [
        ("conv", "weight", vec![2, 1, 1, 1], vec![0.0, -0.3]),
        ("bn", "gamma", vec![2], vec![1.0, -1.0]),
        ("bn", "bias", vec![2], vec![0.0, 1.0]),
        ("bn", "mean", vec![2, 2], vec![0.0, 0.0, 0.0, -1.0]),
        ("bn", "var", vec![2, 2], vec![1.0, 1.0, 0.25, 4.0]),
        ("n", "lambda", vec![2, 1], vec![1.0, 0.5]),
        ("n", "theta", vec![2, 2], vec![0.0, 0.5, 1.0, 0.0]),
        ("fc", "weight", vec![1, 2], vec![1.0, -2.0]),
        ("fc", "bias", vec![1], vec![0.5]),
    ] {
        // A parallel neuron has no leak.
        if name != "lambda" || version != NeuronVersion::III {
            network.set_tensor(node, name, shape, values);
        }
    }
    network
}

#[test]
fn float_network_by_hand() {
    let trace = float::run(&float_network(NeuronVersion::I), image().view()).unwrap();
    let of = |name: &str| trace.tensors[name].iter().copied().collect::<Vec<f64>>();
    assert_eq!(of("conv"), [-0.5, 0.0, 0.5, 1.0, 0.5, 0.0, -0.5, -1.0]);
    // Channel 0: x and 2x; channel 1: 1 - x and 1 - (x + 1) / 2.
    assert_eq!(of("bn")[..8], [-0.5, 0.0, 0.5, 1.0, 0.5, 1.0, 1.5, 2.0]);
    assert_eq!(of("bn")[8..], [-1.0, 0.0, 1.0, 2.0, 0.25, 0.5, 0.75, 1.0]);
    // Sums: -1, 0, 1, 2 | 1, 1, 1, 1 and -1.5, 0, 1.5, 3 | 0.75, 0.5, 0.25, 0.
    assert_eq!(of("n")[..8], [0.0, 0.0, 1.0, 2.0, 0.5, 0.5, 0.5, 0.5]);
    // Potentials: -1, 0, 0, 0 | 0.5 each.
    assert_eq!(of("n")[8..], [0.0, 0.0, 0.5, 2.0, 1.0, 0.75, 0.5, 0.25]);
    assert_eq!(of("gap"), [0.75, 0.5, 0.625, 0.625]);
    assert_eq!(trace.logits, [(0.75 - 1.0 + 0.5) + (0.625 - 1.25 + 0.5)]);
    let parallel = float::run(&float_network(NeuronVersion::III), image().view()).unwrap();
    assert_eq!(parallel.tensors["n"][[1, 1, 0, 0]], 0.75);
    assert_eq!(parallel.class(), 0);
}

#[test]
fn float_batch_and_bad_input() {
    let network = float_network(NeuronVersion::I);
    let images = Array5::from_elem((3, 1, 1, 2, 2), 9);
    assert_eq!(float::classify(&network, images.view()).unwrap(), [0, 0, 0]);
    let error = float::run(&network, Array4::zeros((1, 1, 2, 3)).view()).unwrap_err();
    assert!(matches!(error, Error::Input { .. }));
}
