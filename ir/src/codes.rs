//! What a network was trained to round its spikes and means to.

use crate::formats::ACT_BITS;
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};

/// Formats of the values that lie in the accelerator's activation memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Codes {
    /// A: bits of every code, 2..=8.
    pub bits: u32,
    /// Value of the code 1 by node, > 0: of neurons a power of two, of means over n values one divided by n.
    /// Every one of these nodes is there.
    pub scales: BTreeMap<String, f64>,
}

/// Values that are codes `0..2^bits`, each worth `step`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CodeFormat {
    /// A.
    pub bits: u32,
    /// Value of the code 1, > 0.
    pub step: f64,
}

impl CodeFormat {
    /// Largest value.
    pub fn limit(self) -> f64 {
        f64::from((1 << self.bits) - 1) * self.step
    }

    /// The representable value nearest to `value` >= 0; ties go up.
    pub fn nearest(self, value: f64) -> f64 {
        ((value / self.step + 0.5).floor() * self.step).min(self.limit())
    }
}

impl Codes {
    /// Format of the node called `node`, if it is a neuron or an average pooling.
    pub fn format(&self, node: &str) -> Option<CodeFormat> {
        self.scales.get(node).map(|step| CodeFormat { bits: self.bits, step: *step })
    }

    /// The scales of `neurons` are powers of two: a neuron rounds by a shift.
    pub(crate) fn check_neurons<'n>(&self, neurons: impl Iterator<Item = &'n str>) -> Result<()> {
        const FRACTION_BITS: u32 = f64::MANTISSA_DIGITS - 1;
        let is_power = |scale: f64| scale.is_normal() && scale.to_bits().trailing_zeros() >= FRACTION_BITS;
        let mut scales = neurons.filter_map(|node| Some((node, *self.scales.get(node)?)));
        match scales.find(|(_, scale)| !is_power(*scale)) {
            Some((node, scale)) => {
                let message = format!("scale {scale} is no power of two, as that of a neuron is");
                Err(Error::invalid(format!("codes of `{node}`"), message))
            }
            None => Ok(()),
        }
    }

    /// Bits and scales are in their ranges, and there is a scale for each of the nodes `giving` codes and no other.
    pub(crate) fn validate(&self, giving: &HashSet<&str>) -> Result<()> {
        if !ACT_BITS.contains(&self.bits) {
            return Err(Error::invalid("codes", format!("have {} bits, not {ACT_BITS:?}", self.bits)));
        }
        if let Some(node) = giving.iter().filter(|node| !self.scales.contains_key(**node)).min() {
            let message = "`scales` has no entry; it needs one for every neuron and average pooling";
            return Err(Error::invalid(format!("codes of `{node}`"), message));
        }
        for (node, scale) in &self.scales {
            let at = |message: String| Error::invalid(format!("codes of `{node}`"), message);
            if !(scale.is_finite() && *scale > 0.0) {
                return Err(at(format!("scale {scale} is not a positive number")));
            }
            if !giving.contains(node.as_str()) {
                return Err(at("is no neuron and no average pooling".into()));
            }
        }
        Ok(())
    }
}
