//! Makes a failing case small.

use crate::case::{Attention, Case, Conv, Layer, Shortcut, Source};
use std::ops::Range;

/// The smallest case that can be reached from `case` by single simplifications, each of which `fails` as `case`
/// does.
pub fn minimise(mut case: Case, mut fails: impl FnMut(&Case) -> bool) -> Case {
    while let Some(simpler) = simplifications(&case).into_iter().find(|candidate| fails(candidate)) {
        case = simpler;
    }
    case
}

/// Cases that are one simplification away, the largest steps first.
fn simplifications(case: &Case) -> Vec<Case> {
    let mut simpler = Vec::new();
    simpler.extend(fewer_layers(case));
    for time_steps in [1, 2, case.time_steps / 2].into_iter().filter(|fewer| *fewer < case.time_steps) {
        simpler.push(with(case, |c| c.time_steps = time_steps));
    }
    simpler.push(with(case, |c| c.classes = 1));
    simpler.push(with(case, |c| c.input.is_static = true));
    simpler.push(with(case, |c| c.input.zero_point = 0.into()));
    simpler.push(with(case, |c| c.input.zero_point = c.input.zero_point.of(0).into()));
    for halve in [|n: usize| n / 2, |n: usize| n - 1] {
        simpler.push(with(case, |c| c.input.channels = halve(c.input.channels)));
        simpler.push(with(case, |c| {
            c.input.height = halve(c.input.height);
            c.input.width = halve(c.input.width);
        }));
        simpler.push(with(case, |c| c.input.height = halve(c.input.height)));
        simpler.push(with(case, |c| c.input.width = halve(c.input.width)));
    }
    for index in 0..case.layers.len() {
        simpler
            .extend(simpler_layers(&case.layers[index]).map(|layer| with(case, |c| c.layers[index] = layer)));
    }
    simpler.retain(|candidate| candidate != case && is_possible(candidate));
    simpler
}

/// Without the first layers, and without one.
fn fewer_layers(case: &Case) -> impl Iterator<Item = Case> {
    let layers = case.layers.len();
    let without = |range: Range<usize>| {
        with(case, |c| {
            c.layers.drain(range);
        })
    };
    let first = (2..layers).rev().map(|count| 0..count);
    let single = (0..layers).map(|index| index..index + 1).filter(move |_| layers > 1);
    first.chain(single).map(without)
}

fn with(case: &Case, change: impl FnOnce(&mut Case)) -> Case {
    let mut changed = case.clone();
    change(&mut changed);
    changed
}

fn simpler_layers(layer: &Layer) -> impl Iterator<Item = Layer> + use<> {
    let layers = match *layer {
        Layer::Conv(conv) => simpler_convolutions(conv).into_iter().map(Layer::Conv).collect(),
        Layer::MaxPool { kernel, stride, padding } => vec![
            Layer::MaxPool { kernel: 1, stride: 1, padding: 0 },
            Layer::MaxPool { kernel, stride, padding: 0 },
            Layer::MaxPool { kernel, stride: 1, padding },
        ],
        Layer::Pool { .. } => vec![Layer::Pool { kernel: [1, 1], stride: [1, 1] }],
        Layer::GlobalPool => vec![],
        Layer::Back { by } => vec![Layer::Back { by: by - 1 }],
    };
    layers.into_iter()
}

fn simpler_convolutions(conv: Conv) -> Vec<Conv> {
    let mut simpler = vec![
        Conv { shortcut: None, ..conv },
        Conv { attention: None, ..conv },
        Conv { channels: conv.channels / 2, ..conv },
        Conv { channels: conv.channels - 1, ..conv },
        Conv { kernel: 1, padding: 0, ..conv },
        Conv { stride: 1, ..conv },
        Conv { padding: 0, ..conv },
        Conv { sign: true, ..conv },
        Conv { offset: false, ..conv },
    ];
    simpler.extend(simpler_shortcuts(conv.shortcut).map(|shortcut| Conv { shortcut, ..conv }));
    if let Some(attention) = conv.attention {
        let of_attention = simpler_shortcuts(attention.shortcut)
            .chain([None])
            .map(|shortcut| Attention { shortcut, ..attention })
            .chain([Attention { kernel: 3, ..attention }]);
        simpler.extend(of_attention.map(|attention| Conv { attention: Some(attention), ..conv }));
    }
    simpler
}

fn simpler_shortcuts(shortcut: Option<Shortcut>) -> impl Iterator<Item = Option<Shortcut>> {
    let simpler = shortcut.map(|shortcut| {
        [Shortcut { scaled: false, ..shortcut }, Shortcut { windows: None, ..shortcut }].map(Some)
    });
    simpler.into_iter().flatten()
}

/// Nothing is empty, and every layer can read what it should.
fn is_possible(case: &Case) -> bool {
    let is_full = |sources: Vec<Source>| sources.iter().all(|source| source.shape.elements() > 0);
    case.time_steps > 0 && case.sources().is_some_and(is_full)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::random_arch;

    #[test]
    fn a_case_of_one_step_gets_no_more() {
        let case = Case { time_steps: 1, ..Case::random(1, &random_arch(1, [8, 8], 6), 60_000) };
        assert!(simplifications(&case).iter().all(|simpler| simpler.time_steps == 1));
    }

    #[test]
    fn what_does_not_matter_is_removed() {
        let large = (0..)
            .map(|seed| Case::random(seed, &random_arch(seed, [8, 8], 6), 60_000))
            .find(|case| case.layers.len() >= 4)
            .unwrap();
        let fails = |case: &Case| {
            case.time_steps >= 2 && case.layers.iter().any(|layer| matches!(layer, Layer::Conv(_)))
        };
        let small = minimise(large, fails);
        assert_eq!((small.time_steps, small.layers.len(), small.classes), (2, 1, 1));
        assert_eq!([small.input.channels, small.input.height, small.input.width], [1; 3]);
        let simplest = Layer::Conv(Conv {
            channels: 1,
            kernel: 1,
            stride: 1,
            padding: 0,
            sign: true,
            parallel: false,
            offset: false,
            shortcut: None,
            attention: None,
        });
        assert!(
            small.layers[0] == simplest
                || matches!(small.layers[0], Layer::Conv(Conv { channels: 1, parallel: true, .. }))
        );
    }
}
