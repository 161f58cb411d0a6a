//! Every hand-derived gradient against central finite differences in double precision.
//!
//! Sign weights and the detached potential have no derivative to compare with: sign convolutions are
//! checked as float convolutions of the signs, and online learning against differences that hold the
//! potentials of earlier steps still, which for a single step is every difference.

use empf_ir::{INPUT, Input, Network, NeuronVersion, Node, Op, Tensors, WeightKind};
use empf_trainer::conv::{Conv, Window};
use empf_trainer::{Extents, Frames, Learning, Model, Tensor};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64;

const STEP: f64 = 1e-5;
const BOUND: f64 = 1e-6;

fn network(time_steps: usize, frames: usize, nodes: Vec<(&str, &[&str], Op)>) -> Network {
    let node = |(name, inputs, op): (&str, &[&str], Op)| Node {
        name: name.into(),
        inputs: inputs.iter().map(|i| i.to_string()).collect(),
        op,
    };
    Network {
        name: "gradients".into(),
        time_steps,
        classes: 3,
        input: Input { channels: 2, height: 7, width: 6, frames, zero_point: 0, scale: 1.0 },
        nodes: nodes.into_iter().map(node).collect(),
        tensors: Tensors::default(),
    }
}

fn conv(out_channels: usize, kernel: usize, stride: usize, padding: usize) -> Op {
    Op::Conv { out_channels, kernel, stride, padding, weights: WeightKind::Float }
}

fn neuron(version: NeuronVersion) -> Op {
    Op::Neuron { version, eps: 1e-5 }
}

fn images(rng: &mut Pcg64) -> Tensor<f64> {
    let extents = Extents { images: 4, height: 7, width: 6, channels: 2 };
    Tensor { extents, data: (0..extents.elements()).map(|_| rng.random_range(-1.0..1.0)).collect() }
}

/// Draws every parameter, then compares each gradient with the difference quotient of the loss.
fn check(network: &Network, layer_wide: bool, learning: Learning) {
    let mut rng = Pcg64::seed_from_u64(7);
    let mut model = Model::<f64>::new(network, 1, layer_wide).unwrap();
    for param in model.params_mut() {
        param.value.iter_mut().for_each(|v| *v += rng.random_range(-0.3..0.3));
    }
    let frames: Vec<Tensor<f64>> = (0..network.time_steps).map(|_| images(&mut rng)).collect();
    let frames = match network.input.frames {
        1 => Frames::Static(&frames[0]),
        _ => Frames::PerStep(&frames),
    };
    let labels = [0, 2, 1, 2];
    model.train_batch(frames, &labels, learning).unwrap();
    let grads: Vec<Vec<f64>> = model.params().iter().map(|(_, p)| p.grad.clone()).collect();
    let names: Vec<String> = model.params().iter().map(|(name, _)| name.clone()).collect();
    for (p, name) in names.iter().enumerate() {
        for (i, gradient) in grads[p].iter().enumerate() {
            let mut loss_at = |delta: f64| {
                model.params_mut().nth(p).unwrap().value[i] += delta;
                let loss = model.train_batch(frames, &labels, learning).unwrap().loss;
                model.params_mut().nth(p).unwrap().value[i] -= delta;
                loss
            };
            let quotient = (loss_at(STEP) - loss_at(-STEP)) / (2.0 * STEP);
            let error = (gradient - quotient).abs();
            assert!(error < BOUND, "{name}[{i}]: gradient {gradient}, quotient {quotient}");
        }
    }
}

#[test]
fn convolution_normalisation_and_classifier() {
    for (kernel, stride, padding) in [(1, 1, 0), (3, 1, 1), (3, 2, 1), (2, 2, 0), (5, 1, 2), (4, 3, 2)] {
        let nodes = vec![
            ("conv", &[INPUT][..], conv(3, kernel, stride, padding)),
            ("bn", &["conv"], Op::BatchNorm { eps: 1e-5 }),
            ("conv2", &["bn"], conv(2, 1, 1, 0)),
            ("fc", &["conv2"], Op::Linear { out_features: 3 }),
        ];
        check(&network(1, 1, nodes), false, Learning::Online);
    }
}

#[test]
fn pooling() {
    for (kernel, stride) in [(2, 2), (3, 1), (2, 3)] {
        let nodes = vec![
            ("conv", &[INPUT][..], conv(3, 3, 1, 1)),
            ("pool", &["conv"], Op::AvgPool { kernel, stride }),
            ("conv2", &["pool"], conv(4, 1, 1, 0)),
            ("gap", &["conv2"], Op::GlobalAvgPool),
            ("fc", &["gap"], Op::Linear { out_features: 3 }),
        ];
        check(&network(1, 1, nodes), false, Learning::Online);
    }
}

fn two_layers(
    first: NeuronVersion,
    second: NeuronVersion,
) -> Vec<(&'static str, &'static [&'static str], Op)> {
    vec![
        ("conv1", &[INPUT][..], conv(3, 3, 1, 1)),
        ("bn1", &["conv1"], Op::BatchNorm { eps: 1e-5 }),
        ("neuron1", &["bn1"], neuron(first)),
        ("conv2", &["neuron1"], conv(3, 3, 2, 1)),
        ("bn2", &["conv2"], Op::BatchNorm { eps: 1e-5 }),
        ("neuron2", &["bn2"], neuron(second)),
        ("gap", &["neuron2"], Op::GlobalAvgPool),
        ("fc", &["gap"], Op::Linear { out_features: 3 }),
    ]
}

#[test]
fn neurons_of_one_step() {
    use NeuronVersion::{I, II, III};
    for (first, second) in [(I, III), (III, I), (II, II)] {
        check(&network(1, 1, two_layers(first, second)), false, Learning::Online);
        check(&network(1, 1, two_layers(first, second)), true, Learning::Online);
    }
}

#[test]
fn parallel_neurons_over_time() {
    use NeuronVersion::III;
    for frames in [1, 3] {
        let network = network(3, frames, two_layers(III, III));
        check(&network, false, Learning::Online);
        check(&network, false, Learning::RandomStep(1));
        check(&network, false, Learning::ThroughTime);
    }
}

#[test]
fn potentials_through_time() {
    use NeuronVersion::{I, II, III};
    for (frames, layer_wide) in [(1, false), (3, true)] {
        check(&network(3, frames, two_layers(I, I)), layer_wide, Learning::ThroughTime);
        check(&network(3, frames, two_layers(III, I)), layer_wide, Learning::ThroughTime);
        check(&network(3, frames, two_layers(II, II)), layer_wide, Learning::ThroughTime);
    }
}

#[test]
fn results_with_several_readers() {
    let nodes = vec![
        ("conv1", &[INPUT][..], conv(3, 3, 1, 1)),
        ("bn1", &["conv1"], Op::BatchNorm { eps: 1e-5 }),
        ("neuron1", &["bn1"], neuron(NeuronVersion::I)),
        ("conv2", &["neuron1"], conv(3, 3, 1, 1)),
        ("bn2", &["conv2"], Op::BatchNorm { eps: 1e-5 }),
        ("shortcut", &["neuron1"], conv(3, 1, 1, 0)),
        ("sum", &["bn2", "shortcut"], Op::Add),
        ("neuron2", &["sum"], neuron(NeuronVersion::III)),
        ("gap", &["neuron2"], Op::GlobalAvgPool),
        ("fc", &["gap"], Op::Linear { out_features: 3 }),
    ];
    check(&network(2, 2, nodes), false, Learning::ThroughTime);
}

#[test]
fn sign_weights_pass_the_gradient_of_their_signs_where_not_clipped() {
    let mut rng = Pcg64::seed_from_u64(3);
    let x = images(&mut rng);
    let weights: Vec<f64> =
        (0..3 * 2 * 9).map(|i| if i == 5 { 0.0 } else { rng.random_range(-2.0..2.0) }).collect();
    let sign = |w: f64| if w >= 0.0 { 1.0 } else { -1.0 };
    let window = Window { kernel: 3, stride: 2, padding: 1 };
    let run = |kind, value: &dyn Fn(usize) -> f64| {
        let mut conv = Conv::<f64>::new(2, 3, window, kind, value);
        let (mut y, mut grad) = (Tensor::default(), Tensor::default());
        conv.prepare();
        conv.forward(&x, &mut y);
        let upstream = Tensor { data: y.data.iter().map(|y| y.sin()).collect(), extents: y.extents };
        conv.backward(&x, &upstream, Some((&mut grad, false)));
        (y, grad, conv.weight.public(&conv.weight.grad))
    };
    let (y, grad, mut expected) = run(WeightKind::Float, &|i| sign(weights[i]));
    let (y_sign, grad_sign, got) = run(WeightKind::Sign, &|i| weights[i]);
    assert_eq!((y, grad), (y_sign, grad_sign));
    expected.iter_mut().zip(&weights).filter(|(_, w)| w.abs() > 1.0).for_each(|(g, _)| *g = 0.0);
    assert_eq!(got, expected);
    assert!(got.contains(&0.0) && got.iter().any(|g| *g != 0.0));
}
