//! An integer network without numbers: what cycles and memories hang on.

use crate::passes::quantize::without_nodes;
use crate::passes::resolve::widened;
use crate::{Error, Result};
use empf_ir::{ArchConfig, Border, Network, NeuronVersion, Node, Op, QuantNetwork, QuantOp};
use std::collections::HashMap;

/// The integer network that `network` becomes for the bits of `arch`: its nodes, with shifts of 0, and no tensors. The
/// tensors of `network` are not looked at, and there need be none.
///
/// # Errors
/// A graph that has no integers. What a compilation refuses for its numbers is not found.
pub(crate) fn sketch(network: &Network, arch: &ArchConfig) -> Result<QuantNetwork> {
    network.check_integers()?;
    let shapes = network.shapes()?;
    let Network { name, time_steps, classes, class_names, input, .. } = network;
    let mut sketch = without_nodes(name, [*time_steps, *classes], class_names, input, arch);
    // Normalisations are folded into the convolutions that they read.
    let mut folded = HashMap::new();
    for node in &network.nodes {
        if let Op::BatchNorm { .. } = node.op {
            let source = folded.get(&node.inputs[0]).copied().unwrap_or(&node.inputs[0]);
            check_foldable(network, node, source)?;
            folded.insert(&node.name, source);
            continue;
        }
        let mut inputs: Vec<String> =
            node.inputs.iter().map(|input| folded.get(input).copied().unwrap_or(input).clone()).collect();
        for (value, name) in widened(network, node) {
            inputs.iter_mut().filter(|input| **input == value).for_each(|input| input.clone_from(&name));
            let op = QuantOp::Widen { shift: 0 };
            sketch.nodes.push(Node { name, inputs: vec![value], op });
        }
        let read = network.shape_of(&node.inputs[0], &shapes);
        let op = op(node, [read.height, read.width])?;
        sketch.nodes.push(Node { name: node.name.clone(), inputs, op });
    }
    Ok(sketch)
}

/// A normalisation is the only one that reads the convolution `source`, be it through others.
fn check_foldable(network: &Network, norm: &Node<Op>, source: &str) -> Result<()> {
    let readers = network.nodes.iter().filter(|node| node.inputs.contains(&norm.inputs[0])).count();
    let is_conv = network.nodes.iter().any(|node| node.name == source && matches!(node.op, Op::Conv { .. }));
    if is_conv && readers == 1 { Ok(()) } else { Err(Error::unfoldable(&norm.name)) }
}

/// The operator of a node that reads maps of so many rows and columns.
fn op(node: &Node<Op>, map: [usize; 2]) -> Result<QuantOp> {
    Ok(match node.op {
        Op::Conv { out_channels, kernel, stride, padding, weights } => QuantOp::Conv {
            out_channels,
            kernel,
            stride,
            padding,
            weights,
            zero_point: Border::from(0),
            shift: 0,
        },
        Op::Neuron { version, .. } => QuantOp::Neuron { parallel: version == NeuronVersion::III, shift: 0 },
        Op::AvgPool { kernel, stride } => {
            QuantOp::AvgPool { kernel: [kernel; 2], stride: [stride; 2], shift: 0 }
        }
        Op::GlobalAvgPool => QuantOp::AvgPool { kernel: map, stride: map, shift: 0 },
        Op::MaxPool { kernel, stride, padding } => QuantOp::MaxPool { kernel, stride, padding },
        Op::Seca { kernel } => QuantOp::Seca { kernel, shift: 0 },
        Op::Linear { out_features } => QuantOp::Linear { out_features },
        Op::Add => QuantOp::Add,
        Op::Lif { .. } => return Err(Error::without_integers(&node.name)),
        Op::BatchNorm { .. } => return Err(Error::unfoldable(&node.name)),
    })
}
