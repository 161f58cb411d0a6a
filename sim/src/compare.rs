//! Exact comparison of two engines' results, and where they first differ.

use crate::origin::Origin;
use empf_ir::isa::Task;
use empf_ir::program::Placement;
use empf_ir::{Program, QuantNetwork, Trace};
use ndarray::Array4;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Name under which the logits are compared.
pub const LOGITS: &str = "logits";

/// Where an element was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Seen {
    /// Among the results: in a memory, or as a logit.
    #[default]
    Result,
    /// In the neuron lanes.
    Lanes,
}

/// One element that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// Node whose result it is, or [`LOGITS`].
    pub layer: String,
    /// Where it was seen.
    pub seen: Seen,
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
    /// What gave it, once [`crate::examine`] has asked the engine.
    pub origin: Option<Origin>,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Mismatch { layer, seen, time_step, channel, y, x, expected, got, origin } = self;
        let place = if *seen == Seen::Lanes { " in the lanes" } else { "" };
        write!(f, "layer `{layer}`{place}, time-step {time_step}, channel {channel}, y {y}, x {x}: ")?;
        write!(f, "expected {expected}, got {got}")?;
        origin.as_ref().map_or(Ok(()), |origin| write!(f, " ({origin})"))
    }
}

/// Result of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// The first element that differs, in the order of the layers.
    pub first: Option<Mismatch>,
    /// Elements compared and elements that differ of each layer.
    pub layers: BTreeMap<String, Count>,
    /// The same of what the neuron lanes showed.
    pub lanes: BTreeMap<String, Count>,
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
        self.counts().map(|count| count.mismatches).sum()
    }

    /// Elements compared, over all layers.
    pub fn compared(&self) -> usize {
        self.counts().map(|count| count.compared).sum()
    }

    /// Those of them that were seen in the neuron lanes.
    pub fn in_lanes(&self) -> usize {
        self.lanes.values().map(|count| count.compared).sum()
    }

    fn counts(&self) -> impl Iterator<Item = &Count> {
        self.layers.values().chain(self.lanes.values())
    }

    /// Nothing differs, cycles included.
    pub fn is_equal(&self) -> bool {
        self.mismatches() == 0 && self.incomparable.is_empty() && self.cycles.is_none()
    }

    /// Adds the counts of another sample; the first mismatch stays the first.
    pub fn merge(&mut self, other: Comparison) {
        for (sums, counts) in [(&mut self.layers, other.layers), (&mut self.lanes, other.lanes)] {
            for (layer, count) in counts {
                let sum = sums.entry(layer).or_default();
                sum.compared += count.compared;
                sum.mismatches += count.mismatches;
            }
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
    /// Nodes whose currents or spikes it shows as the neuron lanes give them.
    pub lanes: BTreeSet<String>,
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
        Promise { nodes: names(nodes), windows: names(windows), cycles: true, ..Promise::default() }
    }
}

/// Compares every tensor that `got` is to have by `promise`, windows first and then in `order` (the network's
/// nodes), what the lanes gave in front of what a memory holds, then the logits, then the cycles.
///
/// `got` has what was promised, no more and no less. `expected` may see more than that, never less: only windows
/// and cycles, which a network does not define, are compared just where it has them.
pub fn compare(order: &[&str], promise: &Promise, expected: &Trace, got: &Trace) -> Comparison {
    let mut result = Comparison::default();
    let Promise { nodes, windows, lanes, cycles } = promise;
    for layer in nodes.union(lanes).filter(|layer| !order.contains(&layer.as_str())) {
        result.incomparable.push(format!("layer `{layer}` is no node of the network"));
    }
    for layer in got.tensors.keys().filter(|layer| !nodes.contains(*layer) && !windows.contains(*layer)) {
        result.incomparable.push(format!("layer `{layer}` was not promised"));
    }
    for layer in got.lanes.keys().filter(|layer| !lanes.contains(*layer)) {
        result.incomparable.push(format!("layer `{layer}` in the lanes was not promised"));
    }
    for layer in windows.iter().map(String::as_str).chain(order.iter().copied()) {
        let expected = expected.tensors.get(layer);
        if lanes.contains(layer) {
            result.layer(Seen::Lanes, layer, expected, got.lanes.get(layer));
        }
        let is_known_here_alone = windows.contains(layer) && expected.is_none();
        if is_known_here_alone && got.tensors.contains_key(layer) {
            continue;
        }
        if windows.contains(layer) || nodes.contains(layer) {
            result.layer(Seen::Result, layer, expected, got.tensors.get(layer));
        }
    }
    result.layer(Seen::Result, LOGITS, Some(&logits(expected)), Some(&logits(got)));
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
    fn layer(&mut self, seen: Seen, layer: &str, expected: Option<&Array4<i32>>, got: Option<&Array4<i32>>) {
        match (expected, got) {
            (_, None) => self.incomparable.push(format!("layer `{layer}` is missing")),
            (None, Some(_)) => {
                self.incomparable.push(format!("layer `{layer}` has nothing to be compared with"));
            }
            (Some(expected), Some(got)) if expected.shape() != got.shape() => {
                let message =
                    format!("layer `{layer}` has shape {:?}, expected {:?}", got.shape(), expected.shape());
                self.incomparable.push(message);
            }
            (Some(expected), Some(got)) => self.elements(seen, layer, expected, got),
        }
    }

    fn elements(&mut self, seen: Seen, layer: &str, expected: &Array4<i32>, got: &Array4<i32>) {
        let mut count = Count { compared: expected.len(), mismatches: 0 };
        for ((index, expected), got) in expected.indexed_iter().zip(got) {
            if expected != got {
                count.mismatches += 1;
                let (time_step, channel, y, x) = index;
                let (expected, got) = (i64::from(*expected), i64::from(*got));
                let (layer, origin) = (layer.to_owned(), None);
                self.first.get_or_insert(Mismatch {
                    layer,
                    seen,
                    time_step,
                    channel,
                    y,
                    x,
                    expected,
                    got,
                    origin,
                });
            }
        }
        let counts = if seen == Seen::Lanes { &mut self.lanes } else { &mut self.layers };
        counts.insert(layer.to_owned(), count);
    }
}
