//! Runs the draft on images and notes what ranges its numbers take.

use crate::draft::{Affine, Draft, DraftOp, Neuron};
use crate::histogram::Histogram;
use crate::{Error, Result};
use empf_golden::float;
use empf_ir::{INPUT, Node};
use ndarray::{Array2, Array3, Array4, ArrayView4, ArrayView5, Axis, Zip};
use rayon::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;

/// Ranges by node name.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Calibration {
    /// Largest magnitude of a current, and of a neuron's potentials before and after it fires.
    pub magnitudes: BTreeMap<String, f64>,
    /// Values of spikes and of their means.
    pub values: BTreeMap<String, Histogram>,
}

/// Ranges of `draft` over a batch `[image, frame, channel, y, x]`, on all cores.
pub fn calibrate(draft: &Draft, images: ArrayView5<u8>) -> Result<Calibration> {
    let shape = draft.input.shape();
    let expected = [draft.input.frames, shape.channels, shape.height, shape.width];
    if images.shape()[1..] != expected {
        let found = images.shape()[1..].to_vec();
        return Err(Error::Calibration(empf_golden::Error::Input { found, expected: expected.into() }));
    }
    if images.is_empty() {
        return Err(Error::NoImages);
    }
    let seen = (0..images.len_of(Axis(0)))
        .into_par_iter()
        .map(|i| observe(draft, images.index_axis(Axis(0), i)))
        .try_reduce(Calibration::default, |a, b| Ok(a.merged(b)))?;
    match seen.magnitudes.iter().find(|(_, magnitude)| !magnitude.is_finite()) {
        Some((node, _)) => Err(Error::unsupported(
            node,
            "its numbers grow beyond those of 64-bit floating point on the calibration images; scale its weights down",
        )),
        None => Ok(seen),
    }
}

impl Calibration {
    /// Neurons of `draft` that did not spike once.
    pub fn silent<'d>(&self, draft: &'d Draft) -> Vec<&'d str> {
        let is_silent = |name: &str| self.values.get(name).and_then(Histogram::limit).is_none();
        let neurons = draft.nodes.iter().filter(|node| matches!(node.op, DraftOp::Neuron(_)));
        neurons.map(|node| node.name.as_str()).filter(|name| is_silent(name)).collect()
    }

    /// Order does not matter: maxima and counts.
    fn merged(mut self, other: Calibration) -> Self {
        for (node, magnitude) in other.magnitudes {
            self.magnitude(&node, magnitude);
        }
        for (node, histogram) in other.values {
            self.values.entry(node).or_default().merge(histogram);
        }
        self
    }

    fn magnitude(&mut self, node: &str, magnitude: f64) {
        let largest = self.magnitudes.entry(node.into()).or_default();
        *largest = largest.max(magnitude);
    }

    fn currents(&mut self, node: &str, values: &Array4<f64>) {
        // What is no number came of infinities.
        let size = |v: &f64| if v.is_nan() { f64::INFINITY } else { v.abs() };
        self.magnitude(node, values.iter().map(size).fold(0.0, f64::max));
    }

    fn spikes(&mut self, node: &str, values: &Array4<f64>) {
        let histogram = self.values.entry(node.into()).or_default();
        values.iter().for_each(|v| histogram.add(*v));
    }
}

/// One inference of the draft in 64-bit floating point.
fn observe(draft: &Draft, image: ArrayView4<u8>) -> Result<Calibration> {
    let mut seen = Calibration::default();
    let mut tensors = BTreeMap::from([(INPUT, float::values(&draft.input, image))]);
    for node in &draft.nodes {
        let x = &tensors[node.inputs[0].as_str()];
        let result = match &node.op {
            DraftOp::Conv(conv) => {
                let sums = float::conv(x.view(), conv.weight.view(), conv.stride, conv.padding);
                affine(sums.view(), &conv.affine)
            }
            DraftOp::Neuron(neuron) => fire(&node.name, x, neuron, &mut seen),
            DraftOp::AvgPool { kernel, stride } => float::avg_pool(x.view(), *kernel, *stride),
            DraftOp::MaxPool { kernel, stride, padding } => {
                float::max_pool(x.view(), *kernel, *stride, *padding)
            }
            DraftOp::Widen { gain } => scaled(x.view(), gain),
            DraftOp::Seca { weight, gain } => scaled(float::seca(x.view(), weight).view(), gain),
            DraftOp::Add => x + &tensors[node.inputs[1].as_str()],
            DraftOp::Linear { .. } => continue,
            DraftOp::BatchNorm(_) => return Err(not_folded(node)),
        };
        let result = match draft.format(&node.name) {
            Some(format) => result.mapv_into(|value| format.nearest(value)),
            None => result,
        };
        match node.op {
            DraftOp::Conv(_) | DraftOp::Widen { .. } | DraftOp::Seca { .. } | DraftOp::Add => {
                seen.currents(&node.name, &result);
            }
            _ => seen.spikes(&node.name, &result),
        }
        tensors.insert(&node.name, result);
    }
    Ok(seen)
}

fn not_folded(node: &Node<DraftOp>) -> Error {
    Error::unsupported(&node.name, "is still a batch normalisation; run `fold_bn` first")
}

/// The affine map of every time-step; sums of one frame serve all of them.
fn affine(sums: ArrayView4<f64>, map: &Affine) -> Array4<f64> {
    float::per_step(sums, map.gain.nrows(), |t, c, sum| map.gain[[t, c]] * sum + map.bias[[t, c]])
}

/// `x` times the gain of every time-step and channel.
fn scaled(x: ArrayView4<f64>, gain: &Array2<f64>) -> Array4<f64> {
    float::per_step(x, gain.nrows(), |t, c, value| gain[[t, c]] * value)
}

/// Spikes of every time-step.
fn fire(name: &str, current: &Array4<f64>, p: &Neuron, seen: &mut Calibration) -> Array4<f64> {
    let mut spikes = Array4::zeros(current.raw_dim());
    let mut potential = Array3::<f64>::zeros(current.index_axis(Axis(0), 0).raw_dim());
    let mut largest: f64 = 0.0;
    for (t, (mut spikes, current)) in spikes.outer_iter_mut().zip(current.outer_iter()).enumerate() {
        Zip::indexed(&mut spikes).and(&mut potential).and(&current).for_each(|(c, _, _), s, v, i| {
            let at = [t, c];
            let m = p.lambda[at] * *v + i;
            *s = (m - p.theta[at]).max(0.0);
            *v = if p.parallel { 0.0 } else { m.min(p.theta[at]) - p.offset[at] };
            largest = largest.max(m.abs()).max(v.abs());
        });
    }
    seen.magnitude(name, largest);
    spikes
}
