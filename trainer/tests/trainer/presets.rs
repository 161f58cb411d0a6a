//! Networks by name: what they cost, and that they train.

use empf_ir::{Input, Network, NeuronVersion, Op, WeightKind};
use empf_trainer::presets::{PRESETS, ParameterMemory, Target, preset};
use empf_trainer::{Extents, Frames, Learning, Model, Tensor};

fn network(name: &str, [channels, side]: [usize; 2], classes: usize, width: f64) -> Network {
    let input =
        Input { channels, height: side, width: side, frames: 1, zero_point: 0.0.into(), scale: 1.0.into() };
    preset(name, &Target { input, classes, time_steps: 2, width }).unwrap()
}

fn memory(name: &str, input: [usize; 2], classes: usize) -> ParameterMemory {
    ParameterMemory::of(&network(name, input, classes, 1.0)).unwrap()
}

/// Tables 2 and 3: millions of weights, then MB in float32, as in the paper, and packed with the rest in
/// float32 and in int8.
#[test]
fn parameter_memory() {
    let table = [
        ("resnet18", [3, 32], 10, ["11.16", "44.66", "2.817", "1.422", "1.402"]),
        ("resnet18", [3, 32], 100, ["11.21", "44.84", "3.001", "1.606", "1.448"]),
        ("vgg13", [3, 64], 200, ["9.50", "38.02", "2.767", "1.592", "1.279"]),
        ("resnet34", [3, 224], 1000, ["21.78", "87.12", "7.400", "4.743", "3.179"]),
        ("resnet18", [2, 48], 10, ["11.16", "44.66", "2.814", "1.420", "1.401"]),
        ("vgg-snn", [2, 48], 10, ["9.26", "37.05", "2.493", "1.341", "1.199"]),
    ];
    for (name, input, classes, expected) in table {
        let m = memory(name, input, classes);
        let text = |value: f64, digits: usize| format!("{:.digits$}", value / 1e6);
        let got = [
            text((m.sign + m.other) as f64, 2),
            text(m.float_bytes(), 2),
            text(m.paper_bytes(), 3),
            text(m.packed_float_bytes(), 3),
            text(m.packed_int8_bytes(), 3),
        ];
        assert_eq!(got, expected, "{name} for {classes} classes");
    }
}

/// Table 3: attention costs no memory to speak of, since it has no convolution of its own.
#[test]
fn attention_and_versions_do_not_change_the_memory() {
    let others = |name: &&&str| name.starts_with("resnet18-") && !name.ends_with("lif");
    for name in PRESETS.iter().filter(others) {
        assert_eq!(memory(name, [3, 32], 10), memory("resnet18", [3, 32], 10), "{name}");
    }
    assert_eq!(memory("vgg13-seca1", [3, 64], 200), memory("vgg13", [3, 64], 200));
    let float = memory("resnet18-lif", [3, 32], 10);
    assert_eq!((float.sign, float.paper_bytes()), (0, memory("resnet18", [3, 32], 10).float_bytes()));
}

/// Multiplications and additions of one time-step: of the first convolution, and of the +-1 convolutions.
fn work(network: &Network) -> [usize; 2] {
    let shapes = network.shapes().unwrap();
    let mut work = [0; 2];
    for (node, output) in network.nodes.iter().zip(&shapes) {
        if let Op::Conv { kernel, weights, .. } = node.op {
            let input = network.shape_of(&node.inputs[0], &shapes);
            work[usize::from(weights == WeightKind::Sign)] +=
                output.elements() * input.channels * kernel * kernel;
        }
    }
    work
}

#[test]
fn work_of_the_residual_networks() {
    let millions = |network| work(&network).map(|count| format!("{:.2}", count as f64 / 1e6));
    assert_eq!(millions(network("resnet18", [3, 32], 10, 1.0)), ["1.77", "553.65"]);
    let [first, sign] = work(&network("resnet34", [3, 224], 1000, 1.0));
    assert_eq!([first / 1_000_000, sign / 1_000_000], [118, 3545]);
}

#[test]
fn versions_of_the_blocks() {
    use NeuronVersion::{I, II, III};
    for (name, stem, inner, outer) in [
        ("resnet18-vanilla", I, I, I),
        ("resnet18", I, III, I),
        ("resnet18-parallel", III, III, III),
        ("resnet18-seca1", II, II, II),
        ("resnet18-seca2", II, II, II),
    ] {
        let network = network(name, [3, 32], 10, 1.0);
        let versions: Vec<NeuronVersion> = (network.nodes.iter())
            .filter_map(|n| if let Op::Neuron { version, .. } = n.op { Some(version) } else { None })
            .collect();
        let blocks = [inner, outer].repeat(8);
        assert_eq!(versions, [vec![stem], blocks].concat(), "{name}");
        let count = |wanted: fn(&Op) -> bool| network.nodes.iter().filter(|n| wanted(&n.op)).count();
        let attention = if name.contains("seca") { 16 } else { 0 };
        assert_eq!(count(|op| matches!(op, Op::Seca { .. })), attention, "{name}");
        // A shortcut around every block, in SECA-II also around every convolution that keeps its shape.
        let shortcuts = if name.ends_with("seca2") { 8 + 16 - 3 } else { 8 };
        assert_eq!(count(|op| *op == Op::Add), shortcuts, "{name}");
    }
}

#[test]
fn versions_of_the_small_network() {
    use NeuronVersion::{I, II, III};
    for (name, versions, attention, shortcuts) in [
        ("vgg-small", [I, III, I, III, I], 0, 0),
        ("vgg-small-vanilla", [I; 5], 0, 0),
        ("vgg-small-parallel", [III; 5], 0, 0),
        ("vgg-small-membrane", [II; 5], 0, 0),
        ("vgg-small-seca1", [II; 5], 5, 0),
        ("vgg-small-seca2", [II; 5], 5, 2),
    ] {
        let network = network(name, [3, 32], 10, 1.0);
        let neurons = network.nodes.iter().filter_map(|n| match n.op {
            Op::Neuron { version, .. } => Some(version),
            _ => None,
        });
        assert_eq!(neurons.collect::<Vec<_>>(), versions, "{name}");
        let count = |wanted: fn(&Op) -> bool| network.nodes.iter().filter(|n| wanted(&n.op)).count();
        assert_eq!(count(|op| matches!(op, Op::Seca { .. })), attention, "{name}");
        assert_eq!(count(|op| *op == Op::Add), shortcuts, "{name}");
        assert_eq!(memory(name, [3, 32], 10), memory("vgg-small", [3, 32], 10), "{name}");
    }
}

#[test]
fn every_preset_passes_gradients_to_all_its_parameters() {
    for name in PRESETS {
        let network = network(name, [2, 32], 3, 0.1);
        let mut model = Model::<f32>::new(&network, 3, false).unwrap();
        let extents = Extents { images: 4, height: 32, width: 32, channels: 2 };
        let data = (0..extents.elements()).map(|i| ((i * 7919 % 211) as f32 / 105.0) - 1.0).collect();
        let x = Tensor { extents, data };
        let outcome = model.train_batch(Frames::Static(&x), &[0, 1, 2, 1], Learning::Online).unwrap();
        assert!(outcome.loss.is_finite(), "{name}");
        for (parameter, param) in model.params() {
            assert!(param.grad.iter().all(|g| g.is_finite()), "{name}: {parameter}");
            // With beta = 0, gain and offset of a membrane normalisation have no effect yet.
            let idle = ["seca", "membrane", "vgg-snn"].iter().any(|part| name.contains(part));
            let idle = idle && parameter.starts_with("neuron") && !parameter.ends_with("theta");
            assert!(idle || param.grad.iter().any(|g| *g != 0.0), "{name}: {parameter}");
        }
    }
}

#[test]
fn what_cannot_be_built_is_refused() {
    let input =
        Input { channels: 3, height: 8, width: 8, frames: 1, zero_point: 0.0.into(), scale: 1.0.into() };
    let target = Target { input, classes: 10, time_steps: 4, width: 1.0 };
    let refusal = |name: &str, target: &Target| preset(name, target).unwrap_err().to_string();
    assert!(refusal("vgg13", &target).contains("node `pool4`"), "{}", refusal("vgg13", &target));
    for name in ["resnet", "resnet18-seca3", "resnet50", "tiny-seca1", ""] {
        assert!(refusal(name, &target).contains("is not known; there are tiny, "), "{name}");
    }
    assert!(refusal("tiny", &Target { width: 0.0, ..target }).contains("width"));
}
