//! Images a second of the integer forward, on all cores: `cargo bench -p empf-trainer --bench integer`.
//!
//! The network has the graph of the preset `vgg-small` for 28x28 images, and random numbers.

use empf_ir::{INPUT, Input, Node, Op, QuantInput, QuantNetwork, QuantOp, WeightKind};
use empf_trainer::integer::IntegerModel;
use empf_trainer::presets::{Target, preset};
use ndarray::Array5;
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64;
use std::time::Instant;

const IMAGES: usize = 1000;
const TIME_STEPS: usize = 4;

fn main() {
    let mut rng = Pcg64::seed_from_u64(1);
    let model = IntegerModel::new(&network(&mut rng)).expect("the network is valid");
    let images = Array5::from_shape_simple_fn((IMAGES, 1, 1, 28, 28), || rng.random());
    let start = Instant::now();
    let classes = model.classify(images.view()).expect("the images fit");
    let seconds = start.elapsed().as_secs_f64();
    println!("{} images in {seconds:.2} s: {:.0} images/s", classes.len(), IMAGES as f64 / seconds);
}

/// `vgg-small` without its normalisations, with spikes of 8 bits that are neither all silent nor all full.
fn network(rng: &mut Pcg64) -> QuantNetwork {
    let input = Input { channels: 1, height: 28, width: 28, frames: 1, zero_point: 0, scale: 1.0 };
    let target = Target { input, classes: 10, time_steps: TIME_STEPS, width: 1.0 };
    let graph = preset("vgg-small", &target).expect("the preset exists");
    let shapes = graph.shapes().expect("its shapes fit");
    let mut network = QuantNetwork {
        name: graph.name.clone(),
        time_steps: TIME_STEPS,
        classes: 10,
        act_bits: 8,
        membrane_bits: 16,
        input: QuantInput { channels: 1, height: 28, width: 28, frames: 1 },
        nodes: vec![],
        scales: Default::default(),
        tensors: Default::default(),
    };
    let mut last = INPUT.to_string();
    for node in &graph.nodes {
        let x = graph.shape_of(&node.inputs[0], &shapes);
        let name = node.name.as_str();
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
                let weights = if x.channels == 1 { WeightKind::Float } else { weights };
                QuantOp::Conv { out_channels, kernel, stride, padding, weights, zero_point: 0, shift: 12 }
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
            Op::BatchNorm { .. } => continue,
            ref other => panic!("{other:?} is not part of vgg-small"),
        };
        network.nodes.push(Node { name: name.into(), inputs: vec![last], op });
        last = name.into();
    }
    network
}
