//! The paper's networks, narrow: trained a little, made integers, and run on the engines that have all of their
//! operators.

use empf_compiler::{Compilation, Pass, estimate};
use empf_data::{Augment, Dataset};
use empf_integer::IntegerModel;
use empf_ir::{ArchConfig, Input, Network, Op, QuantNetwork, QuantOp, Shape};
use empf_sim::cost::Cost;
use empf_tests::run_network;
use empf_trainer::presets::{Target, preset, settings};
use empf_trainer::runs::train::{Rule, Task, TrainConfig, train};
use ndarray::Axis;
use rand::prelude::*;
use rand_pcg::Pcg64Mcg;

const CLASSES: usize = 3;
const STEPS: usize = 2;

/// Stripes whose direction is the class, under noise.
fn images(count: usize, side: usize) -> Dataset {
    let mut rng = Pcg64Mcg::seed_from_u64(side as u64);
    let labels: Vec<u16> = (0..count).map(|i| (i % CLASSES) as u16).collect();
    let pixel = |label: u16, y: usize, x: usize| [y, x, x + y][usize::from(label)] / 3 % 2 * 120;
    let pixels = (labels.iter())
        .flat_map(|label| (0..3 * side * side).map(move |i| pixel(*label, i / side % side, i % side)))
        .map(|value| value as u8 + rng.random_range(0..130))
        .collect();
    Dataset {
        frames: 1,
        channels: 3,
        height: side,
        width: side,
        classes: CLASSES,
        class_names: Default::default(),
        pixels,
        labels,
    }
}

/// The network called `name` after a few batches, with membrane normalisations that do something.
fn trained(name: &str, width: f64, data: &Dataset) -> Network {
    let shape = Shape::new(data.channels, data.height, data.width);
    let Shape { channels, height, width: columns } = shape;
    let input = Input {
        channels,
        height,
        width: columns,
        frames: 1,
        zero_point: 120.0.into(),
        scale: (1.0 / 70.0).into(),
    };
    let graph = preset(name, &Target { input, classes: CLASSES, time_steps: STEPS, width }).unwrap();
    let config = TrainConfig {
        epochs: 3,
        batch_size: 6,
        rate: 0.05,
        rule: Rule::Online,
        augment: Augment::default(),
        seed: 3,
        ..settings(name)
    };
    let task = Task { network: &graph, train: data, test: None, config: &config, checkpoint: None };
    let mut network = train(task, &mut ()).unwrap().to_network();
    let mut rng = Pcg64Mcg::seed_from_u64(7);
    for (_, tensor) in network.tensors.0.iter_mut().filter(|(tensor, _)| tensor.ends_with(".beta")) {
        let elements = tensor.shape.iter().product();
        let values = (0..elements).map(|_| rng.random_range(-1.5..1.0f32)).collect();
        *tensor = empf_ir::Tensor::f32(tensor.shape.clone(), values);
    }
    network
}

fn integers(network: &Network, data: &Dataset) -> QuantNetwork {
    let arch = ArchConfig::sized(16, 16, 8);
    let images = data.codes(data.len()).unwrap();
    let mut compilation = Compilation::of_network(network, images.view(), &arch);
    compilation.run(Pass::Quantize, |_, _| Ok(())).unwrap();
    let quantized = compilation.quantized(Pass::Quantize).unwrap().clone();
    compilation.pass(Pass::Lower).unwrap();
    quantized
}

/// The schedule of a network that is in hardware is exact too, and it costs what was estimated without weights.
fn schedule_agrees((float, network): &(Network, QuantNetwork), side: usize) {
    let arch = ArchConfig {
        activation_depth: 1 << 17,
        weight_depth: 1 << 17,
        parameter_depth: 1 << 17,
        input_depth: 1 << 16,
        schedule_depth: 1 << 13,
        ..ArchConfig::sized(16, 16, 8)
    };
    let program = empf_compiler::lower(network, &arch).unwrap();
    let data = images(1, side).codes(1).unwrap();
    let input = empf_sim::interleaved(data.index_axis(Axis(0), 0));
    let outcome = run_network(network, &program, &[input]).unwrap();
    assert!(outcome.elements > 0 && outcome.cycles > 0);
    let graph = Network { tensors: Default::default(), ..float.clone() };
    for arch in [arch.clone(), ArchConfig { weight_depth: 16, activation_depth: 16, ..arch }] {
        let estimated = estimate(&graph, &arch).unwrap();
        assert_eq!(estimated.memory, program.memory);
        assert_eq!(estimated.placements, program.placements);
        let cost = Cost::of_steps(&estimated.steps, &estimated.placements, &estimated.arch);
        assert_eq!(format!("{cost:?}"), format!("{:?}", Cost::of(&program)));
    }
}

fn count(network: &QuantNetwork, wanted: impl Fn(&QuantOp) -> bool) -> usize {
    network.nodes.iter().filter(|node| wanted(&node.op)).count()
}

/// Every tensor of the trainer's integer forward is the golden model's.
fn engines_agree(name: &str, width: f64, side: usize) -> (Network, QuantNetwork) {
    let data = images(12, side);
    let network = trained(name, width, &data);
    let quantized = integers(&network, &data);
    let model = IntegerModel::new(&quantized).unwrap();
    for image in data.codes(3).unwrap().axis_iter(Axis(0)) {
        let expected = empf_golden::run(&quantized, image).unwrap();
        assert_eq!(model.run(image).unwrap(), expected, "{name}");
        let silent = |node: &str| expected.tensors[node].iter().all(|code| *code == 0);
        let neurons = network.nodes.iter().filter(|node| matches!(node.op, Op::Neuron { .. }));
        assert!(
            neurons.clone().filter(|node| silent(&node.name)).count() * 4 < neurons.count(),
            "{name} is silent"
        );
    }
    (network, quantized)
}

#[test]
fn residual_networks() {
    for name in ["resnet18", "resnet18-vanilla", "resnet18-parallel"] {
        let networks = engines_agree(name, 0.125, 32);
        schedule_agrees(&networks, 32);
        let network = networks.1;
        assert_eq!(count(&network, |op| *op == QuantOp::Add), 8);
        assert_eq!(count(&network, |op| matches!(op, QuantOp::Widen { .. })), 5);
    }
}

#[test]
fn the_stem_of_large_images() {
    let networks = engines_agree("resnet18", 0.125, 112);
    schedule_agrees(&networks, 112);
    let network = networks.1;
    assert_eq!(count(&network, |op| matches!(op, QuantOp::MaxPool { kernel: 3, stride: 2, padding: 1 })), 1);
}

#[test]
fn attention() {
    for (name, attentions, scalings) in
        [("resnet18-seca1", 16, 5), ("resnet18-seca2", 16, 5), ("vgg13-seca1", 10, 0)]
    {
        let networks = engines_agree(name, 0.125, 32);
        schedule_agrees(&networks, 32);
        let network = networks.1;
        assert_eq!(count(&network, |op| matches!(op, QuantOp::Seca { kernel: 5, .. })), attentions, "{name}");
        // The gain of a membrane normalisation behind an addition goes into its shortcut too.
        assert_eq!(count(&network, |op| matches!(op, QuantOp::Scale { .. })), scalings, "{name}");
    }
}
