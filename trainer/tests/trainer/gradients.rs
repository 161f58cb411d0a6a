//! Every hand-derived gradient against central finite differences in double precision.
//!
//! Sign weights and the detached potential have no derivative to compare with: sign convolutions are
//! checked as float convolutions of the signs, and online learning against differences that hold the
//! potentials of earlier steps still, which for a single step is every difference.

use approx::{abs_diff_eq, assert_abs_diff_eq};
use empf_ir::{INPUT, Input, Network, NeuronVersion, Node, Op, Tensors, WeightKind, Window};
use empf_trainer::layers::conv::Conv;
use empf_trainer::layers::seca::{Attention, Seca};
use empf_trainer::{Extents, Frames, Learning, Model, Steps, Tensor};
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
        class_names: Default::default(),
        input: Input { channels: 2, height: 7, width: 6, frames, zero_point: 0.0.into(), scale: 1.0.into() },
        nodes: nodes.into_iter().map(node).collect(),
        codes: None,
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
    check_nodes(network, layer_wide, learning, &|_| true);
}

/// As [`check`], of the nodes that are `chosen` by their names.
fn check_nodes(network: &Network, layer_wide: bool, learning: Learning, chosen: &dyn Fn(&str) -> bool) {
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
    for (p, name) in names.iter().enumerate().filter(|(_, name)| chosen(name)) {
        for (i, gradient) in grads[p].iter().enumerate() {
            let mut loss_at = |delta: f64| {
                model.params_mut().nth(p).unwrap().value[i] += delta;
                let loss = model.train_batch(frames, &labels, learning).unwrap().loss;
                model.params_mut().nth(p).unwrap().value[i] -= delta;
                loss
            };
            let quotient = (loss_at(STEP) - loss_at(-STEP)) / (2.0 * STEP);
            let close = abs_diff_eq!(*gradient, quotient, epsilon = BOUND);
            assert!(close, "{name}[{i}]: gradient {gradient}, quotient {quotient}");
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

#[test]
fn maximum_pooling() {
    for (kernel, stride, padding) in [(2, 2, 0), (3, 2, 1), (3, 1, 2), (2, 3, 1)] {
        let nodes = vec![
            ("conv", &[INPUT][..], conv(3, 3, 1, 1)),
            ("pool", &["conv"], Op::MaxPool { kernel, stride, padding }),
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
        check(&network, false, Learning::Random(Steps::of([1])));
        check(&network, false, Learning::Random(Steps::of([2, 0])));
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

/// Upstream of the signs there is nothing to compare with.
#[test]
fn channel_attention_in_a_network() {
    let nodes = vec![
        ("conv1", &[INPUT][..], conv(5, 3, 1, 1)),
        ("bn1", &["conv1"], Op::BatchNorm { eps: 1e-5 }),
        ("conv2", &["bn1"], conv(5, 3, 1, 1)),
        ("bn2", &["conv2"], Op::BatchNorm { eps: 1e-5 }),
        ("sum", &["bn1", "bn2"], Op::Add),
        ("seca", &["sum"], Op::Seca { kernel: 3 }),
        ("neuron", &["seca"], neuron(NeuronVersion::II)),
        ("gap", &["neuron"], Op::GlobalAvgPool),
        ("fc", &["gap"], Op::Linear { out_features: 3 }),
    ];
    let after = |name: &str| ["seca", "neuron", "fc"].iter().any(|node| name.starts_with(node));
    check_nodes(&network(2, 2, nodes), false, Learning::ThroughTime, &after);
}

/// Channel attention one element at a time, with the signs that `sign(image, channel, mean)` gives.
fn attention(x: &Tensor<f64>, weight: &[f64], sign: &dyn Fn(usize, usize, f64) -> f64) -> Vec<f64> {
    let (e, half) = (x.extents, weight.len() / 2);
    let mean = |i: usize, c: usize| {
        let positions = (0..e.positions()).map(|p| x.data[i * e.image() + p * e.channels + c]);
        positions.sum::<f64>() / e.positions() as f64
    };
    let score = |i: usize, c: usize| {
        let taps = weight.iter().enumerate().filter(|(k, _)| (half..e.channels + half).contains(&(c + k)));
        let sum: f64 = taps.map(|(k, w)| w * sign(i, c + k - half, mean(i, c + k - half))).sum();
        1.0 / (1.0 + (-sum).exp())
    };
    (0..x.data.len()).map(|at| x.data[at] * score(at / e.image(), at % e.channels)).collect()
}

/// Around the present maps a sign grows as its mean does where the mean is within -1..=1, and is constant
/// elsewhere: the gradient is held to differences of this.
#[test]
fn channel_attention_passes_the_clipped_gradient_of_its_signs() {
    let mut rng = Pcg64::seed_from_u64(11);
    for (kernel, channels) in [(3, 5), (5, 4), (7, 9), (7, 2)] {
        let extents = Extents { images: 3, height: 3, width: 2, channels };
        let offsets: Vec<f64> = (0..3 * channels).map(|_| rng.random_range(-2.5..2.5)).collect();
        let value = |at: usize| offsets[at / extents.image() * channels + at % channels];
        let data = (0..extents.elements()).map(|at| value(at) + rng.random_range(-1.0..1.0)).collect();
        let x = Tensor { extents, data };
        let mut seca = Seca::<f64>::new(kernel, |_| rng.random_range(-1.0..1.0));
        let upstream: Vec<f64> = (0..extents.elements()).map(|_| rng.random_range(-1.0..1.0)).collect();
        let upstream = Tensor { extents, data: upstream };

        let (mut kept, mut y, mut grad) = (Attention::default(), Tensor::default(), Tensor::default());
        seca.forward(&x, &mut kept, &mut y);
        seca.backward(&kept, &x, &upstream, &mut grad, false);
        let hard = |_: usize, _: usize, mean: f64| if mean >= 0.0 { 1.0 } else { -1.0 };
        for (y, expected) in y.data.iter().zip(attention(&x, &seca.weight.value, &hard)) {
            assert_abs_diff_eq!(*y, expected, epsilon = 1e-12);
        }

        let means = std::cell::RefCell::new(vec![0.0; 3 * channels]);
        attention(&x, &seca.weight.value, &|i, c, mean| {
            means.borrow_mut()[i * channels + c] = mean;
            0.0
        });
        let means = means.into_inner();
        assert!(means.iter().any(|m| m.abs() < 1.0) && means.iter().any(|m| m.abs() > 1.0));
        let soft = |i: usize, c: usize, mean: f64| {
            let present = means[i * channels + c];
            hard(i, c, present) + if present.abs() <= 1.0 { mean - present } else { 0.0 }
        };
        let loss = |x: &Tensor<f64>, weight: &[f64]| -> f64 {
            attention(x, weight, &soft).iter().zip(&upstream.data).map(|(y, g)| y * g).sum()
        };
        let quotient = |change: &dyn Fn(f64) -> f64| (change(STEP) - change(-STEP)) / (2.0 * STEP);
        for (i, gradient) in grad.data.iter().enumerate() {
            let changed = |delta: f64| {
                let mut x = x.clone();
                x.data[i] += delta;
                loss(&x, &seca.weight.value)
            };
            let close = abs_diff_eq!(*gradient, quotient(&changed), epsilon = BOUND);
            assert!(close, "element {i} with kernel {kernel}");
        }
        for (k, gradient) in seca.weight.grad.iter().enumerate() {
            let changed = |delta: f64| {
                let mut weight = seca.weight.value.clone();
                weight[k] += delta;
                loss(&x, &weight)
            };
            let close = abs_diff_eq!(*gradient, quotient(&changed), epsilon = BOUND);
            assert!(close, "weight {k} with kernel {kernel}");
        }
    }
}
