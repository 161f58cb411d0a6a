//! Batches on the GPU are those of the processor.
//!
//! Needs a GPU: `cargo test -p empf-trainer --features cuda --test cuda`.

use approx::{abs_diff_eq, relative_eq};
use empf_ir::{INPUT, Input, Network, NeuronVersion, Node, Op, Tensors, WeightKind};
use empf_trainer::layers::conv::Precision;
use empf_trainer::presets::{PRESETS, Target, preset};
use empf_trainer::{Device, Extents, Float, Frames, Learning, Model, Steps, Tensor};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64Mcg;

const CLASSES: usize = 10;
const IMAGES: usize = 3;

fn rules() -> [(&'static str, Learning); 3] {
    let random = Learning::Random(Steps::of([1]));
    [("online", Learning::Online), ("random", random), ("through time", Learning::ThroughTime)]
}

/// What a batch, and then the judgement of another one, leave.
#[derive(Debug, PartialEq)]
struct Left<F> {
    loss: f64,
    tensors: Vec<(String, Vec<F>)>,
}

/// A model with parameters away from their usual start, so that every one of them matters, and with weights beyond
/// 1, whose gradient is clipped.
fn model<F: Float>(network: &Network, layer_wide: bool, device: Device) -> Model<F> {
    let mut model = Model::new(network, 1, layer_wide).unwrap();
    let mut rng = Pcg64Mcg::seed_from_u64(4);
    for param in model.params_mut() {
        let scale = F::of(if param.decay { 6.0 } else { 1.0 });
        param.value.iter_mut().for_each(|v| *v = scale * *v + F::of(rng.random_range(-0.2..0.2)));
    }
    model.set_device(device).unwrap();
    model
}

fn frames<F: Float>(network: &Network, seed: u64) -> Vec<Tensor<F>> {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let Input { channels, height, width, frames, .. } = network.input;
    let extents = Extents { images: IMAGES, height, width, channels };
    let mut map = || (0..extents.elements()).map(|_| F::of(rng.random_range(-1.0..1.0))).collect();
    (0..frames).map(|_| Tensor { extents, data: map() }).collect()
}

/// Two batches of `rule` and a judgement, with spikes of `bits` bits from the second batch on.
fn run<F: Float>(
    network: &Network,
    layer_wide: bool,
    rule: Learning,
    bits: Option<u32>,
    device: Device,
) -> Left<F> {
    let mut model = model::<F>(network, layer_wide, device);
    if let Some(bits) = bits {
        model.round_to(bits).unwrap();
        model.observe_codes();
    }
    let labels: Vec<usize> = (0..IMAGES).collect();
    let mut tensors: Vec<(String, Vec<F>)> = vec![];
    let mut loss = 0.0;
    for batch in 0..2 {
        let outcome = model.train_batch(Frames::of(&frames(network, batch)), &labels, rule).unwrap();
        model.adopt_codes();
        loss += outcome.loss;
        let logits = outcome.logits.into_iter().enumerate();
        tensors.extend(logits.map(|(t, l)| (format!("logits of step {t}"), l.data)));
        tensors.extend(model.params().into_iter().map(|(name, p)| (format!("dL/d{name}"), p.grad.clone())));
    }
    tensors.extend(model.tensors().into_iter().map(|(name, _, values)| (name, values)));
    let judged = model.evaluate(Frames::of(&frames(network, 5))).unwrap();
    tensors.push(("judged logits".into(), judged.data));
    Left { loss, tensors }
}

fn assert_close(what: &str, gpu: &Left<f64>, cpu: &Left<f64>) {
    let close = relative_eq!(gpu.loss, cpu.loss, epsilon = 0.0, max_relative = 1e-10);
    assert!(close, "{what}: loss {} for {}", gpu.loss, cpu.loss);
    assert_eq!(gpu.tensors.len(), cpu.tensors.len());
    for ((name, gpu), (_, cpu)) in gpu.tensors.iter().zip(&cpu.tensors) {
        let scale = cpu.iter().fold(1e-6f64, |m, x| m.max(x.abs()));
        for (i, (g, c)) in gpu.iter().zip(cpu).enumerate() {
            let close = abs_diff_eq!(*g, *c, epsilon = 1e-9 * scale);
            assert!(close, "{what}: {name}[{i}] is {g}, expected {c}, scale {scale}");
        }
    }
}

fn check(what: &str, network: &Network, layer_wide: bool, rule: Learning, bits: Option<u32>) {
    let [gpu, cpu] = [Device::Cuda, Device::Cpu].map(|d| run::<f64>(network, layer_wide, rule, bits, d));
    assert_close(what, &gpu, &cpu);
}

fn named(name: &str, side: usize, frames: usize) -> Network {
    let input =
        Input { channels: 2, height: side, width: side, frames, zero_point: 0.0.into(), scale: 1.0.into() };
    let width = if side < 100 { 0.25 } else { 0.05 };
    preset(name, &Target { input, classes: CLASSES, time_steps: 2, width }).unwrap()
}

#[test]
fn all_networks_learn_as_on_the_processor() {
    for (i, name) in PRESETS.iter().enumerate() {
        let (rule_name, rule) = rules()[i % 3];
        let frames = if i % 2 == 0 { 1 } else { 2 };
        check(&format!("{name}, {rule_name}"), &named(name, 32, frames), false, rule, None);
    }
}

#[test]
fn all_rules_learn_as_on_the_processor() {
    for (rule_name, rule) in rules() {
        for name in ["vgg-small", "vgg-small-membrane", "vgg-small-seca2", "vgg-small-lif"] {
            check(&format!("{name}, {rule_name}"), &named(name, 12, 2), false, rule, None);
        }
    }
}

#[test]
fn layer_wide_parameters_and_codes_learn_as_on_the_processor() {
    for name in ["vgg-small", "vgg-small-membrane"] {
        check(name, &named(name, 12, 1), true, Learning::Online, Some(3));
    }
}

#[test]
fn large_windows_and_maximum_pooling_learn_as_on_the_processor() {
    check("resnet18", &named("resnet18-vanilla", 112, 1), false, Learning::Online, None);
}

fn node(name: &str, input: &str, op: Op) -> Node<Op> {
    Node { name: name.into(), inputs: vec![input.into()], op }
}

fn conv(out_channels: usize, kernel: usize, stride: usize, padding: usize, weights: WeightKind) -> Op {
    Op::Conv { out_channels, kernel, stride, padding, weights }
}

/// A network of `nodes` for three channels of `height` x `width` pixels.
fn network(time_steps: usize, height: usize, width: usize, nodes: Vec<Node<Op>>) -> Network {
    let input = Input { channels: 3, height, width, frames: 1, zero_point: 0.0.into(), scale: 1.0.into() };
    let (name, tensors) = ("test".into(), Tensors::default());
    Network {
        name,
        time_steps,
        classes: CLASSES,
        class_names: Default::default(),
        input,
        nodes,
        codes: None,
        tensors,
    }
}

#[test]
fn odd_maps_windows_and_borders_learn_as_on_the_processor() {
    let nodes = vec![
        node("conv1", INPUT, conv(35, 5, 2, 1, WeightKind::Float)),
        node("norm1", "conv1", Op::BatchNorm { eps: 1e-5 }),
        node("neuron1", "norm1", Op::Neuron { version: NeuronVersion::I, eps: 1e-5 }),
        node("conv2", "neuron1", conv(67, 2, 3, 1, WeightKind::Sign)),
        node("neuron2", "conv2", Op::Neuron { version: NeuronVersion::III, eps: 1e-5 }),
        node("maximum", "neuron2", Op::MaxPool { kernel: 3, stride: 2, padding: 1 }),
        node("average", "maximum", Op::AvgPool { kernel: 2, stride: 1 }),
        node("linear", "average", Op::Linear { out_features: CLASSES }),
    ];
    let network = network(3, 37, 23, nodes);
    check("odd", &network, false, Learning::Online, None);
    // Few codes: many windows hold their maximum twice.
    check("odd, 2 bits", &network, false, Learning::Online, Some(2));
}

/// Convolutions of all kinds without neurons, so that a small difference stays small.
fn smooth(weights: WeightKind) -> Network {
    let nodes = vec![
        node("conv1", INPUT, conv(36, 3, 1, 1, WeightKind::Float)),
        node("conv2", "conv1", conv(68, 3, 1, 1, weights)),
        node("norm2", "conv2", Op::BatchNorm { eps: 1e-5 }),
        node("conv3", "norm2", conv(132, 1, 2, 0, weights)),
        node("conv4", "conv3", conv(40, 3, 2, 1, weights)),
        node("linear", "conv4", Op::Linear { out_features: CLASSES }),
    ];
    network(1, 13, 15, nodes)
}

/// Logits and gradients of a batch, each with its name.
fn learned<F: Float>(network: &Network, precision: Precision, device: Device) -> Vec<(String, Vec<f64>)> {
    let mut model = model::<F>(network, false, device);
    model.set_precision(precision);
    let images = frames(network, 3);
    let outcome = model.train_batch(Frames::of(&images), &[0, 1, 2], Learning::Online).unwrap();
    let doubles = |values: &[F]| values.iter().map(|x| x.f64()).collect();
    let grads = model.params().into_iter().map(|(name, param)| (name, doubles(&param.grad)));
    grads.chain([("logits".to_owned(), doubles(&outcome.logits[0].data))]).collect()
}

/// Largest difference relative to the largest number, over all tensors.
fn distance(got: &[(String, Vec<f64>)], want: &[(String, Vec<f64>)]) -> f64 {
    let pairs = got.iter().zip(want);
    let distances = pairs.map(|((_, got), (_, want))| {
        let scale = want.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        got.iter().zip(want).fold(0.0, |m: f64, (g, w)| m.max((g - w).abs())) / scale
    });
    distances.fold(0.0, f64::max)
}

#[test]
fn tensor_cores_are_as_exact_as_f32_or_as_bf16() {
    for weights in [WeightKind::Sign, WeightKind::Float] {
        let network = smooth(weights);
        let exact = learned::<f64>(&network, Precision::Full, Device::Cpu);
        let cpu = distance(&learned::<f32>(&network, Precision::Full, Device::Cpu), &exact);
        let gpu = distance(&learned::<f32>(&network, Precision::Full, Device::Cuda), &exact);
        let rounded = distance(&learned::<f32>(&network, Precision::Bf16, Device::Cuda), &exact);
        println!("{weights:?}: f32 {cpu:.1e} on the processor, {gpu:.1e} on the GPU; bf16 {rounded:.1e}");
        assert!(gpu < 1e-5, "{weights:?}: {gpu:e}");
        assert!((1e-4..5e-2).contains(&rounded), "{weights:?}: {rounded:e}");
    }
}

#[test]
fn a_gpu_repeats_its_bits() {
    let network = named("vgg-small-seca1", 12, 1);
    let run = || run::<f32>(&network, false, Learning::Online, None, Device::Cuda);
    assert_eq!(run(), run());
}

#[test]
fn a_number_that_is_not_finite_is_found() {
    let network = named("vgg-small", 12, 1);
    let mut model = model::<f32>(&network, false, Device::Cuda);
    let mut images = frames::<f32>(&network, 1);
    images[0].data[0] = f32::NAN;
    model.train_batch(Frames::of(&images), &[0, 1, 2], Learning::Online).unwrap();
    assert_eq!(model.first_non_finite().as_deref(), Some(network.nodes[0].name.as_str()));
}
