//! Membrane formats, `2^-F`: one for all currents that are ever added to each other, and for the neurons that read
//! them.
//!
//! A format is the finest in which everything that was seen fits V bits, and with which every factor and shift fits
//! what the hardware has for it. The second is found by trying: a node that does not fit makes its format coarser by
//! the bits that it lacks. What other nodes read changes with it, so that all are quantized again.

use super::weights::{channel_weights, magnitude};
use crate::Error;
use crate::draft::{Conv, Draft, DraftOp};
use crate::passes::calibrate::Calibration;
use empf_ir::Node;

/// Numbers below this power of two are nothing beside any that a network stores.
const LEAST_EXPONENT: i32 = -500;

/// Why a node has no integers.
pub(super) enum Misfit {
    /// Its membrane format is too fine.
    TooFine {
        /// Bits by which a coarser one would do.
        bits: u32,
        /// What does not fit.
        error: Error,
    },
    /// No format helps.
    Refused(Error),
}

impl From<Error> for Misfit {
    fn from(error: Error) -> Self {
        Misfit::Refused(error)
    }
}

/// Integers, or why there are none.
pub(super) type Fit<T> = Result<T, Misfit>;

/// The membrane formats of a draft.
pub(super) struct Formats {
    /// For each node, the first one with which it shares its format.
    groups: Vec<usize>,
    /// `-F` of each group.
    exponents: Vec<i32>,
    /// Bits by which each group may still become coarser, until what was seen is lost.
    spare: Vec<u32>,
}

impl Formats {
    /// The finest formats of `bits` bits for what was seen.
    pub(super) fn finest(draft: &Draft, seen: &Calibration, bits: u32) -> Self {
        let groups = groups(draft);
        let limit = f64::from((1 << (bits - 1)) - 1);
        let finest = |group| (range(draft, seen, &groups, group) / limit).log2().ceil() as i32;
        let exponent = |group| finest(group).max(LEAST_EXPONENT);
        let exponents = (0..groups.len()).map(exponent).collect();
        Formats { spare: vec![bits - 2; groups.len()], groups, exponents }
    }

    /// Value of the membrane code 1 of node `index`.
    pub(super) fn unit(&self, index: usize) -> f64 {
        f64::from(self.exponents[self.groups[index]]).exp2()
    }

    /// Makes the format of node `index` coarser by `bits`; `None` where it has not as many.
    pub(super) fn coarsen(&mut self, index: usize, bits: u32) -> Option<()> {
        let group = self.groups[index];
        self.spare[group] = self.spare[group].checked_sub(bits)?;
        self.exponents[group] += bits as i32;
        Some(())
    }
}

fn groups(draft: &Draft) -> Vec<usize> {
    let mut groups: Vec<usize> = (0..draft.nodes.len()).collect();
    for (index, node) in draft.nodes.iter().enumerate() {
        if matches!(node.op, DraftOp::Add | DraftOp::Neuron(_)) {
            for input in node.inputs.iter().filter_map(|name| draft.position(name)) {
                let (a, b) = (groups[input], groups[index]);
                groups.iter_mut().filter(|g| **g == a || **g == b).for_each(|g| *g = a.min(b));
            }
        }
    }
    groups
}

/// Largest magnitude that a group's format must hold. Where nothing was seen, thresholds give the size; else it is 1.
fn range(draft: &Draft, seen: &Calibration, groups: &[usize], group: usize) -> f64 {
    let members = || draft.nodes.iter().zip(groups).filter(|(_, of)| **of == group).map(|(node, _)| node);
    let largest = |of: &dyn Fn(&Node<DraftOp>) -> f64| members().map(of).fold(0.0, f64::max);
    let held = largest(&|node| {
        let of_parameters = match &node.op {
            DraftOp::Conv(conv) => largest_bias(draft, node, conv),
            DraftOp::Neuron(neuron) => magnitude(neuron.offset.view()),
            _ => 0.0,
        };
        seen.magnitudes.get(&node.name).copied().unwrap_or_default().max(of_parameters)
    });
    let thresholds = largest(&|node| match &node.op {
        DraftOp::Neuron(neuron) => magnitude(neuron.theta.view()),
        _ => 0.0,
    });
    [held, thresholds].into_iter().find(|range| *range > 0.0).unwrap_or(1.0)
}

/// Largest magnitude of a bias, the zero point's part included.
fn largest_bias(draft: &Draft, node: &Node<DraftOp>, conv: &Conv) -> f64 {
    let map = &conv.affine;
    let zero_points = draft.zero_points(&node.inputs[0]);
    if zero_points.iter().all(|zero| *zero == 0.0) {
        return magnitude(map.bias.view());
    }
    let scale = f64::from(draft.input.scale.of(0));
    let zeros: Vec<f64> = channel_weights(conv)
        .iter()
        .map(|channel| channel.step * channel.of_zeros(&zero_points) * scale)
        .collect();
    let bias = |((t, c), bias): ((usize, usize), &f64)| (bias - map.gain[[t, c]] * zeros[c]).abs();
    map.bias.indexed_iter().map(bias).fold(0.0, f64::max)
}
