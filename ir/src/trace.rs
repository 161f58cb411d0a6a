//! What an engine computed for one input.

use ndarray::Array4;
use std::collections::BTreeMap;

/// Result of one inference: the logits, and every intermediate tensor that the engine can see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// `[frame, channel, y, x]` by node name. The schedule-level engines and the Verilog see the tensors
    /// that lie in the activation memory; golden model and trainer see every node's.
    pub tensors: BTreeMap<String, Array4<i32>>,
    /// `[frame, channel, y, x]` by node name: currents and spikes as the neuron lanes gave them, where an engine of a
    /// schedule was asked to look there.
    pub lanes: BTreeMap<String, Array4<i32>>,
    /// One sum over all time-steps for each class.
    pub logits: Vec<i32>,
    /// Cycles from start to the last logit, where the engine counts them.
    pub cycles: Option<u64>,
}

impl Trace {
    /// Index of the largest logit; of equal ones the first.
    pub fn class(&self) -> usize {
        answer(&self.logits)
    }
}

/// Index of the largest of `logits`, the first of equals; 0 where there are none.
pub fn answer<L: PartialOrd>(logits: &[L]) -> usize {
    (1..logits.len()).fold(0, |best, i| if logits[i] > logits[best] { i } else { best })
}
