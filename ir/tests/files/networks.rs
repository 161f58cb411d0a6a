//! Small networks of every operator.

use empf_ir::isa::{Pool, Task};
use empf_ir::program::{MemoryUse, Placement, Step};
use empf_ir::{
    ArchConfig, INPUT, Input, Network, NeuronVersion, Node, Op, Program, QuantInput, QuantNetwork, QuantOp,
    Shape, WeightKind,
};

pub(crate) fn chain<O>(operators: Vec<(&str, O)>) -> Vec<Node<O>> {
    let names: Vec<String> = operators.iter().map(|(name, _)| name.to_string()).collect();
    let reads = |i: usize| if i == 0 { INPUT.to_owned() } else { names[i - 1].clone() };
    let node = |(i, (name, op)): (usize, (&str, O))| Node { name: name.into(), inputs: vec![reads(i)], op };
    operators.into_iter().enumerate().map(node).collect()
}

pub(crate) fn network() -> Network {
    let conv = Op::Conv { out_channels: 3, kernel: 3, stride: 1, padding: 1, weights: WeightKind::Sign };
    let nodes = chain(vec![
        ("conv", conv),
        ("bn", Op::BatchNorm { eps: 1e-5 }),
        ("neuron", Op::Neuron { version: NeuronVersion::II, eps: 1e-5 }),
        ("pool", Op::AvgPool { kernel: 2, stride: 2 }),
        ("gap", Op::GlobalAvgPool),
        ("fc", Op::Linear { out_features: 2 }),
    ]);
    let input =
        Input { channels: 2, height: 4, width: 6, frames: 2, zero_point: 9.0.into(), scale: 0.5.into() };
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

pub(crate) fn quant() -> QuantNetwork {
    let weights = WeightKind::Sign;
    let conv = QuantOp::Conv {
        out_channels: 3,
        kernel: 3,
        stride: 2,
        padding: 1,
        weights,
        zero_point: 7.into(),
        shift: 2,
    };
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

pub(crate) fn program() -> Program {
    let arch = ArchConfig::sized(4, 4, 8);
    let pool = Pool {
        in_height: 4,
        in_width: 3,
        stride_height: 2,
        stride_width: 1,
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
    let step = Step { node: "n".into(), task: Task::Pool(pool), additions: 5, currents: None };
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
        placements: vec![Placement {
            node: "n".into(),
            base: 0,
            words: 12,
            frames: 2,
            shape,
            written_by: [0, 0],
        }],
        checksums: Default::default(),
        memory: MemoryUse { weight: 2, parameter: 1, ..MemoryUse::default() },
        weights: vec![1, 2],
        parameters: vec![3],
    };
    program.memory.schedule = program.schedule().len();
    program.sealed()
}
