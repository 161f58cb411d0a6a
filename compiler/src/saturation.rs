//! How many numbers of an integer network are cut at the ends of their formats.

use crate::Result;
use empf_golden::neuron::{Neuron, walk};
use empf_ir::graph::Kind;
use empf_ir::graph::Operator;
use empf_ir::{Node, QuantNetwork, QuantOp, Trace};
use ndarray::{ArrayView5, Axis};
use rayon::prelude::*;
use serde::Serialize;
use std::fmt;

/// Shares of spikes and of other numbers above which saturation is notable.
const NOTABLE_SPIKES: f64 = 0.05;
const NOTABLE: f64 = 0.01;

/// What a node's numbers are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Number {
    /// Signed, V bits.
    Current,
    /// Of a neuron, before and after it fires: signed, V bits.
    Potential,
    /// And means of them: unsigned, A bits.
    Spike,
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Number::Current => "currents",
            Number::Potential => "potentials",
            Number::Spike => "spikes",
        })
    }
}

/// The numbers of one kind of one node, over some inputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Saturation {
    /// The node.
    pub node: String,
    /// Which of its numbers.
    pub number: Number,
    /// How many have the largest or smallest value of their format; of spikes the largest.
    pub saturated: u64,
    /// How many there are.
    pub of: u64,
}

impl Saturation {
    /// Saturated numbers for each number.
    pub fn share(&self) -> f64 {
        self.saturated as f64 / self.of.max(1) as f64
    }

    /// More saturate than a good choice of formats gives.
    pub fn is_notable(&self) -> bool {
        self.share() > if self.number == Number::Spike { NOTABLE_SPIKES } else { NOTABLE }
    }
}

/// Numbers of every node that gives currents or codes, in order, over images `[image, frame, channel, y, x]`, on all
/// cores.
pub fn saturation(network: &QuantNetwork, images: ArrayView5<u8>) -> Result<Vec<Saturation>> {
    (0..images.len_of(Axis(0)))
        .into_par_iter()
        .map(|image| of_trace(network, &empf_golden::run(network, images.index_axis(Axis(0), image))?))
        .try_reduce(Vec::new, |a, b| Ok(sum(a, b)))
}

/// Of two inferences, or sets of them; one of none is empty.
pub fn sum(mut a: Vec<Saturation>, b: Vec<Saturation>) -> Vec<Saturation> {
    if a.is_empty() {
        return b;
    }
    for (a, b) in a.iter_mut().zip(b) {
        a.saturated += b.saturated;
        a.of += b.of;
    }
    a
}

/// Numbers of every node that gives currents or codes, in order, in one inference.
pub fn of_trace(network: &QuantNetwork, trace: &Trace) -> Result<Vec<Saturation>> {
    let mut all = Vec::new();
    for node in &network.nodes {
        let (number, is_end): (_, &dyn Fn(i64) -> bool) = match node.op.gives() {
            Kind::Current => (Number::Current, &|value| is_end(network, value)),
            Kind::Codes => (Number::Spike, &|value| value == i64::from(network.max_code())),
            Kind::Input | Kind::Logits => continue,
        };
        if let QuantOp::Neuron { .. } = node.op {
            all.push(potentials(network, node, trace)?);
        }
        let tensor = &trace.tensors[&node.name];
        let saturated = tensor.iter().filter(|value| is_end(i64::from(**value))).count() as u64;
        all.push(Saturation { node: node.name.clone(), number, saturated, of: tensor.len() as u64 });
    }
    Ok(all)
}

fn is_end(network: &QuantNetwork, value: i64) -> bool {
    let limit = 1i64 << (network.membrane_bits - 1);
    value == -limit || value == limit - 1
}

/// Potentials of a layer of neurons; both of a step count.
fn potentials(network: &QuantNetwork, node: &Node<QuantOp>, trace: &Trace) -> Result<Saturation> {
    let mut saturation =
        Saturation { node: node.name.clone(), number: Number::Potential, saturated: 0, of: 0 };
    let current = trace.tensors[&node.inputs[0]].view();
    walk(current, &Neuron::of(network, &node.name)?, |_, [before, _, after]| {
        saturation.saturated += [before, after].into_iter().filter(|v| is_end(network, *v)).count() as u64;
        saturation.of += 2;
    });
    Ok(saturation)
}
