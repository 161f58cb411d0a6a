//! Makes a failing case small.

use crate::case::{Case, Layer, Shortcut, Source};

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
    for index in 1..case.layers.len() {
        simpler.push(with(case, |c| {
            c.layers.remove(index);
        }));
    }
    for time_steps in [1, 2, case.time_steps / 2] {
        simpler.push(with(case, |c| c.time_steps = time_steps));
    }
    simpler.push(with(case, |c| c.classes = 1));
    simpler.push(with(case, |c| c.input.is_static = true));
    simpler.push(with(case, |c| c.input.zero_point = 0));
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

fn with(case: &Case, change: impl FnOnce(&mut Case)) -> Case {
    let mut changed = case.clone();
    change(&mut changed);
    changed
}

fn simpler_layers(layer: &Layer) -> impl Iterator<Item = Layer> + use<> {
    let layers =
        match *layer {
            Layer::Conv { channels, kernel, stride, padding, sign, parallel, offset, shortcut } => {
                let conv = |channels, kernel, stride, padding, sign, parallel, offset, shortcut| {
                    Layer::Conv { channels, kernel, stride, padding, sign, parallel, offset, shortcut }
                };
                let unscaled = shortcut.map(|shortcut| Shortcut { scaled: false, ..shortcut });
                let of_codes = shortcut.map(|shortcut| Shortcut { windows: None, ..shortcut });
                vec![
                    conv(channels, kernel, stride, padding, sign, parallel, offset, None),
                    conv(channels, kernel, stride, padding, sign, parallel, offset, unscaled),
                    conv(channels, kernel, stride, padding, sign, parallel, offset, of_codes),
                    conv(channels / 2, kernel, stride, padding, sign, parallel, offset, shortcut),
                    conv(channels - 1, kernel, stride, padding, sign, parallel, offset, shortcut),
                    conv(channels, 1, stride, 0, sign, parallel, offset, shortcut),
                    conv(channels, kernel, 1, padding, sign, parallel, offset, shortcut),
                    conv(channels, kernel, stride, 0, sign, parallel, offset, shortcut),
                    conv(channels, kernel, stride, padding, true, parallel, offset, shortcut),
                    conv(channels, kernel, stride, padding, sign, parallel, false, shortcut),
                ]
            }
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
    fn what_does_not_matter_is_removed() {
        let large = (0..)
            .map(|seed| Case::random(seed, &random_arch(seed, [8, 8], 6), 60_000))
            .find(|case| case.layers.len() >= 4)
            .unwrap();
        let fails = |case: &Case| {
            case.time_steps >= 2 && case.layers.iter().any(|layer| matches!(layer, Layer::Conv { .. }))
        };
        let small = minimise(large, fails);
        assert_eq!((small.time_steps, small.layers.len(), small.classes), (2, 1, 1));
        assert_eq!([small.input.channels, small.input.height, small.input.width], [1; 3]);
        let simplest = Layer::Conv {
            channels: 1,
            kernel: 1,
            stride: 1,
            padding: 0,
            sign: true,
            parallel: false,
            offset: false,
            shortcut: None,
        };
        assert!(
            small.layers[0] == simplest
                || matches!(small.layers[0], Layer::Conv { channels: 1, parallel: true, .. })
        );
    }
}
