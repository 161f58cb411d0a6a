//! Cases drawn at random.

use crate::case::{Case, CaseInput, Layer};
use empf_ir::Shape;
use rand::prelude::*;
use rand_pcg::Pcg64Mcg;

/// Arrays of drawn cases.
pub const ARRAYS: [[usize; 2]; 5] = [[4, 4], [8, 8], [16, 16], [32, 32], [24, 40]];
/// Bits of a spike in drawn cases.
pub const ACT_BITS: [u32; 3] = [4, 6, 8];
/// Time-steps of drawn cases.
pub const TIME_STEPS: [usize; 4] = [1, 2, 4, 10];

/// Most vectors that a drawn case streams through the array.
const MOST_VECTORS: usize = 60_000;

impl Case {
    /// The case of `seed` on an array; equal arguments give equal cases.
    pub fn random(seed: u64, array: [usize; 2], act_bits: u32) -> Self {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        loop {
            let case = draw(&mut rng, seed, array, act_bits);
            let starts_with_conv = matches!(case.layers.first(), Some(Layer::Conv { .. }));
            if starts_with_conv && case.vectors().is_some_and(|vectors| vectors <= MOST_VECTORS) {
                return case;
            }
        }
    }

    /// Vectors that the array sees in one inference; `None` where a window does not fit.
    fn vectors(&self) -> Option<usize> {
        let [rows, cols] = self.array;
        let shapes = self.shapes()?;
        let mut total = 0;
        for (layer, pair) in self.layers.iter().zip(shapes.windows(2)) {
            let &Layer::Conv { kernel, sign, .. } = layer else { continue };
            let passes = if sign && total > 0 { 1 } else { 8 * 8usize.div_ceil(self.act_bits as usize) };
            let taps = kernel * kernel * pair[0].channels.div_ceil(rows) * passes;
            total +=
                taps * pair[1].channels.div_ceil(cols) * (self.time_steps * pair[1].positions()).max(rows);
        }
        let features = shapes.last()?;
        let tiles = features.positions() * features.channels.div_ceil(rows) * self.classes.div_ceil(cols);
        Some(total + 8 * self.time_steps * tiles * rows)
    }
}

fn pick<T: Copy>(rng: &mut Pcg64Mcg, choices: &[T]) -> T {
    choices[rng.random_range(0..choices.len())]
}

fn draw(rng: &mut Pcg64Mcg, seed: u64, array: [usize; 2], act_bits: u32) -> Case {
    let height = rng.random_range(3..=12);
    let input = CaseInput {
        channels: pick(rng, &[1, 1, 2, 3, 3, 5]),
        height,
        width: if rng.random_bool(0.5) { height } else { rng.random_range(3..=12) },
        is_static: rng.random_bool(0.6),
        zero_point: pick(rng, &[0, 0, 1, 128, 255, rng.clone().random()]),
    };
    let mut shape = Shape::new(input.channels, input.height, input.width);
    let mut layers = Vec::new();
    for index in 0..rng.random_range(1..=5) {
        let layer =
            if index == 0 || rng.random_bool(0.65) { conv(rng, array, index == 0) } else { pool(rng) };
        if let Some(next) = layer.output(shape) {
            shape = next;
            layers.push(layer);
        }
    }
    // The classifier is a convolution as large as its map, and windows of convolutions are square.
    if shape.height != shape.width {
        layers.push(Layer::GlobalPool);
    }
    let classes = pick(rng, &[1, 2, 5, 10, array[1] + 1]);
    Case { seed, array, act_bits, time_steps: pick(rng, &TIME_STEPS), input, layers, classes }
}

fn conv(rng: &mut Pcg64Mcg, [rows, cols]: [usize; 2], is_first: bool) -> Layer {
    let kernel = pick(rng, &[1, 3, 3, 3, 5, 7]);
    let parallel = rng.random_bool(0.25);
    Layer::Conv {
        channels: pick(rng, &[1, 2, 3, 7, rows, rows + 1, cols, cols - 1, 2 * cols + 3]),
        kernel,
        stride: pick(rng, &[1, 1, 2]),
        padding: rng.random_range(0..=(kernel - 1).min(kernel.div_ceil(2))),
        sign: if is_first { rng.random_bool(0.2) } else { rng.random_bool(0.85) },
        parallel,
        offset: !parallel && rng.random_bool(0.5),
    }
}

fn pool(rng: &mut Pcg64Mcg) -> Layer {
    if rng.random_bool(0.3) {
        return Layer::GlobalPool;
    }
    let mut axis = || (pick(rng, &[1, 2, 2, 3]), pick(rng, &[1, 2, 2, 3]));
    let ((height, down), (width, right)) = (axis(), axis());
    Layer::Pool { kernel: [height, width], stride: [down, right] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_case() {
        let case = |seed| Case::random(seed, [8, 8], 6);
        assert_eq!(case(5), case(5));
        assert_ne!(case(5), case(6));
    }

    #[test]
    fn cases_are_as_varied_as_they_should_be() {
        let cases: Vec<Case> = (0..300).map(|seed| Case::random(seed, [16, 16], 8)).collect();
        let layers = || cases.iter().flat_map(|case| &case.layers);
        for wanted in [1, 3, 5, 7] {
            assert!(layers().any(|layer| matches!(layer, Layer::Conv { kernel, .. } if *kernel == wanted)));
        }
        for wanted in TIME_STEPS {
            assert!(cases.iter().any(|case| case.time_steps == wanted));
        }
        assert!(layers().any(|layer| matches!(layer, Layer::Conv { sign: true, stride: 2, padding: 2, .. })));
        assert!(layers().any(|layer| matches!(layer, Layer::Conv { sign: false, parallel: true, .. })));
        assert!(layers().any(|layer| *layer == Layer::GlobalPool));
        assert!(cases.iter().any(|case| case.layers.len() >= 4));
    }
}
