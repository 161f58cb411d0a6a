//! What `empf compile` says about networks and calibration samples, end to end.

use crate::command::{fail, replace, run, succeed, words};
use empf_ir::{Input, Network, NeuronVersion, Node, Op, Tensors, WeightKind};
use ndarray::Array4;
use ndarray_npy::WriteNpyExt;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const SIGN: WeightKind = WeightKind::Sign;
const NEURON: Op = Op::Neuron { version: NeuronVersion::I, eps: 1e-5 };

fn conv(out_channels: usize, kernel: usize) -> Op {
    Op::Conv { out_channels, kernel, stride: 1, padding: kernel / 2, weights: SIGN }
}

/// A folder with `network`, of these nodes for images of 5x6, T = 2, and `count` images, `inputs.npy`. Weights are of
/// both signs, leaks and thresholds one half.
fn place(nodes: &[(&str, &[&str], Op)], count: usize) -> TempDir {
    let nodes: Vec<Node<Op>> = nodes
        .iter()
        .map(|(name, inputs, op)| Node {
            name: name.to_string(),
            inputs: inputs.iter().map(ToString::to_string).collect(),
            op: op.clone(),
        })
        .collect();
    let mut network = Network {
        name: "by-hand".into(),
        time_steps: 2,
        classes: 3,
        class_names: Default::default(),
        input: Input {
            channels: 1,
            height: 5,
            width: 6,
            frames: 1,
            zero_point: 7.0.into(),
            scale: (1.0 / 64.0).into(),
        },
        nodes,
        codes: None,
        tensors: Tensors::default(),
    };
    let shapes = network.shapes().unwrap();
    for (node, output) in network.nodes.clone().iter().zip(&shapes) {
        let input = network.shape_of(&node.inputs[0], &shapes);
        for (name, shape) in Network::expected_tensors(&node.op, input, *output, 2) {
            let elements = shape.iter().product();
            let values = match name {
                "weight" => (0..elements).map(|i| [1.0, -0.5, 0.75][i % 7 % 3]).collect(),
                _ => vec![0.5; elements],
            };
            network.set_tensor(&node.name, name, shape, values);
        }
    }
    let place = tempfile::tempdir().unwrap();
    network.save(&place.path().join("network")).unwrap();
    write_images(place.path(), count);
    place
}

fn write_images(place: &Path, count: usize) {
    let images = Array4::from_shape_fn((count, 1, 5, 6), |(n, _, y, x)| (53 * n + 31 * y * x + 17 * x) as u8);
    images.write_npy(fs::File::create(place.join("inputs.npy")).unwrap()).unwrap();
}

/// Two windows over the input, and an unread layer.
fn two_windows() -> Vec<(&'static str, &'static [&'static str], Op)> {
    vec![
        ("c1", &["input"], conv(3, 3)),
        ("n1", &["c1"], NEURON),
        ("c2", &["input"], conv(4, 1)),
        ("n2", &["c2"], NEURON),
        ("fc", &["n2"], Op::Linear { out_features: 3 }),
    ]
}

const COMPILE: &str = "compile network --data inputs.npy --arch 4x4 -o build";

#[test]
fn a_border_is_said_where_there_is_one() {
    let linear: (_, &[&str], _) = ("fc", &["input"], Op::Linear { out_features: 3 });
    for (nodes, codes) in [(two_windows(), vec![7]), (vec![linear], vec![])] {
        let place = place(&nodes, 16);
        replace(&place.path().join("network/network.json"), "\"zero_point\": 7.0", "\"zero_point\": 7.25");
        let text = succeed(place.path(), &words(COMPILE));
        assert_eq!(text.contains("the input's border holds the codes [7]"), !codes.is_empty(), "{text}");
        let report = fs::read(place.path().join("build/report.json")).unwrap();
        let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
        assert_eq!(report["border"], serde_json::json!(codes));
    }
}

/// Standard output and error of a run that succeeds.
fn said(place: &Path, line: &str) -> [String; 2] {
    let output = run(place, &words(line));
    let [out, error] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success(), "{error}");
    [out, error]
}

#[test]
fn two_windows_of_the_input_are_equal_on_all_engines() {
    let place = place(&two_windows(), 20);
    succeed(place.path(), &words(COMPILE));
    let text = succeed(place.path(), &words("check build --data inputs.npy"));
    assert!(text.trim_end().lines().last().unwrap().starts_with("0 mismatches in "), "{text}");
    assert!(text.trim_end().ends_with("of 16 samples"), "{text}");
    for layer in ["input ", "input@c2 ", "n1 ", "n2 ", "logits "] {
        assert!(text.lines().any(|line| line.starts_with(layer)), "{layer}: {text}");
    }
}

#[test]
fn calibration_takes_what_is_there_and_says_so() {
    let place = place(&two_windows(), 20);
    let place = place.path();
    let few = "warning: so few show little";
    let [out, error] = said(place, COMPILE);
    assert!(error.contains("note: calibrating on 20 samples\n") && !error.contains(few), "{error}");
    assert!(out.contains("saturate"), "{out}");
    let [_, error] = said(place, &format!("{COMPILE} --samples 16"));
    assert!(error.contains("note: calibrating on 16 samples\n") && !error.contains(few), "{error}");
    let [_, error] = said(place, &format!("{COMPILE} --samples 1"));
    assert!(error.contains("note: calibrating on 1 sample\n") && error.contains(few), "{error}");
    let error = fail(place, &words(&format!("{COMPILE} --samples 21")));
    assert_eq!(error, "error: --samples: 21 samples are asked for, there are 20; give 1 to 20");
    write_images(place, 70);
    let [_, error] = said(place, COMPILE);
    assert!(error.contains("note: calibrating on 64 samples\n"), "{error}");
    write_images(place, 3);
    let [_, error] = said(place, COMPILE);
    assert!(error.contains("note: calibrating on 3 samples\n") && error.contains(few), "{error}");
    let text = succeed(place, &words("check build --data inputs.npy"));
    assert!(text.trim_end().ends_with("of 3 samples"), "{text}");
}

#[test]
fn a_silent_layer_is_a_warning() {
    let place = place(&two_windows(), 20);
    let place = place.path();
    let mut network = Network::load(&place.join("network")).unwrap();
    network.set_tensor("n2", "theta", vec![2, 1], vec![1e4; 2]);
    network.save(&place.join("network")).unwrap();
    let [_, error] = said(place, COMPILE);
    assert!(error.contains("warning: neuron `n2` did not spike once in calibration"), "{error}");
    assert!(!error.contains("neuron `n1`"), "{error}");
    let text = succeed(place, &words("check build --data inputs.npy"));
    assert!(text.contains("0 mismatches in "), "{text}");
    let report = fs::read(place.join("build/report.json")).unwrap();
    let seen = &serde_json::from_slice::<serde_json::Value>(&report).unwrap()["calibration"];
    assert_eq!((&seen["samples"], &seen["silent"]), (&20.into(), &vec!["n2"].into()));
    let spikes = seen["saturation"].as_array().unwrap().last().unwrap();
    // Of 20 images, 2 steps and 4 maps of 5x6.
    assert_eq!(*spikes, serde_json::json!({ "node": "n2", "number": "spike", "saturated": 0, "of": 4800 }));
}
