//! Accelerators and cases drawn at random.

use crate::case::{Case, CaseInput, Layer, Shortcut, Source, Windows};
use crate::suite::{Result, compile};
use empf_ir::ArchConfig;
use empf_ir::formats::{ACT_BITS, MEMBRANE_BITS};
use empf_ir::program::MemoryUse;
use rand::prelude::*;
use rand_pcg::Pcg64Mcg;

/// Sizes of the presets' arrays.
pub const ARRAYS: [[usize; 2]; 5] = [[4, 4], [8, 8], [16, 16], [32, 32], [24, 40]];
/// Time-steps of drawn cases.
pub const TIME_STEPS: [usize; 5] = [1, 2, 3, 4, 10];
/// Sides of windows of drawn convolutions.
pub const KERNELS: [usize; 9] = [1, 2, 3, 4, 5, 6, 7, 9, 11];
/// Steps of windows of drawn convolutions.
pub const STRIDES: [usize; 5] = [1, 2, 3, 4, 5];

/// Fewest bits of a drawn accumulator: a window of some hundred input codes fits.
const LEAST_ACC_BITS: u32 = 18;
/// Words of the memories of drawn accelerators, until [`fit`] knows what is needed.
const AMPLE: usize = 1 << 22;

/// An accelerator of `rows` x `cols` for spikes of `act_bits` bits; all other numbers follow from `seed`.
///
/// Its memories are larger than can be built: [`fit`] makes them as large as its cases need.
pub fn random_arch(seed: u64, [rows, cols]: [usize; 2], act_bits: u32) -> ArchConfig {
    let mut rng = Pcg64Mcg::seed_from_u64(seed);
    let sized = ArchConfig::sized(rows, cols, act_bits);
    let most = 16.min(64 / act_bits as usize);
    let lanes: Vec<usize> =
        (1..=most).filter(|n| rows.is_multiple_of(*n) && cols.is_multiple_of(*n)).collect();
    ArchConfig {
        acc_bits: rng.random_range(LEAST_ACC_BITS.max(sized.sum_bits())..=32),
        membrane_bits: rng.random_range(MEMBRANE_BITS),
        lanes: pick(&mut rng, &lanes),
        accumulator_depth: rng.random_range(16..=100),
        activation_depth: AMPLE,
        weight_depth: AMPLE,
        parameter_depth: AMPLE,
        input_depth: AMPLE,
        schedule_depth: AMPLE,
        ..sized
    }
}

/// The `index`-th of a pool of accelerators for a simulator that has to be built for each: arrays of the presets'
/// sizes in turn with others, A goes round.
pub fn pooled_arch(seed: u64, index: u64) -> ArchConfig {
    let seed = seed + index;
    let mut rng = Pcg64Mcg::seed_from_u64(!seed);
    let array = match index % 2 {
        0 => ARRAYS[index as usize / 2 % ARRAYS.len()],
        _ => {
            let most = pick(&mut rng, &[6, 6, 12, 12, 20]);
            [rng.random_range(1..=most), rng.random_range(1..=most)]
        }
    };
    random_arch(seed, array, *ACT_BITS.start() + seed as u32 % ACT_BITS.count() as u32)
}

/// An accelerator of at most 4x4 for a simulator that takes it as it is.
pub fn tiny_arch(seed: u64) -> ArchConfig {
    let mut rng = Pcg64Mcg::seed_from_u64(!seed);
    let array = [rng.random_range(1..=4), rng.random_range(1..=4)];
    random_arch(seed, array, rng.random_range(ACT_BITS))
}

/// Gives `cases`, all of one accelerator, memories that are as deep as the largest of them needs. Fails where the
/// compiler refuses one.
pub fn fit(cases: &mut [Case]) -> Result<()> {
    let mut most = MemoryUse::default();
    for case in cases.iter() {
        let MemoryUse { activation, accumulator: _, weight, parameter, input, schedule } =
            compile(case)?.1.memory;
        most.activation = most.activation.max(activation);
        most.weight = most.weight.max(weight);
        most.parameter = most.parameter.max(parameter);
        most.input = most.input.max(input);
        most.schedule = most.schedule.max(schedule);
    }
    // A memory has at least 16 words.
    let depth = |needed: usize| needed.max(16);
    for case in cases {
        case.arch.activation_depth = depth(most.activation);
        case.arch.weight_depth = depth(most.weight);
        case.arch.parameter_depth = depth(most.parameter);
        case.arch.input_depth = depth(most.input);
        case.arch.schedule_depth = depth(most.schedule);
    }
    Ok(())
}

impl Case {
    /// The case of `seed` on an accelerator, of at most `most_vectors` vectors that its array meets in an inference;
    /// equal arguments give equal cases.
    pub fn random(seed: u64, arch: &ArchConfig, most_vectors: usize) -> Self {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        loop {
            let case = draw(&mut rng, seed, arch);
            if case.vectors().is_some_and(|vectors| vectors <= most_vectors) {
                return case;
            }
        }
    }

    /// Vectors that the array meets in one inference; `None` where a layer cannot read what it should, or its sums
    /// do not fit the accumulators.
    fn vectors(&self) -> Option<usize> {
        let ArchConfig { rows, cols, act_bits, .. } = self.arch;
        let sources = self.sources()?;
        let planes =
            |source: Source| if source.layer.is_none() { 8usize.div_ceil(act_bits as usize) } else { 1 };
        let mut total = 0;
        for (index, layer) in self.layers.iter().enumerate() {
            let &Layer::Conv { kernel, sign, shortcut, .. } = layer else { continue };
            let (read, result) = (sources[index], sources[index + 1].shape);
            self.fits(read, kernel * kernel * read.shape.channels)?;
            if let Some(Shortcut { by, windows: Some(windows), .. }) = shortcut {
                let codes = sources[index - by];
                self.fits(codes, windows.kernel * windows.kernel * codes.shape.channels)?;
                (2 * self.time_steps <= self.arch.accumulator_depth).then_some(())?;
            }
            let passes = if sign && planes(read) == 1 { 1 } else { 8 * planes(read) };
            let taps = kernel * kernel * read.shape.channels.div_ceil(rows) * passes;
            total += taps * result.channels.div_ceil(cols) * (self.time_steps * result.positions()).max(rows);
        }
        let read = *sources.last()?;
        self.fits(read, read.shape.elements() * self.time_steps)?;
        let tiles = read.shape.positions() * read.shape.channels.div_ceil(rows) * self.classes.div_ceil(cols);
        Some(total + 8 * planes(read) * self.time_steps * tiles * rows)
    }

    /// Sums of `fan_in` codes of `source` fit an accumulator.
    fn fits(&self, source: Source, fan_in: usize) -> Option<()> {
        (self.room(source, fan_in) >= 1).then_some(())
    }
}

fn pick<T: Copy>(rng: &mut Pcg64Mcg, choices: &[T]) -> T {
    choices[rng.random_range(0..choices.len())]
}

fn draw(rng: &mut Pcg64Mcg, seed: u64, arch: &ArchConfig) -> Case {
    let height = rng.random_range(1..=14);
    let input = CaseInput {
        channels: pick(rng, &[1, 1, 2, 3, 3, 5]),
        height,
        width: if rng.random_bool(0.4) { height } else { rng.random_range(1..=14) },
        is_static: rng.random_bool(0.6),
        zero_point: pick(rng, &[0, 0, 1, 128, 255, rng.clone().random()]),
    };
    let classes = pick(rng, &[1, 2, 5, 10, arch.cols + 1]);
    let time_steps = pick(rng, &TIME_STEPS);
    let mut case = Case { seed, arch: arch.clone(), time_steps, input, layers: vec![], classes };
    for _ in 0..rng.random_range(1..=5) {
        let layer = match case.layers.len() {
            0 => conv(rng, arch, true),
            results if rng.random_bool(0.15) => Layer::Back { by: rng.random_range(1..=results) },
            _ if rng.random_bool(0.3) => block_end(rng, arch, &case),
            _ if rng.random_bool(0.65) => conv(rng, arch, false),
            _ => pool(rng),
        };
        case.layers.push(layer);
        if case.sources().is_none() {
            case.layers.pop();
        }
    }
    case
}

fn conv(rng: &mut Pcg64Mcg, arch: &ArchConfig, is_first: bool) -> Layer {
    let ArchConfig { rows, cols, .. } = *arch;
    let kernel = if rng.random_bool(0.4) { 3 } else { pick(rng, &KERNELS) };
    let parallel = rng.random_bool(0.25);
    Layer::Conv {
        channels: pick(rng, &[1, 2, 3, 7, rows, rows + 1, cols, cols.max(2) - 1, 2 * cols + 3]),
        kernel,
        stride: if rng.random_bool(0.4) { 1 } else { pick(rng, &STRIDES) },
        padding: rng.random_range(0..=(kernel - 1).min(kernel.div_ceil(2))),
        sign: rng.random_bool(if is_first { 0.2 } else { 0.85 }),
        parallel,
        offset: !parallel && rng.random_bool(0.5),
        shortcut: None,
    }
}

/// A convolution with a shortcut, where there is one that fits.
fn block_end(rng: &mut Pcg64Mcg, arch: &ArchConfig, case: &Case) -> Layer {
    let sources = case.sources().unwrap_or_default();
    if rng.random_bool(0.5)
        && let Some(layer) = projected(rng, arch, &sources)
    {
        return layer;
    }
    let wanted = sources.last().map(|source| source.shape);
    let by = rng.random_range(0..=1.min(sources.len().saturating_sub(2)));
    let codes = sources.iter().rev().nth(by).map(|source| source.shape);
    let mut layer = conv(rng, arch, false);
    if let (Layer::Conv { channels, kernel, stride, padding, shortcut, .. }, Some(codes)) =
        (&mut layer, codes)
        && wanted.is_some_and(|wanted| (wanted.height, wanted.width) == (codes.height, codes.width))
    {
        *channels = codes.channels;
        *kernel = pick(rng, &[1, 3, 3, 3, 5]);
        (*stride, *padding) = (1, *kernel / 2);
        *shortcut = Some(Shortcut { by, scaled: rng.random_bool(0.4), windows: None });
    }
    layer
}

/// A convolution to which another is added, of the codes that it reads itself or of those before.
fn projected(rng: &mut Pcg64Mcg, arch: &ArchConfig, sources: &[Source]) -> Option<Layer> {
    let by = rng.random_range(0..=1.min(sources.len().saturating_sub(2)));
    let (read, codes) = (sources.last()?.shape, sources.iter().rev().nth(by)?.shape);
    let short = pick(rng, &[1, 1, 3]);
    let windows = |stride| Windows { kernel: short, stride, padding: short / 2 };
    let fitting = (1..=3).filter_map(|stride| {
        let map = codes.windowed([short; 2], [stride; 2], short / 2)?;
        let own = if by == 0 { stride } else { 1 };
        let result = read.windowed([3; 2], [own; 2], 1)?;
        ((map.height, map.width) == (result.height, result.width)).then_some((own, windows(stride)))
    });
    let fitting: Vec<_> = fitting.collect();
    let (own, windows) = *fitting.get(rng.random_range(0..fitting.len().max(1)))?;
    let mut layer = conv(rng, arch, false);
    if let Layer::Conv { kernel, stride, padding, shortcut, .. } = &mut layer {
        (*kernel, *stride, *padding) = (3, own, 1);
        *shortcut = Some(Shortcut { by, scaled: false, windows: Some(windows) });
    }
    Some(layer)
}

fn pool(rng: &mut Pcg64Mcg) -> Layer {
    if rng.random_bool(0.3) {
        return Layer::GlobalPool;
    }
    if rng.random_bool(0.4) {
        let kernel = pick(rng, &[1, 2, 2, 3, 3, 5]);
        let padding = rng.random_range(0..=(kernel - 1).min(2));
        return Layer::MaxPool { kernel, stride: pick(rng, &[1, 2, 2, 3]), padding };
    }
    let mut axis = || (pick(rng, &[1, 2, 2, 3, 4, 5]), pick(rng, &[1, 2, 2, 3, 4]));
    let ((height, down), (width, right)) = (axis(), axis());
    Layer::Pool { kernel: [height, width], stride: [down, right] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const VECTORS: usize = 60_000;

    #[test]
    fn a_seed_is_an_accelerator_and_a_case() {
        let case = |seed| Case::random(seed, &random_arch(seed, [8, 8], 6), VECTORS);
        assert_eq!(case(5), case(5));
        assert_ne!(case(5), case(6));
    }

    #[test]
    fn a_pool_has_all_presets_and_all_bits_of_spikes() {
        let pool: Vec<ArchConfig> = (0..12).map(|index| pooled_arch(4, index)).collect();
        pool.iter()
            .chain(&(0..50).map(tiny_arch).collect::<Vec<_>>())
            .for_each(|arch| arch.validate().unwrap());
        assert_eq!(pool.iter().map(|arch| arch.act_bits).collect::<BTreeSet<_>>(), ACT_BITS.collect());
        let arrays: BTreeSet<_> = pool.iter().map(|arch| [arch.rows, arch.cols]).collect();
        assert!(ARRAYS.iter().all(|array| arrays.contains(array)) && arrays.len() >= 9, "{arrays:?}");
    }

    #[test]
    fn accelerators_are_as_varied_as_they_should_be() {
        let archs: Vec<ArchConfig> =
            (0..200).map(|seed| random_arch(seed, [12, 6], 2 + seed as u32 % 7)).collect();
        archs.iter().for_each(|arch| arch.validate().unwrap());
        let seen = |value: fn(&ArchConfig) -> u32| archs.iter().map(value).collect::<BTreeSet<_>>();
        assert_eq!(seen(|arch| arch.lanes as u32), [1, 2, 3, 6].into());
        assert_eq!(seen(|arch| arch.membrane_bits), MEMBRANE_BITS.collect());
        assert_eq!(seen(|arch| arch.acc_bits), (LEAST_ACC_BITS..=32).collect());
    }

    #[test]
    fn cases_are_as_varied_as_they_should_be() {
        let arch = random_arch(1, [16, 16], 8);
        let cases: Vec<Case> = (0..500).map(|seed| Case::random(seed, &arch, VECTORS)).collect();
        let layers = || cases.iter().flat_map(|case| &case.layers);
        for wanted in KERNELS {
            assert!(layers().any(|layer| matches!(layer, Layer::Conv { kernel, .. } if *kernel == wanted)));
        }
        for wanted in STRIDES {
            assert!(layers().any(|layer| matches!(layer, Layer::Conv { stride, .. } if *stride == wanted)));
        }
        for wanted in TIME_STEPS {
            assert!(cases.iter().any(|case| case.time_steps == wanted));
        }
        assert!(layers().any(|layer| matches!(layer, Layer::Conv { sign: true, stride: 2, padding: 2, .. })));
        assert!(layers().any(|layer| matches!(layer, Layer::Conv { sign: false, parallel: true, .. })));
        assert!(layers().any(|layer| *layer == Layer::GlobalPool));
        assert!(cases.iter().any(|case| case.layers.len() >= 4));
        assert!(cases.iter().filter(|case| case.readers_of_input() >= 2).count() >= 20);
        assert!(layers().any(|layer| matches!(layer, Layer::MaxPool { kernel: 3, stride: 2, padding: 1 })));
        let shortcuts = || {
            layers().filter_map(|layer| match layer {
                Layer::Conv { shortcut, .. } => *shortcut,
                _ => None,
            })
        };
        for (by, stride) in [(0, 1), (0, 2), (1, 1), (1, 2)] {
            let has = |s: &Shortcut| s.by == by && s.windows.is_some_and(|w| w.stride == stride);
            assert!(shortcuts().filter(has).count() >= 3, "{by} {stride}");
        }
        for (by, scaled) in [(0, false), (0, true), (1, false), (1, true)] {
            let wanted = Shortcut { by, scaled, windows: None };
            assert!(shortcuts().filter(|shortcut| *shortcut == wanted).count() >= 5, "{wanted:?}");
        }
    }

    #[test]
    fn memories_are_as_deep_as_the_largest_case_needs() {
        let arch = random_arch(3, [4, 4], 5);
        let mut cases: Vec<Case> = (0..10).map(|seed| Case::random(seed, &arch, 5_000)).collect();
        fit(&mut cases).unwrap();
        let used: Vec<MemoryUse> = cases.iter().map(|case| compile(case).unwrap().1.memory).collect();
        let most = |of: fn(&MemoryUse) -> usize| used.iter().map(of).max().unwrap();
        assert_eq!(cases[0].arch.activation_depth, most(|used| used.activation));
        assert_eq!(cases[0].arch.weight_depth, most(|used| used.weight));
        assert!(cases.iter().all(|case| case.arch == cases[0].arch));
    }
}
