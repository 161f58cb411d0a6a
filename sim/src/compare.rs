//! Exact comparison of two engines' results, and where they first differ.

use empf_ir::{INPUT, Trace};
use ndarray::Array4;
use std::collections::BTreeMap;
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
    /// Layers whose shapes differ, and layers that only the second engine has.
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

/// Compares every tensor that `got` has, in `order` (the network's nodes), then the logits, then the cycles.
///
/// `expected` may see more tensors than `got` does, never fewer. Only the packed windows of the input, which are
/// no node's result, are compared just where both engines have them.
pub fn compare(order: &[&str], expected: &Trace, got: &Trace) -> Comparison {
    let mut result = Comparison::default();
    let known = |layer: &str| layer == INPUT || order.contains(&layer);
    for layer in got.tensors.keys().filter(|layer| !known(layer)) {
        result.incomparable.push(format!("layer `{layer}` is no node of the network"));
    }
    for layer in [INPUT].iter().chain(order) {
        match (expected.tensors.get(*layer), got.tensors.get(*layer)) {
            (Some(expected), Some(got)) => result.layer(layer, expected, got),
            (None, Some(_)) if *layer != INPUT => {
                result.incomparable.push(format!("layer `{layer}` has nothing to be compared with"));
            }
            _ => {}
        }
    }
    result.layer(LOGITS, &logits(expected), &logits(got));
    if let (Some(expected), Some(got)) = (expected.cycles, got.cycles) {
        result.cycles = (expected != got).then_some([expected, got]);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn trace() -> Trace {
        let mut trace = Trace { logits: vec![4, -5], cycles: Some(100), ..Trace::default() };
        for (name, channels) in [("a", 2), ("z", 1), ("b", 3)] {
            trace.tensors.insert(name.into(), Array4::from_elem((2, channels, 4, 5), 1));
        }
        trace
    }

    const ORDER: [&str; 3] = ["a", "z", "b"];

    #[test]
    fn equal_traces_have_no_mismatch() {
        let comparison = compare(&ORDER, &trace(), &trace());
        assert!(comparison.is_equal());
        assert_eq!(comparison.layers["b"].compared, 120);
        assert_eq!(comparison.to_string(), "0 mismatches in 4 layers");
    }

    #[test]
    fn the_first_mismatch_is_that_of_the_first_layer() {
        let mut got = trace();
        got.tensors.get_mut("b").unwrap()[[0, 0, 0, 0]] = 9;
        got.tensors.get_mut("z").unwrap()[[1, 0, 2, 3]] = 7;
        got.tensors.get_mut("z").unwrap()[[1, 0, 3, 0]] = 7;
        let comparison = compare(&ORDER, &trace(), &got);
        assert_eq!(comparison.mismatches(), 3);
        assert_eq!(comparison.layers["z"].mismatches, 2);
        let text = comparison.to_string();
        assert!(text.contains("layer `z`, time-step 1, channel 0, y 2, x 3: expected 1, got 7"), "{text}");
    }

    #[test]
    fn logits_cycles_shapes_and_strangers_differ() {
        let mut got = trace();
        got.logits[1] = 5;
        assert_eq!(compare(&ORDER, &trace(), &got).first.unwrap().channel, 1);
        let got = Trace { cycles: Some(99), ..trace() };
        assert_eq!(compare(&ORDER, &trace(), &got).cycles, Some([100, 99]));
        let mut got = trace();
        got.tensors.insert("a".into(), Array4::zeros((1, 2, 4, 5)));
        assert!(!compare(&ORDER, &trace(), &got).is_equal());
        assert!(!compare(&["a", "b"], &trace(), &trace()).is_equal());
        let mut expected = trace();
        expected.tensors.remove("a");
        assert!(!compare(&ORDER, &expected, &trace()).is_equal());
        assert!(compare(&ORDER, &trace(), &expected).is_equal());
    }

    #[test]
    fn merging_adds_counts() {
        let mut got = trace();
        got.logits[0] = 0;
        let mut sum = compare(&ORDER, &trace(), &trace());
        sum.merge(compare(&ORDER, &trace(), &got));
        assert_eq!(sum.layers[LOGITS], Count { compared: 4, mismatches: 1 });
        assert_eq!(sum.first.unwrap().layer, LOGITS);
    }
}
