//! The comparator against a naive one, which looks at every element of every promised tensor by its index.

use empf_ir::Trace;
use empf_sim::compare::{Count, LOGITS, Seen};
use empf_sim::{Comparison, Mismatch, Promise, adopt, compare};
use ndarray::Array4;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::{BTreeMap, BTreeSet};

/// Nodes of the network, not in the order of their names.
const ORDER: [&str; 3] = ["stem", "pool", "fc"];
/// Windows, and a tensor that nobody knows.
const OTHERS: [&str; 3] = ["input", "input@fc", "stranger"];

/// Few values, so that tensors are often equal, with 0 and both ends among them.
fn value() -> impl Strategy<Value = i32> {
    select(&[0, 0, 1, -1, i32::MAX, i32::MIN][..])
}

fn tensor() -> impl Strategy<Value = Array4<i32>> {
    let axis = || select(&[1usize, 2, 2, 2, 2][..]);
    (axis(), axis(), 1usize..3, 1usize..3).prop_flat_map(|shape| {
        vec(value(), shape.0 * shape.1 * shape.2 * shape.3)
            .prop_map(move |values| Array4::from_shape_vec(shape, values).unwrap())
    })
}

fn name() -> impl Strategy<Value = String> {
    select([&ORDER[..], &OTHERS].concat()).prop_map(String::from)
}

fn trace() -> impl Strategy<Value = Trace> {
    (btree_map(name(), tensor(), 0..6), vec(value(), 1..4), option::of(1u64..3))
        .prop_map(|(tensors, logits, cycles)| Trace { tensors, logits, cycles, ..Trace::default() })
}

/// `trace` with some elements changed, tensors lost and gained, other logits or cycles.
fn changed(trace: Trace) -> impl Strategy<Value = Trace> {
    let changes = vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), value()), 0..4);
    let whole = || prop::bool::weighted(0.7);
    // Mostly as they are.
    let cycles = select(&[None, None, None, Some(None), Some(Some(1)), Some(Some(2))][..]);
    (changes, option::weighted(0.3, name()), option::weighted(0.2, (name(), tensor())), whole(), cycles)
        .prop_map(move |(changes, lost, gained, same_logits, cycles)| {
            let mut trace = trace.clone();
            for (layer, element, value) in changes {
                let count = trace.tensors.len();
                let tensor = (count > 0).then(|| trace.tensors.values_mut().nth(layer.index(count)).unwrap());
                let elements = tensor.into_iter().flatten().collect::<Vec<_>>();
                let count = elements.len();
                if let Some(element) =
                    (count > 0).then(|| elements.into_iter().nth(element.index(count)).unwrap())
                {
                    *element = value;
                }
            }
            if let Some(lost) = lost {
                trace.tensors.remove(&lost);
            }
            trace.tensors.extend(gained);
            if !same_logits {
                trace.logits[0] = trace.logits[0].wrapping_add(1);
            }
            if let Some(cycles) = cycles {
                trace.cycles = cycles;
            }
            trace
        })
}

/// What lanes show: some tensors of `expected`, and others.
fn lanes(expected: &Trace) -> impl Strategy<Value = BTreeMap<String, Array4<i32>>> + use<> {
    let tensors = expected.tensors.clone();
    (vec(any::<bool>(), tensors.len()), btree_map(name(), tensor(), 0..2)).prop_map(move |(shown, others)| {
        let right = tensors.clone().into_iter().zip(shown).filter(|(_, shown)| *shown);
        right.map(|(tensor, _)| tensor).chain(others).collect()
    })
}

/// Mostly what `trace` holds, as an honest engine promises.
fn promise(trace: Trace) -> impl Strategy<Value = Promise> {
    let names = |tensors: &BTreeMap<String, Array4<i32>>| tensors.keys().cloned().collect::<BTreeSet<_>>();
    let honest = (names(&trace.tensors), names(&trace.lanes), trace.cycles.is_some());
    let any = (btree_set(name(), 0..5), btree_set(name(), 0..3), any::<bool>());
    prop_oneof![3 => Just(honest), 1 => any].prop_map(|(names, lanes, cycles)| {
        let (windows, nodes) = names.into_iter().partition(|name| name.starts_with("input"));
        Promise { nodes, windows, lanes, cycles }
    })
}

fn question() -> impl Strategy<Value = (Promise, Trace, Trace)> {
    trace().prop_flat_map(|expected| {
        let lanes = prop_oneof![Just(BTreeMap::new()), lanes(&expected)];
        let got = prop_oneof![4 => changed(expected.clone()), 1 => trace()];
        let got = (got, lanes).prop_map(|(got, lanes)| Trace { lanes, ..got });
        (Just(expected), got)
            .prop_flat_map(|(expected, got)| (promise(got.clone()), Just(expected), Just(got)))
    })
}

/// Counts of elements in the memories and in the lanes.
type Counts = [BTreeMap<String, Count>; 2];

/// What differs: elements, counts, and how many other things are wrong.
fn naive(promise: &Promise, expected: &Trace, got: &Trace) -> (Vec<Mismatch>, Counts, usize) {
    let (mut mismatches, mut counts, mut wrong) = (vec![], Counts::default(), 0);
    let mut pairs = vec![];
    for layer in ["input", "input@fc", "stem", "pool", "fc"] {
        let right = expected.tensors.get(layer).cloned();
        let window = promise.windows.contains(layer);
        if promise.lanes.contains(layer) && (window || ORDER.contains(&layer)) {
            match (right.clone(), got.lanes.get(layer).cloned()) {
                (Some(expected), Some(got)) => pairs.push((Seen::Lanes, layer, expected, got)),
                _ => wrong += 1,
            }
        }
        if !window && !promise.nodes.contains(layer) {
            continue;
        }
        match (right, got.tensors.get(layer).cloned()) {
            (Some(expected), Some(got)) => pairs.push((Seen::Result, layer, expected, got)),
            (None, Some(_)) if window => {}
            _ => wrong += 1,
        }
    }
    for name in promise.nodes.union(&promise.lanes) {
        wrong += usize::from(!ORDER.contains(&name.as_str()));
    }
    for name in got.tensors.keys() {
        wrong += usize::from(!promise.nodes.contains(name) && !promise.windows.contains(name));
    }
    wrong += got.lanes.keys().filter(|name| !promise.lanes.contains(*name)).count();
    let line = |logits: &[i32]| Array4::from_shape_vec((1, logits.len(), 1, 1), logits.to_vec()).unwrap();
    pairs.push((Seen::Result, LOGITS, line(&expected.logits), line(&got.logits)));
    for (seen, layer, expected, got) in pairs {
        if expected.dim() != got.dim() {
            wrong += 1;
            continue;
        }
        let before = mismatches.len();
        mismatches.extend(differing(seen, layer, &expected, &got));
        let count = Count { compared: expected.len(), mismatches: mismatches.len() - before };
        counts[usize::from(seen == Seen::Lanes)].insert(layer.into(), count);
    }
    wrong += usize::from(promise.cycles && got.cycles.is_none());
    (mismatches, counts, wrong)
}

/// Every element of two tensors of one shape that differs.
fn differing(seen: Seen, layer: &str, expected: &Array4<i32>, got: &Array4<i32>) -> Vec<Mismatch> {
    let (_, channels, height, width) = expected.dim();
    let mut mismatches = vec![];
    for index in 0..expected.len() {
        let (time_step, channel) = (index / width / height / channels, index / width / height % channels);
        let (y, x) = (index / width % height, index % width);
        let at = [time_step, channel, y, x];
        let (expected, got) = (expected[at].into(), got[at].into());
        if expected != got {
            let (layer, origin) = (layer.into(), None);
            mismatches.push(Mismatch { layer, seen, time_step, channel, y, x, expected, got, origin });
        }
    }
    mismatches
}

fn result() -> impl Strategy<Value = Comparison> {
    question().prop_map(|(promise, expected, got)| compare(&ORDER, &promise, &expected, &got))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn nothing_is_overlooked_or_invented((promise, expected, got) in question()) {
        let result = compare(&ORDER, &promise, &expected, &got);
        let (mismatches, counts, wrong) = naive(&promise, &expected, &got);
        prop_assert_eq!(result.mismatches(), mismatches.len());
        prop_assert_eq!(&[result.layers.clone(), result.lanes.clone()], &counts);
        prop_assert_eq!(&result.first, &mismatches.first().cloned());
        prop_assert_eq!(result.incomparable.len(), wrong);
        let cycles = expected.cycles.zip(got.cycles).filter(|(expected, got)| expected != got);
        prop_assert_eq!(result.cycles, cycles.map(|(expected, got)| [expected, got]));
        prop_assert_eq!(result.is_equal(), mismatches.is_empty() && wrong == 0 && cycles.is_none());
        prop_assert_eq!(result.to_string().starts_with("0 mismatches in"), result.is_equal());
    }

    /// Merged samples are those of one list.
    #[test]
    fn merging_keeps_everything(samples in vec(result(), 0..5)) {
        let mut sum = Comparison::default();
        samples.iter().cloned().for_each(|sample| sum.merge(sample));
        prop_assert_eq!(&sum.first, &samples.iter().find_map(|sample| sample.first.clone()));
        prop_assert_eq!(sum.cycles, samples.iter().find_map(|sample| sample.cycles));
        let incomparable: Vec<_> = samples.iter().flat_map(|sample| sample.incomparable.clone()).collect();
        prop_assert_eq!(&sum.incomparable, &incomparable);
        let layers: BTreeSet<_> = samples.iter().flat_map(|sample| sample.layers.keys().cloned()).collect();
        prop_assert_eq!(&layers, &sum.layers.keys().cloned().collect());
        for (layer, count) in &sum.layers {
            let counts = || samples.iter().filter_map(|sample| sample.layers.get(layer));
            prop_assert_eq!(count.compared, counts().map(|count| count.compared).sum::<usize>());
            prop_assert_eq!(count.mismatches, counts().map(|count| count.mismatches).sum::<usize>());
        }
        prop_assert_eq!(sum.is_equal(), samples.iter().all(Comparison::is_equal));
    }

    /// What is adopted fills gaps and replaces nothing.
    #[test]
    fn adopting_fills_gaps(expected in trace(), got in trace()) {
        let mut both = expected.clone();
        adopt(&mut both, got.clone());
        prop_assert_eq!(&both.logits, &expected.logits);
        prop_assert_eq!(both.cycles, expected.cycles.or(got.cycles));
        let names: BTreeSet<_> = expected.tensors.keys().chain(got.tensors.keys()).collect();
        prop_assert_eq!(&names, &both.tensors.keys().collect());
        for (name, tensor) in &both.tensors {
            prop_assert_eq!(tensor, expected.tensors.get(name).unwrap_or_else(|| &got.tensors[name]));
        }
    }
}

#[test]
fn messages_say_what_and_where() {
    let tensor = |value| Array4::from_elem((2, 1, 4, 5), value);
    let promise =
        Promise { nodes: ["stem".into(), "pool".into()].into(), cycles: true, ..Promise::default() };
    let expected = Trace {
        tensors: [("stem".into(), tensor(1))].into(),
        logits: vec![4, -5],
        cycles: Some(100),
        ..Trace::default()
    };
    let mut got = Trace { cycles: Some(99), ..expected.clone() };
    got.tensors.get_mut("stem").unwrap()[[1, 0, 2, 3]] = 7;
    assert_eq!(
        compare(&ORDER, &promise, &expected, &got).to_string(),
        "1 mismatches; first: layer `stem`, time-step 1, channel 0, y 2, x 3: expected 1, got 7; \
         layer `pool` is missing; 100 cycles expected, got 99"
    );
    got.tensors.insert("pool".into(), tensor(0));
    got.tensors.insert("stem".into(), Array4::zeros((1, 1, 4, 5)));
    got.tensors.insert("conv".into(), tensor(0));
    got.cycles = None;
    assert_eq!(
        compare(&ORDER, &promise, &expected, &got).incomparable,
        [
            "layer `conv` was not promised",
            "layer `stem` has shape [1, 1, 4, 5], expected [2, 1, 4, 5]",
            "layer `pool` has nothing to be compared with",
            "the cycles are missing",
        ]
    );
    assert_eq!(
        compare(&["stem"], &promise, &expected, &got).incomparable[0],
        "layer `pool` is no node of the network"
    );
}
