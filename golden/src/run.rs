//! One inference of an integer network, and the classes of many.

use crate::conv::{Requantizer, Window, accumulate, requantize};
use crate::error::{Error, Result, check_input};
use crate::neuron::Neuron;
use crate::parameters::{matrix, per_step, shaped};
use crate::seca::Seca;
use empf_ir::{INPUT, Node, QuantNetwork, QuantOp, Shape, Trace};
use ndarray::{Array4, ArrayView4, ArrayView5, Axis};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Every node's tensor, and the logits, for one input `[frame, channel, y, x]`. The linear node's tensor is
/// `[1, class, 1, 1]`.
pub fn run(network: &QuantNetwork, input: ArrayView4<u8>) -> Result<Trace> {
    network.validate()?;
    evaluate(network, input)
}

/// Class of each input of a batch `[image, frame, channel, y, x]`, on all cores.
pub fn classify(network: &QuantNetwork, images: ArrayView5<u8>) -> Result<Vec<usize>> {
    network.validate()?;
    (0..images.len_of(Axis(0)))
        .into_par_iter()
        .map(|i| Ok(evaluate(network, images.index_axis(Axis(0), i))?.class()))
        .collect()
}

fn evaluate(network: &QuantNetwork, input: ArrayView4<u8>) -> Result<Trace> {
    check_input(input.shape(), network.input.frames, network.input.shape())?;
    let shapes = network.shapes()?;
    let mut tensors = BTreeMap::from([(INPUT.to_owned(), input.mapv(i32::from))]);
    for node in &network.nodes {
        let result = {
            let inputs: Vec<_> = node.inputs.iter().map(|name| tensors[name].view()).collect();
            apply(network, node, network.shape_of(&node.inputs[0], &shapes), &inputs)?
        };
        tensors.insert(node.name.clone(), result);
    }
    tensors.remove(INPUT);
    let logits = network.nodes.last().map(|node| tensors[&node.name].iter().copied().collect());
    Ok(Trace { tensors, logits: logits.unwrap_or_default(), ..Trace::default() })
}

/// Result of one node. `shape` is its first input's.
fn apply(
    network: &QuantNetwork,
    node: &Node<QuantOp>,
    shape: Shape,
    inputs: &[ArrayView4<i32>],
) -> Result<Array4<i32>> {
    let (act_bits, membrane_bits) = (network.act_bits, network.membrane_bits);
    let per_step = |name: &str| per_step(network, &node.name, name);
    Ok(match node.op {
        QuantOp::Conv { out_channels, kernel, stride, padding, zero_point, shift, .. } => {
            let weight = network.tensor(&node.name, "weight")?;
            let shape = (out_channels, shape.channels, kernel, kernel);
            let weight = shaped(ArrayView4::from_shape(shape, weight), &node.name, "weight")?;
            let acc = accumulate(inputs[0], weight, Window { stride, padding, border: zero_point });
            let (mantissa, bias) = (per_step("mantissa")?, per_step("bias")?);
            requantize(acc.view(), &Requantizer { mantissa, bias, shift, membrane_bits })
        }
        QuantOp::Neuron { .. } => crate::neuron::neuron(inputs[0], &Neuron::of(network, &node.name)?),
        QuantOp::AvgPool { kernel, stride, shift } => {
            crate::pool::avg_pool(inputs[0], kernel, stride, shift, act_bits)
        }
        QuantOp::MaxPool { kernel, stride, padding } => {
            crate::pool::max_pool(inputs[0], kernel, stride, padding)
        }
        QuantOp::Linear { .. } => {
            let weight = matrix(network, &node.name, "weight", shape.elements())?;
            let logits = crate::linear::linear(inputs[0], weight, network.tensor(&node.name, "bias")?);
            narrow(&logits, &node.name)?
        }
        QuantOp::Widen { shift } => crate::widen::widen(inputs[0], network.time_steps, shift, membrane_bits),
        QuantOp::Scale { shift } => {
            crate::scale::scale(inputs[0], per_step("mantissa")?, shift, membrane_bits)
        }
        QuantOp::Seca { kernel, shift } => {
            let score = network.tensor(&node.name, "score")?;
            let mantissa = per_step("mantissa")?;
            crate::seca::seca(inputs[0], &Seca { kernel, score, mantissa, shift, membrane_bits })
        }
        QuantOp::Add => crate::add::add(inputs[0], inputs[1], membrane_bits),
    })
}

/// Logits as a tensor `[1, class, 1, 1]`.
fn narrow(logits: &[i64], node: &str) -> Result<Array4<i32>> {
    let mut tensor = Array4::zeros((1, logits.len(), 1, 1));
    for (class, (narrow, value)) in tensor.iter_mut().zip(logits).enumerate() {
        let overflow = |_| Error::Logit { node: node.into(), class, value: *value };
        *narrow = i32::try_from(*value).map_err(overflow)?;
    }
    Ok(tensor)
}
