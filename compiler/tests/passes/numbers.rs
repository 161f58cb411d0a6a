//! What becomes of single numbers on their way to integers.

use crate::front_half::{STEPS, images, network, relative_error};
use approx::assert_relative_eq;
use empf_compiler::draft::{Conv, Draft, DraftOp};
use empf_compiler::passes::calibrate::calibrate;
use empf_compiler::passes::fold_bn::fold_bn;
use empf_compiler::passes::quantize::quantize;
use empf_compiler::passes::reparameterize::reparameterize;
use empf_compiler::passes::resolve::resolve;
use empf_compiler::{Compilation, Error, Histogram, Pass, Result};
use empf_ir::{ArchConfig, INPUT, Network, NeuronVersion, Node, Op, PerChannel, QuantNetwork, QuantOp};
use ndarray::Axis;

fn arch() -> ArchConfig {
    ArchConfig::sized(8, 8, 8)
}

fn quantized(network: &Network) -> Result<QuantNetwork> {
    let (arch, images) = (arch(), images(network, 6, 1));
    let mut compilation = Compilation::of_network(network, images.view(), &arch);
    compilation.run(Pass::Quantize, |_, _| Ok(()))?;
    compilation.quantized(Pass::Quantize).cloned()
}

/// The network of `seed` without normalisations.
fn folded(seed: u64) -> (Network, Draft) {
    let network = network(seed, NeuronVersion::I);
    let mut draft = resolve(&network).unwrap();
    fold_bn(&mut draft).unwrap();
    reparameterize(&mut draft).unwrap();
    (network, draft)
}

#[test]
fn the_sign_of_zero_is_positive() {
    let mut network = network(1, NeuronVersion::I);
    let (shape, values) = network.tensor("conv2", "weight").unwrap();
    let (shape, mut values) = (shape.to_vec(), values.to_vec());
    values[..4].copy_from_slice(&[0.0, -0.0, -1e-30, 1e-30]);
    network.set_tensor("conv2", "weight", shape, values);
    let draft = resolve(&network).unwrap();
    let DraftOp::Conv(conv) = &draft.nodes[draft.position("conv2").unwrap()].op else {
        panic!("conv2 is no convolution")
    };
    assert_eq!(conv.weight.as_slice().unwrap()[..4], [1.0, 1.0, -1.0, 1.0]);
}

/// Of two normalisations behind each other, the second sees what the first gives.
#[test]
fn normalisations_fold_in_their_order() {
    for seed in 0..4 {
        let mut network = network(seed, NeuronVersion::I);
        let at = network.nodes.iter().position(|node| node.name == "neuron2").unwrap();
        network.nodes[at].inputs = vec!["again".into()];
        let again =
            Node { name: "again".into(), inputs: vec!["bn2".into()], op: Op::BatchNorm { eps: 1e-5 } };
        network.nodes.insert(at, again);
        let channels = |value: f32| (0..9).map(|c| value + c as f32 / 16.0).collect::<Vec<_>>();
        network.set_tensor("again", "gamma", vec![9], channels(1.5));
        network.set_tensor("again", "bias", vec![9], channels(-0.5));
        network.set_tensor("again", "mean", vec![STEPS, 9], channels(0.25).repeat(STEPS));
        network.set_tensor("again", "var", vec![STEPS, 9], channels(0.5).repeat(STEPS));
        let quantized = quantized(&network).unwrap();
        let error = relative_error(&network, &quantized, &images(&network, 6, 1), "neuron2");
        assert!(error < 0.04, "seed {seed}: {error}");
    }
}

/// Every frame of an input has its zero point, and the classifier sums over the frames.
#[test]
fn the_zero_point_of_every_frame_is_taken_off() {
    for frames in [1, STEPS] {
        let mut network = network(2, NeuronVersion::I);
        (network.input.frames, network.input.zero_point) = (frames, PerChannel::Each(vec![93.0, 17.0]));
        network.nodes.retain(|node| node.name == "fc");
        network.nodes[0].inputs = vec![INPUT.into()];
        network.tensors.0.retain(|name, _| name == "fc.bias");
        let features = network.input.shape().elements();
        // Odd multiples of the largest / 255, so that nothing is rounded.
        let odd = |i: usize| (2 * (i * 89 % 256) as i32 - 255) as f32 / 255.0;
        network.set_tensor("fc", "weight", vec![5, features], (0..5 * features).map(odd).collect());
        let quantized = quantized(&network).unwrap();
        let image = images(&network, 1, 3);
        let float = empf_golden::float::run(&network, image.index_axis(Axis(0), 0)).unwrap();
        let integer = empf_golden::run(&quantized, image.index_axis(Axis(0), 0)).unwrap();
        for (x, code) in float.logits.iter().zip(&integer.logits) {
            let got = f64::from(*code) * quantized.scales["fc"];
            assert!((x - got).abs() <= 1e-4, "{frames} frames: {got} is not {x}");
        }
    }
}

/// Gives a neuron of `draft` the same numbers everywhere.
fn set_neuron(draft: &mut Draft, name: &str, [lambda, theta, offset]: [f64; 3]) {
    let at = draft.position(name).unwrap();
    let DraftOp::Neuron(neuron) = &mut draft.nodes[at].op else { panic!("{name} is no neuron") };
    neuron.lambda.fill(lambda);
    neuron.theta.fill(theta);
    neuron.offset.fill(offset);
}

/// A convolution of `draft`, which now gives the current 0 everywhere.
fn silenced<'d>(draft: &'d mut Draft, name: &str) -> &'d mut Conv {
    let at = draft.position(name).unwrap();
    let DraftOp::Conv(conv) = &mut draft.nodes[at].op else { panic!("{name} is no convolution") };
    conv.affine.gain.fill(0.0);
    conv.affine.bias.fill(0.0);
    conv
}

/// Gives the second convolution the current `bias` everywhere.
fn set_current(draft: &mut Draft, bias: f64) {
    silenced(draft, "conv2").affine.bias.fill(bias);
}

/// The potential before and after a neuron fires, whichever is larger.
#[test]
fn potentials_are_seen_on_both_sides_of_the_spike() {
    let (network, mut draft) = folded(3);
    let images = images(&network, 2, 1);
    set_current(&mut draft, 3.0);
    for (parameters, expected) in [
        // m = 3, v = min(3, 1) - 0.
        ([0.0, 1.0, 0.0], 3.0),
        // m = 3, v = min(3, 1) + 10.
        ([0.0, 1.0, -10.0], 11.0),
        // m = 3 + 2 v, v = 3 - 1 and so on: 3, 7, 15.
        ([2.0, 100.0, -1.0], 3.0 + 2.0 * (3.0 + 2.0 * 4.0 + 1.0) + 1.0),
    ] {
        set_neuron(&mut draft, "neuron2", parameters);
        let seen = calibrate(&draft, images.view()).unwrap();
        assert_relative_eq!(seen.magnitudes["neuron2"], expected);
    }
}

/// A format holds the offsets, though no potential be as large.
#[test]
fn offsets_fit_their_format() {
    let (network, mut draft) = folded(3);
    set_current(&mut draft, 25.0);
    set_neuron(&mut draft, "neuron2", [0.0, 100.0, 50.0]);
    let seen = calibrate(&draft, images(&network, 2, 1).view()).unwrap();
    assert_relative_eq!(seen.magnitudes["neuron2"], 25.0);
    let quantized = quantize(&draft, &seen, &arch()).unwrap();
    let unit = quantized.scales["conv2"];
    let offsets = quantized.tensor("neuron2", "offset").unwrap();
    assert!(offsets.iter().all(|code| f64::from(*code) * unit == 50.0), "{offsets:?} of {unit}");
}

/// A mantissa that is rounded takes the zero point's part of its bias along, beyond the format: the bias is cut.
#[test]
fn biases_are_cut_at_the_end_of_their_format() {
    let (network, mut draft) = folded(3);
    (draft.input.zero_point, draft.input.scale) = (255.0.into(), (1.0 / 64.0).into());
    set_neuron(&mut draft, "neuron1", [0.0, 1.0, 0.0]);
    let conv = silenced(&mut draft, "conv1");
    // In codes: a gain of 1000 leaves a shift of 5, so that one of 0.51 / 32 is rounded to 1 / 32.
    let code = 255.0 * 64.0;
    conv.affine.gain.column_mut(1).fill(1000.0 * code);
    conv.weight.index_axis_mut(Axis(0), 1).indexed_iter_mut().for_each(|((c, _, _), w)| {
        *w = if c == 0 { 1.0 } else { -1.0 };
    });
    conv.affine.gain.column_mut(0).fill(0.51 / 32.0 * code);
    conv.weight.index_axis_mut(Axis(0), 0).fill(-1.0);
    // With the zero point's part 32000 of 32767, as it is stored about 50000.
    conv.affine.bias.column_mut(0).fill(32_000.0 - 0.51 / 32.0 * 18.0 * 255.0 * 255.0);
    let dark = images(&network, 2, 1).mapv(|_| 255);
    let quantized = quantize(&draft, &calibrate(&draft, dark.view()).unwrap(), &arch()).unwrap();
    assert_eq!(quantized.scales["conv1"], 1.0);
    assert_eq!(quantized.tensor("conv1", "mantissa").unwrap()[..2], [1, 32_000]);
    assert_eq!(quantized.tensor("conv1", "bias").unwrap()[..2], [32_767, 0]);
}

#[test]
fn leaks_end_below_eight() {
    let with = |leak: f32| {
        let mut network = network(5, NeuronVersion::I);
        network.set_tensor("neuron2", "lambda", vec![STEPS, 1], vec![0.5, leak, 0.5]);
        quantized(&network).map(|quantized| quantized.tensor("neuron2", "lambda").unwrap()[9])
    };
    assert_eq!(with(-8.0).unwrap(), -32768);
    assert_eq!(with(32767.0 / 4096.0).unwrap(), 32767);
    for leak in [8.0, -8.001] {
        let error = with(leak).unwrap_err();
        assert!(matches!(error, Error::Number { tensor: "lambda", step: 1, channel: 0, .. }), "{error}");
    }
}

#[test]
fn biases_of_logits_end_with_32_bits() {
    let network = network(5, NeuronVersion::I);
    let unit = quantized(&network).unwrap().scales["fc"];
    let with = |share: f64| {
        let mut network = network.clone();
        let bias = share * f64::from(1u32 << 31) * unit / STEPS as f64;
        network.set_tensor("fc", "bias", vec![5], vec![0.0, 0.0, bias as f32, 0.0, 0.0]);
        quantized(&network)
    };
    for share in [0.99, -0.99] {
        assert_eq!(with(share).unwrap().scales["fc"], unit);
    }
    for share in [1.01, -1.01, 1.9] {
        let error = with(share).unwrap_err();
        assert!(matches!(error, Error::Number { node, tensor: "bias", channel: 2, .. } if node == "fc"));
    }
}

/// The first code that 32 bits do not hold is refused, and so is its negative.
#[test]
fn biases_of_logits_end_with_the_last_code() {
    let mut network = network(2, NeuronVersion::I);
    (network.input.frames, network.input.zero_point, network.input.scale) =
        (1, 0.0.into(), (1.0 / 64.0).into());
    network.nodes.retain(|node| node.name == "fc");
    network.nodes[0].inputs = vec![INPUT.into()];
    network.tensors.0.clear();
    // The integer 1 has the weight 1/256, and the logits' unit is 2^-14.
    let features = network.input.shape().elements();
    network.set_tensor("fc", "weight", vec![5, features], vec![255.0 / 256.0; 5 * features]);
    let mut with = |bias: f32| {
        network.set_tensor("fc", "bias", vec![5], vec![bias; 5]);
        quantized(&network).map(|quantized| quantized.tensor("fc", "bias").unwrap()[0])
    };
    let beyond = 131_072.0f32;
    assert_eq!(with(beyond.next_down()).unwrap(), i32::MAX - 127);
    assert_eq!(with(-beyond.next_down()).unwrap(), 127 - i32::MAX);
    for bias in [beyond, -beyond] {
        assert!(matches!(with(bias), Err(Error::Number { tensor: "bias", .. })), "{bias}");
    }
}

/// Infinities of both signs add up to no number; nothing of it is compiled.
#[test]
fn numbers_beyond_all_formats_are_refused() {
    let (network, mut draft) = folded(3);
    for (name, factor) in [("conv1", 1e200), ("conv2", 1.0)] {
        let at = draft.position(name).unwrap();
        let DraftOp::Conv(conv) = &mut draft.nodes[at].op else { panic!("{name} is no convolution") };
        conv.affine.gain.fill(factor);
        if name == "conv2" {
            conv.weight.mapv_inplace(|w| w * 1e200);
        }
    }
    let error = calibrate(&draft, images(&network, 2, 1).view()).unwrap_err().to_string();
    assert!(error.starts_with("node `conv2`: its numbers grow beyond"), "{error}");
}

/// Spikes are rounded least where their format is the membrane's: small ones count more than one that is cut.
#[test]
fn spikes_can_have_the_format_of_membranes() {
    let (network, draft) = folded(3);
    let mut seen = calibrate(&draft, images(&network, 2, 1).view()).unwrap();
    let unit = quantize(&draft, &seen, &arch()).unwrap().scales["conv2"];
    let shift = |seen| {
        let quantized = quantize(&draft, seen, &arch()).unwrap();
        let at = quantized.position("neuron2").unwrap();
        let QuantOp::Neuron { shift, .. } = quantized.nodes[at].op else { panic!("neuron2 is no neuron") };
        shift
    };
    let mut spikes = Histogram::default();
    (0..10_000).for_each(|_| spikes.add(3.0 * unit));
    spikes.add(300.0 * unit);
    seen.values.insert("neuron2".into(), spikes);
    assert_eq!(shift(&seen), 0);
    // Nothing was seen, and no spike can be larger than 67 units.
    let mut high = draft.clone();
    seen.values.insert("neuron2".into(), Histogram::default());
    set_neuron(&mut high, "neuron2", [0.0, 32_700.0 * unit, 0.0]);
    let quantized = quantize(&high, &seen, &arch()).unwrap();
    assert_eq!(quantized.scales["neuron2"], quantized.scales["conv2"]);
}

/// A mantissa has all its bits, so that a gain is rounded by less than 2^-15 of the layer's largest.
#[test]
fn the_largest_mantissa_has_all_bits() {
    for seed in 0..10 {
        let quantized = quantized(&network(seed, NeuronVersion::I)).unwrap();
        for conv in ["conv1", "conv2"] {
            let largest = quantized.tensor(conv, "mantissa").unwrap().iter().map(|m| m.abs()).max().unwrap();
            assert!((1 << 14..1 << 15).contains(&largest), "seed {seed}, {conv}: {largest}");
        }
    }
}

/// The zero point's part of a bias fits the format, however dark the images are.
#[test]
fn the_zero_point_fits_the_format() {
    for seed in 0..5 {
        let mut network = network(seed, NeuronVersion::I);
        (network.input.zero_point, network.input.scale) = (50.0.into(), 50.0.into());
        let dark = images(&network, 2, 1).mapv(|_| 50);
        let arch = arch();
        let mut compilation = Compilation::of_network(&network, dark.view(), &arch);
        compilation.run(Pass::Quantize, |_, _| Ok(())).unwrap();
        let quantized = compilation.quantized(Pass::Quantize).unwrap();
        let bias = quantized.tensor("conv1", "bias").unwrap();
        assert!(bias.iter().all(|b| b.abs() < 32_767), "seed {seed}: {bias:?}");
    }
}

/// A gain that takes the last mantissa of 16 bits keeps its shift.
#[test]
fn a_gain_can_take_the_last_mantissa() {
    let (network, mut draft) = folded(3);
    (draft.input.zero_point, draft.input.scale) = (255.0.into(), (1.0 / 64.0).into());
    set_neuron(&mut draft, "neuron1", [0.0, 1.0, 0.0]);
    let conv = silenced(&mut draft, "conv1");
    conv.affine.bias.column_mut(0).fill(32_000.0);
    // In codes: 32767 / 32, of weights whose sum is 0.
    conv.affine.gain.column_mut(1).fill(32_767.0 / 32.0 * 255.0 * 64.0);
    conv.weight.index_axis_mut(Axis(0), 1).indexed_iter_mut().for_each(|((c, _, _), w)| {
        *w = if c == 0 { 1.0 } else { -1.0 };
    });
    let dark = images(&network, 2, 1).mapv(|_| 255);
    let quantized = quantize(&draft, &calibrate(&draft, dark.view()).unwrap(), &arch()).unwrap();
    assert_eq!(quantized.scales["conv1"], 1.0);
    assert_eq!(quantized.tensor("conv1", "mantissa").unwrap()[..2], [0, 32_767]);
}
