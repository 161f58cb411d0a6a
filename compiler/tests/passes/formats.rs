//! The formats that quantization chooses where those of what was seen do not do.

use crate::front_half::{STEPS, images, network, relative_error, residual};
use empf_compiler::{Compilation, Error, Pass, compile, saturation::Number};
use empf_ir::formats::{MAX_SPIKE_SHIFT, MULTIPLIER_BITS};
use empf_ir::{ArchConfig, Codes, Network, NeuronVersion, Node, Op, QuantNetwork, QuantOp};
use ndarray::{Array5, Axis};

/// The integer network, and the neurons that were silent.
fn quantized(
    network: &Network,
    images: &Array5<u8>,
    arch: &ArchConfig,
) -> Result<(QuantNetwork, Vec<String>), Error> {
    let mut compilation = Compilation::of_network(network, images.view(), arch);
    compilation.run(Pass::Quantize, |_, _| Ok(()))?;
    let silent = compilation.silent().iter().map(ToString::to_string).collect();
    Ok((compilation.quantized(Pass::Quantize)?.clone(), silent))
}

fn arch(membrane_bits: u32) -> ArchConfig {
    of_spikes(8, membrane_bits)
}

fn of_spikes(act_bits: u32, membrane_bits: u32) -> ArchConfig {
    ArchConfig { membrane_bits, ..ArchConfig::sized(8, 8, act_bits) }
}

fn largest_mantissa(network: &QuantNetwork, node: &str) -> i32 {
    network.tensor(node, "mantissa").unwrap().iter().map(|m| m.abs()).max().unwrap()
}

#[test]
fn a_silent_layer_compiles_and_is_named() {
    for (node, bits) in ["neuron1", "neuron2"].map(|node| [12, 16, 24].map(|bits| (node, bits))).concat() {
        let mut network = network(3, NeuronVersion::I);
        let columns = network.tensor(node, "theta").unwrap().0[1];
        network.set_tensor(node, "theta", vec![STEPS, columns], vec![1e3; STEPS * columns]);
        let images = images(&network, 20, 1);
        let (quantized, silent) = quantized(&network, &images, &arch(bits)).unwrap();
        let all = ["neuron1", "neuron2"].into_iter().filter(|name| *name >= node);
        let expected: Vec<&str> =
            if node == "neuron1" { silent.iter().map(String::as_str).collect() } else { all.collect() };
        assert_eq!(silent, expected);
        assert!(silent.contains(&node.to_owned()), "{silent:?}");
        let trace = empf_golden::run(&quantized, images.index_axis(Axis(0), 0)).unwrap();
        assert!(trace.tensors[node].iter().all(|code| *code == 0));
        assert!(quantized.scales.values().all(|scale| scale.is_normal()), "{:?}", quantized.scales);
        // What reads it hears it, should it spike on another image.
        let reader = if node == "neuron1" { "conv2" } else { "conv1" };
        assert!(largest_mantissa(&quantized, reader) >= 1 << (MULTIPLIER_BITS - 2));
    }
}

/// Spikes of a layer that was silent are not cut, however large its potential gets.
#[test]
fn a_silent_layer_can_spike() {
    let mut network = network(3, NeuronVersion::III);
    let dark = Array5::from_elem((4, network.input.frames, 2, 6, 6), network.input.border()[0]);
    // The lowest threshold that no potential of the dark reaches.
    let quantized = (1..100)
        .find_map(|quarters| {
            let theta = quarters as f32 / 4.0;
            network.set_tensor("neuron2", "theta", vec![STEPS, 9], vec![theta; STEPS * 9]);
            let (quantized, silent) = quantized(&network, &dark, &arch(16)).unwrap();
            silent.contains(&"neuron2".to_owned()).then_some(quantized)
        })
        .expect("a threshold that is not reached");
    let QuantOp::Neuron { shift, .. } = quantized.nodes[quantized.position("neuron2").unwrap()].op else {
        panic!("neuron2 is no neuron")
    };
    let lowest = *quantized.tensor("neuron2", "theta").unwrap().iter().min().unwrap();
    let largest = ((1 << 15) - 1 - lowest + (1 << shift) / 2) >> shift;
    assert!((128..=255).contains(&largest), "{largest} with shift {shift}");
}

/// V = 24: formats as fine as the ranges allow ask for gains beyond a mantissa.
#[test]
fn wide_membranes_do_with_coarser_formats() {
    let mut coarser = 0;
    for seed in 0..30 {
        for (act_bits, version) in [(8, NeuronVersion::I), (4, NeuronVersion::II), (2, NeuronVersion::III)] {
            for network in [network(seed, version), residual(seed)] {
                let images = images(&network, 4, seed);
                let (wide, _) = quantized(&network, &images, &of_spikes(act_bits, 24)).unwrap();
                let (usual, _) = quantized(&network, &images, &of_spikes(act_bits, 16)).unwrap();
                for conv in ["conv1", "conv2"] {
                    // Eight bits more, unless the largest mantissa then takes all its bits without a shift.
                    let ratio = usual.scales[conv] / wide.scales[conv];
                    assert!(ratio <= 256.0 && ratio > 1.0, "seed {seed}, {conv}: {ratio}");
                    coarser += u32::from(ratio < 256.0);
                }
                let shifts = wide.nodes.iter().filter_map(|node| match node.op {
                    QuantOp::Conv { shift, .. } => Some((node.name.as_str(), shift)),
                    _ => None,
                });
                for (conv, shift) in shifts {
                    let full = largest_mantissa(&wide, conv) >= 1 << (MULTIPLIER_BITS - 2);
                    assert!(full || shift == 31, "seed {seed}, {conv}");
                }
            }
        }
    }
    assert!(coarser > 10, "{coarser}");
}

/// The finest format is taken: with one bit more, the largest mantissa would leave its 16 bits, or the spike its
/// largest shift.
#[test]
fn a_format_is_no_coarser_than_needed() {
    let mut coarser = 0;
    for seed in 0..30 {
        let network = network(seed, NeuronVersion::III);
        let images = images(&network, 4, 1);
        let (wide, _) = quantized(&network, &images, &of_spikes(4, 24)).unwrap();
        let (usual, _) = quantized(&network, &images, &of_spikes(4, 16)).unwrap();
        if wide.scales["conv2"] > usual.scales["conv2"] / 256.0 {
            coarser += 1;
            let shifts = ["conv2", "neuron2"].map(|name| match wide.nodes[wide.position(name).unwrap()].op {
                QuantOp::Conv { shift, .. } | QuantOp::Neuron { shift, .. } => shift,
                _ => panic!("{name} has no shift"),
            });
            assert!(shifts[0] == 0 || shifts[1] == MAX_SPIKE_SHIFT, "seed {seed}: {shifts:?}");
        }
    }
    assert!(coarser > 3, "{coarser}");
}

/// Spikes of few bits in a wide format want a shift beyond the hardware's.
#[test]
fn few_bits_of_spikes_do_with_coarser_formats() {
    let network = network(6, NeuronVersion::I);
    let images = images(&network, 8, 2);
    let of = |bits| {
        let arch = ArchConfig { membrane_bits: bits, ..ArchConfig::sized(8, 8, 2) };
        let (quantized, _) = quantized(&network, &images, &arch).unwrap();
        ["neuron1", "neuron2"].map(|name| quantized.scales[name])
    };
    assert_eq!(of(24), of(16));
}

/// A network that was trained for codes brings a scale that a finer membrane format cannot give.
#[test]
fn trained_codes_make_formats_coarser() {
    let mut network = network(7, NeuronVersion::I);
    let scales = [("neuron1", 16.0), ("pool", 16.0), ("neuron2", 0.25), ("gap", 0.25 / 9.0 * 4.0)];
    let scales = scales.map(|(node, scale)| (node.to_owned(), scale)).into();
    network.codes = Some(Codes { bits: 4, scales });
    let images = images(&network, 6, 3);
    let arch = ArchConfig { membrane_bits: 24, ..ArchConfig::sized(8, 8, 4) };
    let (quantized, _) = quantized(&network, &images, &arch).unwrap();
    assert_eq!(quantized.scales["neuron1"], 16.0);
    assert_eq!(quantized.scales["conv1"], 16.0 / f64::from(1 << 15));
}

/// `add` of a node with itself, with names that the compiler might have made.
#[test]
fn names_of_the_compiler_are_its_own() {
    let twice = |version| {
        let mut network = residual(2);
        let position =
            |network: &Network, name: &str| network.nodes.iter().position(|n| n.name == name).unwrap();
        let add = position(&network, "add");
        network.nodes[add].inputs = vec!["neuron1".into(); 2];
        for node in &mut network.nodes {
            node.inputs
                .iter_mut()
                .filter(|input| *input == "neuron1")
                .for_each(|input| *input = "add/neuron1".into());
            if node.name == "neuron1" {
                node.name = "add/neuron1".into();
            }
        }
        let tensors = std::mem::take(&mut network.tensors.0);
        let renamed = tensors.into_iter().map(|(name, tensor)| match name.strip_prefix("neuron1.") {
            Some(rest) => (format!("add/neuron1.{rest}"), tensor),
            None => (name, tensor),
        });
        network.tensors.0 = renamed.collect();
        let neuron = position(&network, "neuron2");
        network.nodes[neuron].op = Op::Neuron { version, eps: 1e-5 };
        network.tensors.0.retain(|name, _| !name.starts_with("neuron2."));
        for name in empf_ir::network::neuron_tensors(version) {
            network.set_tensor("neuron2", name, vec![STEPS, 1], vec![0.5; STEPS]);
        }
        network
    };
    for version in [NeuronVersion::I, NeuronVersion::II, NeuronVersion::III] {
        let network = twice(version);
        let images = images(&network, 6, 5);
        let (quantized, _) = quantized(&network, &images, &arch(20)).unwrap();
        let Node { inputs, .. } = &quantized.nodes[quantized.position("add").unwrap()];
        assert_eq!(inputs, &["add/neuron1@add"; 2]);
        let error = compile(&network, images.view(), &arch(20)).unwrap_err();
        assert!(
            error.to_string().starts_with("node `add`: an addition without a convolution is not yet"),
            "{error}"
        );
        for node in ["add/neuron1", "neuron2", "fc"] {
            let error = relative_error(&network, &quantized, &images, node);
            assert!(error < 0.04, "{version:?}, {node}: {error}");
        }
    }
}

#[test]
fn saturation_is_counted() {
    let network = network(8, NeuronVersion::I);
    let images = images(&network, 3, 4);
    let (mut quantized, _) = compile(&network, images.view(), &arch(16)).unwrap();
    let of = |quantized: &QuantNetwork, number| {
        let all = empf_compiler::saturation(quantized, images.view()).unwrap();
        all.into_iter().find(|s| {
            s.node == if number == Number::Current { "conv2" } else { "neuron2" } && s.number == number
        })
    };
    let elements = (3 * STEPS * 9 * 9) as u64;
    for (number, of_all) in
        [(Number::Current, elements), (Number::Potential, 2 * elements), (Number::Spike, elements)]
    {
        let found = of(&quantized, number).unwrap();
        assert_eq!((found.of, found.is_notable()), (of_all, false), "{found:?}");
    }
    quantized.set_tensor("conv2", "bias", vec![STEPS, 9], vec![i32::from(i16::MAX); STEPS * 9]);
    quantized.set_tensor("conv2", "mantissa", vec![STEPS, 9], vec![0; STEPS * 9]);
    for number in [Number::Current, Number::Potential, Number::Spike] {
        let found = of(&quantized, number).unwrap();
        assert!(found.is_notable() && found.saturated > found.of / 4, "{found:?}");
    }
}
