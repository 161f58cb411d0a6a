//! What the front half keeps of a trained network, and what it refuses.

use crate::networks::Random;
use crate::rounding::{self, Bounded};
use approx::{abs_diff_eq, assert_relative_eq};
use empf_compiler::passes::calibrate::calibrate;
use empf_compiler::passes::fold_bn::fold_bn;
use empf_compiler::passes::quantize::quantize;
use empf_compiler::passes::reparameterize::reparameterize;
use empf_compiler::passes::resolve::resolve;
use empf_compiler::{Compilation, Error, Pass, compile};
use empf_ir::{
    ArchConfig, Codes, INPUT, Input, Network, NeuronVersion, Node, Op, PerChannel, QuantNetwork, QuantOp,
    Tensors, WeightKind,
};
use ndarray::{Array5, Axis};
use proptest::prelude::*;

pub(crate) const STEPS: usize = 3;
pub(crate) const CLASSES: usize = 5;

struct Builder<'r> {
    network: Network,
    r: &'r mut Random,
    channels: usize,
}

impl Builder<'_> {
    fn real(&mut self, low: f64, high: f64) -> f32 {
        (low + (high - low) * self.r.range(0, 1 << 20) as f64 / f64::from(1 << 20)) as f32
    }

    fn push(&mut self, name: &str, op: Op) {
        let last = self.network.nodes.last().map_or(INPUT.to_owned(), |n| n.name.clone());
        self.network.nodes.push(Node { name: name.into(), inputs: vec![last], op });
    }

    fn tensor(&mut self, node: &str, name: &str, shape: &[usize], (low, high): (f64, f64)) {
        let values = (0..shape.iter().product()).map(|_| self.real(low, high)).collect();
        self.network.set_tensor(node, name, shape.to_vec(), values);
    }

    /// Convolution, normalisation (of either sign) and neuron, named by `index`.
    fn block(&mut self, index: usize, out_channels: usize, weights: WeightKind, version: NeuronVersion) {
        let [conv, bn, neuron] = ["conv", "bn", "neuron"].map(|kind| format!("{kind}{index}"));
        self.push(&conv, Op::Conv { out_channels, kernel: 3, stride: 1, padding: 1, weights });
        self.tensor(&conv, "weight", &[out_channels, self.channels, 3, 3], (-0.5, 0.5));
        self.push(&bn, Op::BatchNorm { eps: 1e-5 });
        let spread = (9.0 * self.channels as f64).sqrt();
        self.tensor(&bn, "gamma", &[out_channels], (-1.5, 1.5));
        self.tensor(&bn, "bias", &[out_channels], (-0.3, 0.8));
        self.tensor(&bn, "mean", &[STEPS, out_channels], (-0.2, 0.2));
        self.tensor(&bn, "var", &[STEPS, out_channels], (0.1 * spread, 0.5 * spread));
        self.push(&neuron, Op::Neuron { version, eps: 1e-5 });
        for name in empf_ir::network::neuron_tensors(version) {
            let columns = if index == 1 { 1 } else { out_channels };
            let range = match *name {
                "lambda" => (0.2, 1.1),
                "alpha" | "gamma" | "var" => (0.5, 1.5),
                _ => (-0.4, 0.4),
            };
            self.tensor(&neuron, name, &[STEPS, columns], range);
        }
        self.channels = out_channels;
    }
}

/// Two blocks around a pool, with a neuron of `version` in the second.
pub(crate) fn network(seed: u64, version: NeuronVersion) -> Network {
    let mut r = Random::new(seed);
    let input = Input {
        channels: 2,
        height: 6,
        width: 6,
        frames: if r.range(0, 1) == 0 { 1 } else { STEPS },
        zero_point: (r.range(0, 255) as f32).into(),
        scale: (1.0 / 64.0).into(),
    };
    let network = Network {
        name: "random".into(),
        time_steps: STEPS,
        classes: CLASSES,
        class_names: Default::default(),
        input,
        nodes: vec![],
        codes: None,
        tensors: Tensors::default(),
    };
    let mut b = Builder { network, r: &mut r, channels: 2 };
    b.block(1, 7, WeightKind::Float, NeuronVersion::I);
    b.push("pool", Op::AvgPool { kernel: 2, stride: 2 });
    b.block(2, 9, WeightKind::Sign, version);
    b.push("gap", Op::GlobalAvgPool);
    b.push("fc", Op::Linear { out_features: CLASSES });
    b.tensor("fc", "weight", &[CLASSES, 9], (-1.0, 1.0));
    b.tensor("fc", "bias", &[CLASSES], (-0.5, 0.5));
    b.network
}

/// The same; each channel of its input has a mean and a deviation of its own.
fn normalised(seed: u64) -> Network {
    let mut network = network(seed, NeuronVersion::I);
    let mut r = Random::new(!seed);
    let mut pick = |low: f32, high: f32| low + (high - low) * r.range(0, 1000) as f32 / 1000.0;
    network.input.zero_point = PerChannel::Each(vec![pick(0.0, 255.0), pick(0.0, 255.0)]);
    network.input.scale = PerChannel::Each(vec![pick(0.005, 0.05), pick(0.005, 0.05)]);
    network
}

/// A block whose second convolution adds the spikes of the first to its current.
pub(crate) fn residual(seed: u64) -> Network {
    let mut network = network(seed, NeuronVersion::I);
    let keep = network.nodes.iter().position(|n| n.name == "pool").unwrap();
    network.nodes.truncate(keep);
    let mut r = Random::new(seed);
    let mut b = Builder { network, r: &mut r, channels: 7 };
    b.block(2, 7, WeightKind::Sign, NeuronVersion::I);
    let neuron = b.network.nodes.pop().unwrap();
    let add = Node { name: "add".into(), inputs: vec!["bn2".into(), "neuron1".into()], op: Op::Add };
    b.network.nodes.push(add);
    b.network.nodes.push(Node { inputs: vec!["add".into()], ..neuron });
    b.push("gap", Op::GlobalAvgPool);
    b.push("fc", Op::Linear { out_features: CLASSES });
    b.tensor("fc", "weight", &[CLASSES, 7], (-1.0, 1.0));
    b.network
}

/// The same with channel attention on the current of the second convolution, a maximum of the first's spikes,
/// and a neuron of version II behind the addition.
fn attentive(seed: u64) -> Network {
    let mut network = residual(seed);
    let mut r = Random::new(seed);
    let mut b = Builder { network: network.clone(), r: &mut r, channels: 7 };
    b.tensor("attention", "weight", &[5], (-1.0, 1.0));
    for name in empf_ir::network::neuron_tensors(NeuronVersion::II) {
        let range = match *name {
            "lambda" => (0.2, 1.1),
            "gamma" | "var" => (0.5, 1.5),
            // Gains of both signs.
            "alpha" => (-1.5, 1.5),
            _ => (-0.4, 0.4),
        };
        b.tensor("neuron2", name, &[STEPS, 7], range);
    }
    network.tensors = b.network.tensors;
    let at = |name: &str, nodes: &[Node<Op>]| nodes.iter().position(|n| n.name == name).unwrap();
    let neuron2 = at("neuron2", &network.nodes);
    network.nodes[neuron2].op = Op::Neuron { version: NeuronVersion::II, eps: 1e-5 };
    let (conv2, add) = (at("conv2", &network.nodes), at("add", &network.nodes));
    network.nodes[add].inputs = vec!["attention".into(), "most".into()];
    network.nodes[conv2].inputs = vec!["most".into()];
    let attention = Node { name: "attention".into(), inputs: vec!["bn2".into()], op: Op::Seca { kernel: 5 } };
    network.nodes.insert(add, attention);
    let op = Op::MaxPool { kernel: 3, stride: 2, padding: 1 };
    network.nodes.insert(conv2, Node { name: "most".into(), inputs: vec!["neuron1".into()], op });
    network
}

pub(crate) fn images(network: &Network, count: usize, seed: u64) -> Array5<u8> {
    let mut r = Random::new(seed);
    let shape = network.input.shape();
    let extents = (count, network.input.frames, shape.channels, shape.height, shape.width);
    Array5::from_shape_simple_fn(extents, || r.range(0, 255) as u8)
}

/// Root of the mean squared difference to float, as a share of float's own root mean square.
pub(crate) fn relative_error(
    network: &Network,
    quantized: &QuantNetwork,
    images: &Array5<u8>,
    node: &str,
) -> f64 {
    let scale = quantized.scales[node];
    let (mut error, mut power) = (0.0, 0.0);
    for image in images.axis_iter(Axis(0)) {
        let float = empf_golden::float::run(network, image).unwrap();
        let integer = empf_golden::run(quantized, image).unwrap();
        let expected = match quantized.nodes.last() {
            Some(last) if last.name == node => float.logits,
            _ => float.tensors[node].iter().copied().collect(),
        };
        for (x, code) in expected.iter().zip(&integer.tensors[node]) {
            error += (x - f64::from(*code) * scale).powi(2);
            power += x.powi(2);
        }
    }
    (error / power).sqrt()
}

const NODES: [&str; 5] = ["neuron1", "pool", "neuron2", "gap", "fc"];
const VERSIONS: [NeuronVersion; 3] = [NeuronVersion::I, NeuronVersion::II, NeuronVersion::III];

/// Folding changes nothing but the last bits of a double, and integers are no further from what they stand for
/// than the roundings allow.
fn integers_are_as_near_as_rounding_allows(network: &Network, seed: u64) {
    let arch = ArchConfig { membrane_bits: 20, ..ArchConfig::sized(8, 8, 8) };
    let images = images(network, 6, seed);
    let mut draft = resolve(network).unwrap();
    fold_bn(&mut draft).unwrap();
    reparameterize(&mut draft).unwrap();
    let quantized = quantize(&draft, &calibrate(&draft, images.view()).unwrap(), &arch).unwrap();
    for image in images.axis_iter(Axis(0)) {
        let float = empf_golden::float::run(network, image).unwrap();
        let integer = empf_golden::run(&quantized, image).unwrap();
        let bounds = rounding::bounds(&draft, &quantized, image);
        for node in NODES {
            let Bounded { value, error } = &bounds[node];
            let expected: Vec<f64> = match node {
                "fc" => float.logits.clone(),
                node => float.tensors[node].iter().copied().collect(),
            };
            let size = expected.iter().fold(1.0f64, |most, x| most.max(x.abs()));
            for (x, value) in expected.iter().zip(value) {
                let close = abs_diff_eq!(*x, *value, epsilon = 1e-9 * size);
                assert!(close, "{node}: {value} folded, {x} before");
            }
            for ((code, value), error) in integer.tensors[node].iter().zip(value).zip(error) {
                let got = f64::from(*code) * quantized.scales[node];
                let close = abs_diff_eq!(got, *value, epsilon = error + 1e-9 * size);
                assert!(close, "{node}: {got} is not {value} +- {error}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn rounding_is_all_that_happens(seed in any::<u64>()) {
        for version in VERSIONS {
            integers_are_as_near_as_rounding_allows(&network(seed, version), seed);
        }
        integers_are_as_near_as_rounding_allows(&normalised(seed), seed);
    }
}

/// Worst cases do not meet in a network: on the whole the integers are far nearer than the bound.
#[test]
fn integers_follow_the_float_network() {
    let arch = ArchConfig { membrane_bits: 20, ..ArchConfig::sized(8, 8, 8) };
    for seed in 0..16 {
        for version in VERSIONS {
            let network = network(seed, version);
            let images = images(&network, 6, seed);
            let (quantized, program) = compile(&network, images.view(), &arch).unwrap();
            assert_eq!(program.steps.len(), 6);
            for node in NODES {
                let error = relative_error(&network, &quantized, &images, node);
                assert!(error < 0.04, "seed {seed}, {node}: {error} ({version:?})");
            }
            for weight in quantized.tensor("conv2", "mantissa").unwrap().chunks(9) {
                assert!(version == NeuronVersion::II || weight.iter().all(|m| *m >= 0));
            }
        }
    }
}

#[test]
fn more_bits_are_nearer_to_float() {
    let network = network(11, NeuronVersion::I);
    let images = images(&network, 8, 3);
    let error = |act_bits| {
        let arch = ArchConfig::sized(8, 8, act_bits);
        let (quantized, _) = compile(&network, images.view(), &arch).unwrap();
        relative_error(&network, &quantized, &images, "fc")
    };
    let errors = [8, 6, 4, 2].map(error);
    assert!(errors.is_sorted() && errors[0] < errors[3] / 4.0, "{errors:?}");
}

#[test]
fn a_shortcut_is_widened_to_the_current() {
    let arch = ArchConfig::sized(8, 8, 8);
    for seed in 0..12 {
        let network = residual(seed);
        let images = images(&network, 6, seed);
        let mut compilation = Compilation::of_network(&network, images.view(), &arch);
        compilation.run(Pass::Quantize, |_, _| Ok(())).unwrap();
        let quantized = compilation.quantized(Pass::Quantize).unwrap();
        assert_eq!(quantized.scales["add"], quantized.scales["conv2"]);
        for node in ["neuron1", "neuron2", "fc"] {
            let error = relative_error(&network, quantized, &images, node);
            assert!(error < 0.04, "{node}: {error}");
        }
        compilation.pass(Pass::Lower).unwrap();
    }
}

#[test]
fn attention_and_maxima_follow_the_float_network() {
    let arch = ArchConfig { membrane_bits: 20, ..ArchConfig::sized(8, 8, 8) };
    for seed in 0..12 {
        let network = attentive(seed);
        let images = images(&network, 6, seed);
        let mut compilation = Compilation::of_network(&network, images.view(), &arch);
        compilation.run(Pass::Quantize, |_, _| Ok(())).unwrap();
        let quantized = compilation.quantized(Pass::Quantize).unwrap();
        assert_eq!(quantized.scales["most"], quantized.scales["neuron1"]);
        for node in ["most", "neuron2", "fc"] {
            let error = relative_error(&network, quantized, &images, node);
            assert!(error < 0.04, "seed {seed}, {node}: {error}");
        }
    }
}

/// Channels whose deviations differ are folded into weights, which +-1 weights cannot be; four borders have room.
#[test]
fn inputs_that_cannot_be_folded_are_refused() {
    let refused = |channels: usize, weights: WeightKind, scales: Vec<f32>| {
        let mut network = normalised(1);
        (network.input.channels, network.input.scale) = (channels, PerChannel::Each(scales));
        network.input.zero_point = PerChannel::Each((0..channels).map(|c| 10.0 * c as f32).collect());
        let Op::Conv { weights: kind, .. } = &mut network.nodes[0].op else { panic!("the first is one") };
        *kind = weights;
        network.set_tensor("conv1", "weight", vec![7, channels, 3, 3], vec![0.5; 7 * channels * 9]);
        let images = images(&network, 4, 1);
        let arch = ArchConfig::sized(8, 8, 8);
        let mut compilation = Compilation::of_network(&network, images.view(), &arch);
        compilation.run(Pass::Quantize, |_, _| Ok(())).err().map(|error| error.to_string())
    };
    assert_eq!(refused(2, WeightKind::Sign, vec![0.5, 0.5]), None);
    let error = refused(2, WeightKind::Sign, vec![0.5, 0.25]).unwrap();
    assert!(error.starts_with("node `conv1`: has +-1 weights, which cannot take up"), "{error}");
    assert_eq!(refused(4, WeightKind::Float, vec![0.5; 4]), None);
    let error = refused(5, WeightKind::Float, vec![0.5; 5]).unwrap();
    assert!(error.contains("a border around 5 channels with zero points of their own; at most 4"), "{error}");
}

/// A network that was trained for codes brings their scales along.
#[test]
fn trained_codes_are_taken_as_they_are() {
    let mut network = network(7, NeuronVersion::I);
    let scales = [("neuron1", 0.125), ("pool", 0.0625), ("neuron2", 0.25), ("gap", 0.25 / 9.0 * 4.0)];
    let scales = scales.map(|(node, scale)| (node.to_owned(), scale)).into();
    network.codes = Some(Codes { bits: 4, scales });
    let images = images(&network, 6, 3);
    let arch = ArchConfig { membrane_bits: 20, ..ArchConfig::sized(8, 8, 4) };
    let (quantized, _) = compile(&network, images.view(), &arch).unwrap();
    for (node, scale) in &network.codes.as_ref().unwrap().scales {
        assert_relative_eq!(quantized.scales[node], *scale, max_relative = 1e-9);
    }
    // The float network rounds as the integers do, so that only the rounding of its numbers is left.
    assert!(relative_error(&network, &quantized, &images, "neuron1") < 0.02);

    let error = compile(&network, images.view(), &ArchConfig::sized(8, 8, 8)).unwrap_err();
    assert!(matches!(error, Error::TrainedBits { trained: 4, arch: 8 }), "{error}");
    network.codes.as_mut().unwrap().scales.insert("pool".into(), 0.07);
    let error = compile(&network, images.view(), &arch).unwrap_err();
    assert!(error.to_string().contains("node `pool`: was trained for codes of 0.07"), "{error}");
}

fn changed(change: impl FnOnce(&mut Network)) -> Error {
    let mut network = network(5, NeuronVersion::I);
    change(&mut network);
    let images = images(&network, 2, 1);
    compile(&network, images.view(), &ArchConfig::sized(4, 4, 8)).unwrap_err()
}

#[test]
fn a_leak_beyond_its_range_is_named() {
    let error = changed(|n| {
        let mut values = n.tensor("neuron2", "lambda").unwrap().1.to_vec();
        values[9 + 4] = 8.5;
        n.set_tensor("neuron2", "lambda", vec![STEPS, 9], values);
    });
    assert!(matches!(&error, Error::Number { step: 1, channel: 4, .. }), "{error}");
    assert!(error.to_string().starts_with("node `neuron2`, lambda[1][4]: 8.5 is not in -8..8"), "{error}");
}

#[test]
fn a_normalisation_folds_into_a_convolution_of_its_own() {
    let error = changed(|n| {
        let conv = n.nodes.iter().position(|node| node.name == "conv2").unwrap();
        let other = Node {
            name: "other".into(),
            inputs: vec!["conv2".into()],
            op: Op::Neuron { version: NeuronVersion::III, eps: 0.0 },
        };
        n.nodes.insert(conv + 1, other);
        n.set_tensor("other", "theta", vec![STEPS, 1], vec![1.0; STEPS]);
    });
    assert!(error.to_string().starts_with("node `bn2`: a batch normalisation is folded"), "{error}");
}

#[test]
fn operators_without_integers_are_refused_by_name() {
    let error = changed(|n| {
        let changed = n.nodes.iter_mut().find(|n| n.name == "neuron2").unwrap();
        changed.op = Op::Lif { leak: 0.5, threshold: 1.0 };
        n.tensors.0.retain(|name, _| !name.starts_with("neuron2."));
    });
    assert!(error.to_string().starts_with("node `neuron2`: a LIF neuron has no integer form"), "{error}");
}

/// Without a memory for currents there is no attention.
#[test]
fn attention_needs_its_memories() {
    let network = attentive(1);
    let images = images(&network, 6, 1);
    let refused = |arch: ArchConfig| compile(&network, images.view(), &arch).unwrap_err().to_string();
    let sized = ArchConfig::sized(8, 8, 8);
    let error = refused(ArchConfig { current_depth: 0, ..sized.clone() });
    assert!(error.contains("needs an accelerator with a `current_depth` above 0"), "{error}");
    let error = refused(ArchConfig { lanes: 1, current_depth: 16, ..sized });
    assert!(error.contains("raise current_depth"), "{error}");
}

#[test]
fn images_must_be_there_and_fit() {
    let network = network(5, NeuronVersion::I);
    let arch = ArchConfig::sized(4, 4, 8);
    let none = images(&network, 0, 1);
    assert!(matches!(compile(&network, none.view(), &arch), Err(Error::NoImages)));
    let wrong = Array5::<u8>::zeros((1, network.input.frames, 2, 6, 5));
    assert!(matches!(compile(&network, wrong.view(), &arch), Err(Error::Calibration(_))));
}

#[test]
fn a_network_of_zeros_compiles() {
    let mut network = network(5, NeuronVersion::I);
    for (_, tensor) in network.tensors.0.iter_mut().filter(|(name, _)| !name.ends_with("var")) {
        let elements = tensor.shape.iter().product();
        *tensor = empf_ir::Tensor::f32(tensor.shape.clone(), vec![0.0; elements]);
    }
    let images = images(&network, 2, 1);
    let (quantized, _) = compile(&network, images.view(), &ArchConfig::sized(4, 4, 8)).unwrap();
    let trace = empf_golden::run(&quantized, images.index_axis(Axis(0), 0)).unwrap();
    assert!(trace.logits.iter().all(|l| *l == trace.logits[0]));

    network.set_tensor("fc", "bias", vec![CLASSES], vec![0.5, -2.0, 0.25, 1e-3, 0.0]);
    let (quantized, _) = compile(&network, images.view(), &ArchConfig::sized(4, 4, 8)).unwrap();
    let trace = empf_golden::run(&quantized, images.index_axis(Axis(0), 0)).unwrap();
    let expected = [0.5, -2.0, 0.25, 1e-3, 0.0].map(|bias| bias * STEPS as f64);
    for (logit, expected) in trace.logits.iter().zip(expected) {
        let logit = f64::from(*logit) * quantized.scales["fc"];
        assert!((logit - expected).abs() < 1e-5, "{logit} {expected}");
    }
}

#[test]
fn passes_run_alone_and_in_order() {
    let network = network(5, NeuronVersion::II);
    let images = images(&network, 2, 1);
    let arch = ArchConfig::sized(4, 4, 8);
    let mut compilation = Compilation::of_network(&network, images.view(), &arch);
    let error = compilation.pass(Pass::Quantize).unwrap_err();
    assert!(error.to_string().starts_with("pass `quantize` needs"), "{error}");
    let mut seen = vec![];
    let note = |pass: Pass, c: &Compilation| {
        assert!(!c.dump(pass).is_null(), "{pass} leaves nothing to dump");
        seen.push(pass);
        Ok(())
    };
    compilation.run(Pass::Quantize, note).unwrap();
    assert_eq!(seen, Pass::ALL[..5]);
    let quantized = compilation.quantized(Pass::Quantize).unwrap();
    assert!(quantized.nodes.iter().all(|n| !n.name.starts_with("bn")));
    let offsets = quantized.tensor("neuron2", "offset").unwrap();
    assert!(offsets.iter().any(|c| *c != 0));
    assert!(matches!(quantized.nodes[1].op, QuantOp::Neuron { parallel: false, .. }));
    assert_eq!("prove".parse::<Pass>().unwrap(), Pass::Prove);
    assert!("provee".parse::<Pass>().unwrap_err().to_string().contains("resolve, fold_bn"));
}
