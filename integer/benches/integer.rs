//! Images a second of the integer forward, on all cores: `cargo bench -p empf-integer --bench integer`.
//!
//! The networks have the graphs of presets, `vgg-small` for 28x28 images and `resnet18` for 32x32, and random
//! numbers.

use empf_integer::IntegerModel;
use empf_ir::{INPUT, Input, Node, Op, QuantInput, QuantNetwork, QuantOp, Shape, WeightKind};
use empf_trainer::presets::{Target, preset};
use ndarray::Array5;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64;
use std::collections::HashMap;
use std::time::Instant;

const TIME_STEPS: usize = 4;

fn main() {
    measure("vgg-small", Shape::new(1, 28, 28), 1000);
    measure("resnet18", Shape::new(3, 32, 32), 60);
}

/// Prints how long `images` images of `shape` take.
fn measure(name: &str, shape: Shape, images: usize) {
    let mut rng = Pcg64::seed_from_u64(1);
    let model = IntegerModel::new(&network(name, shape, &mut rng)).expect("the network is valid");
    let Shape { channels, height, width } = shape;
    let batch = Array5::from_shape_simple_fn((images, 1, channels, height, width), || rng.random());
    let start = Instant::now();
    let classes = model.classify(batch.view()).expect("the images fit");
    let seconds = start.elapsed().as_secs_f64();
    println!("{name}: {} images in {seconds:.2} s: {:.1} images/s", classes.len(), images as f64 / seconds);
}

/// The preset called `name` without its normalisations, with spikes of 8 bits that are neither all silent nor
/// all full.
fn network(name: &str, shape: Shape, rng: &mut Pcg64) -> QuantNetwork {
    let Shape { channels, height, width } = shape;
    let input = Input { channels, height, width, frames: 1, zero_point: 0.0.into(), scale: 1.0.into() };
    let target = Target { input, classes: 10, time_steps: TIME_STEPS, width: 1.0 };
    let graph = preset(name, &target).expect("the preset exists");
    let shapes = graph.shapes().expect("its shapes fit");
    let mut network = QuantNetwork {
        name: graph.name.clone(),
        time_steps: TIME_STEPS,
        classes: 10,
        class_names: Default::default(),
        act_bits: 8,
        membrane_bits: 16,
        input: QuantInput { channels, height, width, frames: 1 },
        nodes: vec![],
        scales: Default::default(),
        tensors: Default::default(),
    };
    // Who gives what a node of the preset gives.
    let mut given = HashMap::from([(INPUT.to_owned(), INPUT.to_owned())]);
    for node in &graph.nodes {
        let x = graph.shape_of(&node.inputs[0], &shapes);
        let name = node.name.as_str();
        let mut inputs: Vec<String> = node.inputs.iter().map(|name| given[name].clone()).collect();
        given.insert(name.into(), name.into());
        let mut set = |tensor, shape: Vec<usize>, mut value: Box<dyn FnMut() -> i32 + '_>| {
            let count = shape.iter().product();
            network.set_tensor(name, tensor, shape, (0..count).map(|_| value()).collect());
        };
        let op = match node.op {
            Op::Conv { out_channels, kernel, stride, padding, weights } => {
                let shape = vec![out_channels, x.channels, kernel, kernel];
                let step = vec![TIME_STEPS, out_channels];
                set("weight", shape, Box::new(|| if rng.random() { 1 } else { -1 }));
                set("mantissa", step.clone(), Box::new(|| 1 << 12));
                set("bias", step, Box::new(|| 0));
                let weights = if node.inputs[0] == INPUT { WeightKind::Float } else { weights };
                QuantOp::Conv {
                    out_channels,
                    kernel,
                    stride,
                    padding,
                    weights,
                    zero_point: 0.into(),
                    shift: 12,
                }
            }
            Op::Neuron { version, .. } => {
                let parallel = version == empf_ir::NeuronVersion::III;
                let step = vec![TIME_STEPS, x.channels];
                set("lambda", step.clone(), Box::new(|| if parallel { 0 } else { 1 << 11 }));
                set("theta", step.clone(), Box::new(|| 200));
                set("offset", step, Box::new(|| 0));
                QuantOp::Neuron { parallel, shift: 3 }
            }
            Op::AvgPool { kernel, stride } => {
                QuantOp::AvgPool { kernel: [kernel; 2], stride: [stride; 2], shift: 2 }
            }
            Op::GlobalAvgPool => {
                let window = [x.height, x.width];
                QuantOp::AvgPool { kernel: window, stride: window, shift: 6 }
            }
            Op::Linear { out_features } => {
                let shape = vec![out_features, x.elements()];
                set("weight", shape, Box::new(|| 2 * rng.random_range(-128..128) + 1));
                set("bias", vec![out_features], Box::new(|| 0));
                QuantOp::Linear { out_features }
            }
            Op::Add => {
                let is_spikes = |input: &&mut String| input.starts_with("neuron");
                for input in inputs.iter_mut().filter(is_spikes) {
                    let spikes = std::mem::replace(input, format!("{name}/wide"));
                    let op = QuantOp::Widen { shift: 3 };
                    network.nodes.push(Node { name: input.clone(), inputs: vec![spikes], op });
                }
                QuantOp::Add
            }
            Op::BatchNorm { .. } => {
                given.insert(name.into(), inputs.remove(0));
                continue;
            }
            ref other => panic!("{other:?} is not part of {}", graph.name),
        };
        network.nodes.push(Node { name: name.into(), inputs, op });
    }
    network
}
