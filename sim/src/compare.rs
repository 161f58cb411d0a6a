//! Exact comparison of two engines' results, and where they first differ.

use empf_ir::isa::Task;
use empf_ir::program::Placement;
use empf_ir::{Program, QuantNetwork, Trace};
use ndarray::Array4;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Name under which the logits are compared.
pub const LOGITS: &str = "logits";

/// One element that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Node whose result it is, or [`LOGITS`].
    pub layer: String,
    /// Time-step.
    pub time_step: usize,
    /// Channel, or class.
    pub channel: usize,
    /// Row.
    pub y: usize,
    /// Column.
    pub x: usize,
    /// Value of the engine that is held to be right.
    pub expected: i64,
    /// Value of the other.
    pub got: i64,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Mismatch { layer, time_step, channel, y, x, expected, got } = self;
        write!(
            f,
            "layer `{layer}`, time-step {time_step}, channel {channel}, y {y}, x {x}: expected {expected}, got {got}"
        )
    }
}

/// Result of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// The first element that differs, in the order of the layers.
    pub first: Option<Mismatch>,
    /// Elements compared and elements that differ of each layer.
    pub layers: BTreeMap<String, Count>,
    /// Layers whose shapes differ, that are missing, or that nobody expects.
    pub incomparable: Vec<String>,
    /// Cycles of both, where both count and they differ.
    pub cycles: Option<[u64; 2]>,
}

/// Elements of one layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Elements compared.
    pub compared: usize,
    /// Elements that differ.
    pub mismatches: usize,
}

impl Comparison {
    /// Elements that differ, over all layers.
    pub fn mismatches(&self) -> usize {
        self.layers.values().map(|count| count.mismatches).sum()
    }

    /// Nothing differs, cycles included.
    pub fn is_equal(&self) -> bool {
        self.mismatches() == 0 && self.incomparable.is_empty() && self.cycles.is_none()
    }

    /// Adds the counts of another sample; the first mismatch stays the first.
    pub fn merge(&mut self, other: Comparison) {
        for (layer, count) in other.layers {
            let sum = self.layers.entry(layer).or_default();
            sum.compared += count.compared;
            sum.mismatches += count.mismatches;
        }
        self.incomparable.extend(other.incomparable);
        self.first = self.first.take().or(other.first);
        self.cycles = self.cycles.or(other.cycles);
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if self.is_equal() {
            return write!(f, "0 mismatches in {} layers", self.layers.len());
        }
        write!(f, "{} mismatches", self.mismatches())?;
        if let Some(first) = &self.first {
            write!(f, "; first: {first}")?;
        }
        for layer in &self.incomparable {
            write!(f, "; {layer}")?;
        }
        if let Some([expected, got]) = self.cycles {
            write!(f, "; {expected} cycles expected, got {got}")?;
        }
        Ok(())
    }
}

/// What an engine gives for every input, whatever its numbers are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Promise {
    /// Nodes whose tensors it shows.
    pub nodes: BTreeSet<String>,
    /// Packed windows of the input, which are no node's result and only engines that run a schedule have.
    pub windows: BTreeSet<String>,
    /// It counts cycles.
    pub cycles: bool,
}

impl Promise {
    /// Every node's tensor.
    pub fn of_network(network: &QuantNetwork) -> Self {
        let nodes = network.nodes.iter().map(|node| node.name.clone()).collect();
        Promise { nodes, ..Promise::default() }
    }

    /// Every tensor that lies in the activation memory, and the cycles.
    pub fn of_program(program: &Program) -> Self {
        let unfolds =
            |step: usize| program.steps.get(step).is_some_and(|s| matches!(s.task, Task::Unfold(_)));
        let (windows, nodes) = program.placements.iter().partition::<Vec<_>, _>(|p| unfolds(p.written_by[1]));
        let names = |places: Vec<&Placement>| places.into_iter().map(|place| place.node.clone()).collect();
        Promise { nodes: names(nodes), windows: names(windows), cycles: true }
    }
}

/// Compares every tensor that `got` is to have by `promise`, windows first and then in `order` (the network's
/// nodes), then the logits, then the cycles.
///
/// `got` has what was promised, no more and no less. `expected` may see more than that, never less: only windows
/// and cycles, which a network does not define, are compared just where it has them.
pub fn compare(order: &[&str], promise: &Promise, expected: &Trace, got: &Trace) -> Comparison {
    let mut result = Comparison::default();
    let Promise { nodes, windows, cycles } = promise;
    for layer in nodes.iter().filter(|layer| !order.contains(&layer.as_str())) {
        result.incomparable.push(format!("layer `{layer}` is no node of the network"));
    }
    for layer in got.tensors.keys().filter(|layer| !nodes.contains(*layer) && !windows.contains(*layer)) {
        result.incomparable.push(format!("layer `{layer}` was not promised"));
    }
    let promised = order.iter().copied().filter(|layer| nodes.contains(*layer));
    for layer in windows.iter().map(String::as_str).chain(promised) {
        match (expected.tensors.get(layer), got.tensors.get(layer)) {
            (_, None) => result.incomparable.push(format!("layer `{layer}` is missing")),
            (Some(expected), Some(got)) => result.layer(layer, expected, got),
            (None, Some(_)) if windows.contains(layer) => {}
            (None, Some(_)) => {
                result.incomparable.push(format!("layer `{layer}` has nothing to be compared with"));
            }
        }
    }
    result.layer(LOGITS, &logits(expected), &logits(got));
    match (expected.cycles, got.cycles) {
        (_, None) if *cycles => result.incomparable.push("the cycles are missing".into()),
        (Some(expected), Some(got)) => result.cycles = (expected != got).then_some([expected, got]),
        _ => {}
    }
    result
}

/// Lets later engines also be held to what only the schedule's engines know: cycles and the packed input of
/// `got`, which was equal.
pub fn adopt(expected: &mut Trace, got: Trace) {
    expected.cycles = expected.cycles.or(got.cycles);
    for (name, tensor) in got.tensors {
        expected.tensors.entry(name).or_insert(tensor);
    }
}

/// Logits as channels of one position.
fn logits(trace: &Trace) -> Array4<i32> {
    Array4::from_shape_fn((1, trace.logits.len(), 1, 1), |(_, class, _, _)| trace.logits[class])
}

impl Comparison {
    fn layer(&mut self, layer: &str, expected: &Array4<i32>, got: &Array4<i32>) {
        if expected.shape() != got.shape() {
            let message =
                format!("layer `{layer}` has shape {:?}, expected {:?}", got.shape(), expected.shape());
            self.incomparable.push(message);
            return;
        }
        let mut count = Count { compared: expected.len(), mismatches: 0 };
        for ((index, expected), got) in expected.indexed_iter().zip(got) {
            if expected != got {
                count.mismatches += 1;
                let (time_step, channel, y, x) = index;
                let (expected, got) = (i64::from(*expected), i64::from(*got));
                let layer = layer.to_owned();
                self.first.get_or_insert(Mismatch { layer, time_step, channel, y, x, expected, got });
            }
        }
        self.layers.insert(layer.to_owned(), count);
    }
}
