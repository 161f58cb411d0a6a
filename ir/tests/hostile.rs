//! Files that someone has broken: reading them gives an error or a valid value, and never a panic.

use empf_ir::isa::{Pool, Task};
use empf_ir::program::{MemoryUse, Placement, Step};
use empf_ir::{
    ArchConfig, INPUT, Input, Network, NeuronVersion, Node, Op, Program, QuantInput, QuantNetwork, QuantOp,
    Shape, WeightKind,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use tempfile::TempDir;

fn chain<O>(operators: Vec<(&str, O)>) -> Vec<Node<O>> {
    let names: Vec<String> = operators.iter().map(|(name, _)| name.to_string()).collect();
    let reads = |i: usize| if i == 0 { INPUT.to_owned() } else { names[i - 1].clone() };
    let node = |(i, (name, op)): (usize, (&str, O))| Node { name: name.into(), inputs: vec![reads(i)], op };
    operators.into_iter().enumerate().map(node).collect()
}

fn network() -> Network {
    let conv = Op::Conv { out_channels: 3, kernel: 3, stride: 1, padding: 1, weights: WeightKind::Sign };
    let nodes = chain(vec![
        ("conv", conv),
        ("bn", Op::BatchNorm { eps: 1e-5 }),
        ("neuron", Op::Neuron { version: NeuronVersion::II, eps: 1e-5 }),
        ("pool", Op::AvgPool { kernel: 2, stride: 2 }),
        ("gap", Op::GlobalAvgPool),
        ("fc", Op::Linear { out_features: 2 }),
    ]);
    let input = Input { channels: 2, height: 4, width: 6, frames: 2, zero_point: 9, scale: 0.5 };
    let mut network = Network {
        name: "n".into(),
        time_steps: 2,
        classes: 2,
        class_names: Default::default(),
        input,
        nodes,
        codes: None,
        tensors: Default::default(),
    };
    let shapes = network.shapes().unwrap();
    for (node, output) in network.nodes.clone().iter().zip(&shapes) {
        let input = network.shape_of(&node.inputs[0], &shapes);
        for (name, shape) in Network::expected_tensors(&node.op, input, *output, 2) {
            let values = vec![0.5; shape.iter().product()];
            network.set_tensor(&node.name, name, shape, values);
        }
    }
    network
}

fn quant() -> QuantNetwork {
    let weights = WeightKind::Sign;
    let conv =
        QuantOp::Conv { out_channels: 3, kernel: 3, stride: 2, padding: 1, weights, zero_point: 7, shift: 2 };
    let mut network = QuantNetwork {
        name: "q".into(),
        time_steps: 2,
        classes: 2,
        class_names: Default::default(),
        act_bits: 8,
        membrane_bits: 16,
        input: QuantInput { channels: 2, height: 4, width: 6, frames: 1 },
        nodes: chain(vec![
            ("conv", conv),
            ("attention", QuantOp::Seca { kernel: 3, shift: 4 }),
            ("neuron", QuantOp::Neuron { parallel: false, shift: 1 }),
            ("most", QuantOp::MaxPool { kernel: 2, stride: 1, padding: 1 }),
            ("scale", QuantOp::Scale { shift: 5 }),
            ("sum", QuantOp::Add),
            ("neuron2", QuantOp::Neuron { parallel: false, shift: 1 }),
            ("pool", QuantOp::AvgPool { kernel: [2, 3], stride: [2, 3], shift: 2 }),
            ("fc", QuantOp::Linear { out_features: 2 }),
        ]),
        scales: [("neuron".to_owned(), 0.25)].into(),
        tensors: Default::default(),
    };
    network.nodes[5].inputs.push("scale".into());
    let shapes = network.shapes().unwrap();
    for (node, output) in network.nodes.clone().iter().zip(&shapes) {
        let input = network.shape_of(&node.inputs[0], &shapes);
        for spec in network.tensor_specs(&node.op, input, *output) {
            let values = vec![1; spec.shape.iter().product()];
            network.set_tensor(&node.name, spec.name, spec.shape, values);
        }
    }
    network
}

fn program() -> Program {
    let arch = ArchConfig::sized(4, 4, 8);
    let pool = Pool {
        kernel_height: 2,
        kernel_width: 1,
        kx_step: 1,
        blocks: 1,
        out_height: 2,
        out_width: 3,
        frames: 2,
        shift: 1,
        ..Pool::default()
    };
    let step = Step { node: "n".into(), task: Task::Pool(pool), additions: 5 };
    let shape = Shape::new(3, 2, 3);
    let mut program = Program {
        name: "p".into(),
        arch,
        build_id: 7,
        time_steps: 2,
        classes: 2,
        input: Shape::new(2, 4, 6),
        input_frames: 1,
        steps: vec![step],
        placements: vec![Placement { node: "n".into(), base: 0, words: 12, frames: 2, shape, written_by: 0 }],
        memory: MemoryUse { weight: 2, parameter: 1, ..MemoryUse::default() },
        weights: vec![1, 2],
        parameters: vec![3],
    };
    program.memory.schedule = program.schedule().len();
    program
}

/// What a leaf of a JSON text is replaced by.
fn strange() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!(0),
        json!(1),
        json!(-1),
        json!(1u64 << 20),
        json!(1u64 << 31),
        json!(1u64 << 40),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1e300),
        json!(0.5),
        json!(""),
        json!("input"),
        json!("add"),
        json!("fc"),
        json!(true),
        json!(null),
        json!([]),
        json!({}),
    ])
}

/// Replaces the `index`-th leaf, in the order of the text.
fn replace(value: &mut Value, index: &mut usize, by: &Value) {
    let leaf = match value {
        Value::Array(items) if !items.is_empty() => {
            items.iter_mut().for_each(|item| replace(item, index, by));
            false
        }
        Value::Object(items) if !items.is_empty() => {
            items.values_mut().for_each(|item| replace(item, index, by));
            false
        }
        _ => true,
    };
    if leaf {
        if *index == 0 {
            *value = by.clone();
        }
        *index = index.wrapping_sub(1);
    }
}

fn leaves(value: &Value) -> usize {
    match value {
        Value::Array(items) if !items.is_empty() => items.iter().map(leaves).sum(),
        Value::Object(items) if !items.is_empty() => items.values().map(leaves).sum(),
        _ => 1,
    }
}

fn break_json(file: &Path, changes: &[(prop::sample::Index, Value)]) {
    let mut json: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    for (index, by) in changes {
        let mut index = index.index(leaves(&json));
        replace(&mut json, &mut index, by);
    }
    fs::write(file, json.to_string()).unwrap();
}

fn break_bytes(file: &Path, at: prop::sample::Index, by: u8, cut: bool) {
    let mut bytes = fs::read(file).unwrap();
    let at = at.index(bytes.len());
    bytes[at] = by;
    if cut {
        bytes.truncate(at);
    }
    fs::write(file, bytes).unwrap();
}

/// A network, an integer network and a program.
static SAVED: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    network().save(folder.path()).unwrap();
    quant().save(folder.path()).unwrap();
    program().save(folder.path()).unwrap();
    folder
});

/// Loads what [`SAVED`] holds after `change` to the file called `name`.
fn load_changed(name: &str, change: impl Fn(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(SAVED.path()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    change(&folder.path().join(name));
    let results = [
        Network::load(folder.path()).map(|_| ()),
        QuantNetwork::load(folder.path()).map(|_| ()),
        Program::load(folder.path()).map(|_| ()),
    ];
    let failures = results.into_iter().filter_map(Result::err);
    failures.for_each(|error| assert!(!error.to_string().is_empty()));
}

#[test]
fn what_is_whole_is_read() {
    assert_eq!(Network::load(SAVED.path()).unwrap(), network());
    assert_eq!(QuantNetwork::load(SAVED.path()).unwrap(), quant());
    assert_eq!(Program::load(SAVED.path()).unwrap(), program());
}

#[test]
fn a_maximum_of_the_input_is_refused() {
    let mut network = quant();
    let most = QuantOp::MaxPool { kernel: 2, stride: 2, padding: 0 };
    network.nodes = chain(vec![("most", most), ("fc", QuantOp::Linear { out_features: 2 })]);
    let error = network.validate().unwrap_err().to_string();
    assert!(error.contains("node `most`") && error.contains("takes a maximum of the input"), "{error}");
}

proptest! {
    #[test]
    fn broken_json_is_an_error(
        file in prop::sample::select(vec!["network.json", "quant.json", "program.json"]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), strange()), 1..4),
    ) {
        load_changed(file, |file| break_json(file, &changes));
    }

    #[test]
    fn broken_bytes_are_an_error(
        file in prop::sample::select(vec!["weights.safetensors", "quant.safetensors", "weights.mem", "schedule.mem"]),
        at in any::<prop::sample::Index>(),
        by in any::<u8>(),
        cut in any::<bool>(),
    ) {
        load_changed(file, |file| break_bytes(file, at, by, cut));
    }
}
