//! Every file in `cases/` on every engine.

use empf_tests::{ARRAYS, Case, Conv, Layer, Shortcut, Suite};
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::path::Path;

fn check(path: &str) {
    let case = Case::load(Path::new(path)).unwrap();
    let suite = Suite::shared(&case.arch).unwrap();
    let outcome = suite.run(&case).unwrap_or_else(|failure| panic!("{path}: {failure}"));
    assert!(outcome.elements > 0 && outcome.cycles > 0);
}

include!(concat!(env!("OUT_DIR"), "/cases.rs"));

fn kept() -> Vec<Case> {
    FILES.iter().map(|path| Case::load(Path::new(path)).unwrap()).collect()
}

/// What `wanted` names is among the properties of the kept cases.
#[track_caller]
fn assert_seen<T: Ord + std::fmt::Debug>(wanted: impl IntoIterator<Item = T>, seen: impl Iterator<Item = T>) {
    let seen: BTreeSet<T> = seen.collect();
    let missing: Vec<T> = wanted.into_iter().filter(|value| !seen.contains(value)).collect();
    assert!(missing.is_empty(), "no kept case has {missing:?}");
}

#[test]
fn kept_cases_cover_accelerators_spikes_and_steps() {
    let cases = kept();
    assert!(cases.len() >= 30);
    let archs = || cases.iter().map(|case| &case.arch);
    let accelerators = ARRAYS.iter().flat_map(|array| [4, 6, 8].map(|bits| (*array, bits)));
    assert_seen(accelerators, archs().map(|arch| ([arch.rows, arch.cols], arch.act_bits)));
    assert_seen([1, 2, 4, 10], cases.iter().map(|case| case.time_steps));
    assert_seen([false, true], cases.iter().map(|case| case.input.is_static));
}

#[test]
fn kept_cases_cover_windows() {
    let layers: Vec<Layer> = kept().into_iter().flat_map(|case| case.layers).collect();
    let convs = || {
        layers.iter().filter_map(|layer| match *layer {
            Layer::Conv(Conv { channels, kernel, stride, padding, .. }) => {
                Some((channels, kernel, stride, padding))
            }
            _ => None,
        })
    };
    assert_seen(
        [1, 3, 5, 7].map(|kernel| [1, 2].map(|stride| (kernel, stride))).concat(),
        convs().map(|c| (c.1, c.2)),
    );
    assert_seen(0..=4, convs().map(|c| c.3));
    assert_seen([false, true], convs().map(|c| c.0 > 1 && c.0 % 2 == 1));
    let kinds = layers.iter().flat_map(|layer| match *layer {
        Layer::Conv(Conv { sign, parallel, offset, shortcut, attention, .. }) => {
            let added = shortcut.map(|Shortcut { scaled, windows, .. }| match (windows, scaled) {
                (Some(_), _) => "convolution",
                (None, true) => "scaled",
                (None, false) => "widened",
            });
            let kinds = [
                ["integer", "sign"][usize::from(sign)],
                ["leaky", "parallel"][usize::from(parallel)],
                ["plain", "offset"][usize::from(offset)],
            ];
            let attends = attention.map(|attention| match attention.shortcut {
                None => "attention",
                Some(Shortcut { windows: None, .. }) => "codes behind attention",
                Some(Shortcut { windows: Some(_), .. }) => "convolution behind attention",
            });
            kinds.into_iter().chain(added).chain(attends).collect()
        }
        Layer::Pool { .. } => vec!["pool"],
        Layer::MaxPool { .. } => vec!["maximum pool"],
        Layer::GlobalPool => vec!["global pool"],
        Layer::Back { .. } => vec!["back"],
    });
    let wanted = ["integer", "sign", "leaky", "parallel", "plain", "offset", "pool", "global pool"];
    let of_blocks = ["maximum pool", "widened", "scaled", "convolution"];
    let of_attention = ["attention", "codes behind attention", "convolution behind attention"];
    assert_seen(wanted.into_iter().chain(of_blocks).chain(of_attention), kinds);
}

#[test]
fn kept_cases_cover_classifiers_and_readers_of_the_input() {
    let cases = kept();
    let read = |case: &Case| *case.sources().unwrap().last().unwrap();
    let maps = cases.iter().map(read).map(|source| source.shape.height.cmp(&source.shape.width));
    assert_seen([Ordering::Less, Ordering::Equal, Ordering::Greater], maps);
    assert_seen([false, true], cases.iter().map(read).map(|source| source.layer.is_none()));
    assert_seen([1, 2], cases.iter().map(Case::readers_of_input));
    assert_seen([false, true], cases.iter().map(|case| case.frame_by_frame() > 0));
}
