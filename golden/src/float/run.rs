//! One inference of a float network, and the classes of many.

use super::neuron::{MembraneNorm, Neuron};
use super::norm::BatchNorm;
use super::step::per_channel;
use crate::error::{Result, check_input};
use empf_ir::{INPUT, Input, Network, NeuronVersion, Node, Op, Shape, WeightKind};
use ndarray::{Array2, Array4, ArrayView4, ArrayView5, Axis};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// What a float network computed for one input.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatTrace {
    /// `[frame, channel, y, x]` by node name. A tensor that does not depend on the step has one frame.
    pub tensors: BTreeMap<String, Array4<f64>>,
    /// The last node's outputs, summed over its frames.
    pub logits: Vec<f64>,
}

impl FloatTrace {
    /// Index of the largest logit; of equal ones the first.
    pub fn class(&self) -> usize {
        let better = |best: usize, i: usize| if self.logits[i] > self.logits[best] { i } else { best };
        (0..self.logits.len()).reduce(better).unwrap_or(0)
    }
}

/// Every node's activations for one input `[frame, channel, y, x]`.
pub fn run(network: &Network, input: ArrayView4<u8>) -> Result<FloatTrace> {
    network.validate()?;
    evaluate(network, input)
}

/// Class of each input of a batch `[image, frame, channel, y, x]`, on all cores.
pub fn classify(network: &Network, images: ArrayView5<u8>) -> Result<Vec<usize>> {
    network.validate()?;
    (0..images.len_of(Axis(0)))
        .into_par_iter()
        .map(|i| Ok(evaluate(network, images.index_axis(Axis(0), i))?.class()))
        .collect()
}

/// The values of the codes `[frame, channel, y, x]` of an input.
pub fn values(input: &Input, codes: ArrayView4<u8>) -> Array4<f64> {
    let mut values = codes.mapv(f64::from);
    for ((_, channel, ..), value) in values.indexed_iter_mut() {
        *value = input.value(channel, *value as u8);
    }
    values
}

fn evaluate(network: &Network, input: ArrayView4<u8>) -> Result<FloatTrace> {
    check_input(input.shape(), network.input.frames, network.input.shape())?;
    let shapes = network.shapes()?;
    let mut tensors = BTreeMap::from([(INPUT.to_owned(), values(&network.input, input))]);
    for node in &network.nodes {
        let result = {
            let inputs: Vec<_> = node.inputs.iter().map(|name| tensors[name].view()).collect();
            apply(network, node, network.shape_of(&node.inputs[0], &shapes), &inputs)?
        };
        let format = network.codes.as_ref().and_then(|codes| codes.format(&node.name));
        let result = match format {
            Some(format) => result.mapv_into(|value| format.nearest(value)),
            None => result,
        };
        tensors.insert(node.name.clone(), result);
    }
    tensors.remove(INPUT);
    let logits = network.nodes.last().map(|n| tensors[&n.name].sum_axis(Axis(0)).into_iter().collect());
    Ok(FloatTrace { tensors, logits: logits.unwrap_or_default() })
}

/// Result of one node. `shape` is its first input's.
fn apply(
    network: &Network,
    node: &Node<Op>,
    shape: Shape,
    inputs: &[ArrayView4<f64>],
) -> Result<Array4<f64>> {
    let x = inputs[0].view();
    let values = |name: &str| network.tensor(&node.name, name).map(|(_, values)| values);
    let per_channel = |name: &str| per_channel(network, &node.name, name, shape.channels);
    Ok(match node.op {
        Op::Conv { out_channels, kernel, stride, padding, weights } => {
            let values = values("weight")?;
            let mut at = values.iter().map(|w| used_weight(*w, weights));
            let dims = (out_channels, shape.channels, kernel, kernel);
            let weight = Array4::from_shape_simple_fn(dims, || at.next().unwrap_or_default());
            super::conv::conv(x, weight.view(), stride, padding)
        }
        Op::BatchNorm { eps } => {
            let (gamma, bias) = (values("gamma")?, values("bias")?);
            let (mean, var) = (per_channel("mean")?, per_channel("var")?);
            super::norm::batch_norm(x, &BatchNorm { gamma, bias, mean, var, eps: eps.into() })
        }
        Op::Neuron { version, eps } => {
            let lambda = (version != NeuronVersion::III).then(|| per_channel("lambda")).transpose()?;
            let membrane_norm = || -> Result<_> {
                Ok(MembraneNorm {
                    alpha: per_channel("alpha")?,
                    beta: per_channel("beta")?,
                    gamma: per_channel("gamma")?,
                    b: per_channel("b")?,
                    mean: per_channel("mean")?,
                    var: per_channel("var")?,
                    eps: eps.into(),
                })
            };
            let norm = (version == NeuronVersion::II).then(membrane_norm).transpose()?;
            super::neuron::neuron(x, &Neuron { lambda, theta: per_channel("theta")?, norm })
        }
        Op::Lif { leak, threshold } => super::lif::lif(x, network.time_steps, leak.into(), threshold.into()),
        Op::AvgPool { kernel, stride } => super::pool::avg_pool(x, [kernel; 2], [stride; 2]),
        Op::GlobalAvgPool => {
            let window = [shape.height, shape.width];
            super::pool::avg_pool(x, window, window)
        }
        Op::MaxPool { kernel, stride, padding } => super::pool::max_pool(x, kernel, stride, padding),
        Op::Seca { .. } => {
            let weight: Vec<f64> = values("weight")?.iter().copied().map(f64::from).collect();
            super::seca::seca(x, &weight)
        }
        Op::Linear { out_features } => {
            let weight = values("weight")?;
            let weight = Array2::from_shape_fn((out_features, shape.elements()), |(o, i)| {
                f64::from(weight[o * shape.elements() + i])
            });
            super::conv::linear(x, weight.view(), values("bias")?)
        }
        Op::Add => &x + &inputs[1],
    })
}

/// The weight that a convolution multiplies with.
fn used_weight(stored: f32, kind: WeightKind) -> f64 {
    match kind {
        WeightKind::Float => stored.into(),
        WeightKind::Sign if stored >= 0.0 => 1.0,
        WeightKind::Sign => -1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_the_largest_logits_is_the_class() {
        let class = |logits: &[f64]| FloatTrace { tensors: BTreeMap::new(), logits: logits.into() }.class();
        assert_eq!([class(&[3.0, 1.0, 2.0]), class(&[1.0, 3.0, 3.0]), class(&[-1.0])], [0, 1, 0]);
    }
}
