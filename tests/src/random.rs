//! Accelerators and cases drawn at random.

use crate::case::{Attention, Case, CaseInput, Conv, Layer, Shortcut, Source, Windows};
use crate::suite::{Result, compile};
use empf_ir::arch::Memory;
use empf_ir::formats::{ACT_BITS, MEMBRANE_BITS};
use empf_ir::program::MemoryUse;
use empf_ir::{ArchConfig, Border, Shape};
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
        potential_depth: AMPLE,
        current_depth: rng.random_range(60..=600),
        sum_depth: AMPLE,
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
        let used = compile(case)?.1.memory;
        most.activation = most.activation.max(used.activation);
        most.potential = most.potential.max(used.potential);
        most.current = most.current.max(used.current);
        most.sum = most.sum.max(used.sum);
        most.weight = most.weight.max(used.weight);
        most.parameter = most.parameter.max(used.parameter);
        most.input = most.input.max(used.input);
        most.schedule = most.schedule.max(used.schedule);
    }
    for case in cases {
        case.arch = with_memories(&case.arch, &most);
    }
    Ok(())
}

/// An accelerator with memories for just what is `used`, but that the compiler goes by `current_depth` frame by frame: it
/// stays, unless there is no attention.
pub fn with_memories(arch: &ArchConfig, used: &MemoryUse) -> ArchConfig {
    arch.with_depths(|memory| match memory {
        Memory::Accumulator => arch.accumulator_depth,
        Memory::Current if used.current == 0 => 0,
        Memory::Current => arch.current_depth,
        // A memory has at least 16 words.
        _ => used.of(memory).max(16),
    })
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
            let &Layer::Conv(conv) = layer else { continue };
            let Conv { kernel, sign, .. } = conv;
            let (read, result) = (sources[index], sources[index + 1].shape);
            self.fits(read, kernel * kernel * read.shape.channels)?;
            for Shortcut { by, windows, .. } in conv.shortcuts() {
                let Some(windows) = windows else { continue };
                let codes = sources[index - by];
                self.fits(codes, windows.kernel * windows.kernel * codes.shape.channels)?;
                (2 * self.time_steps <= self.arch.accumulator_depth).then_some(())?;
            }
            if conv.attention.is_some() {
                (self.currents(result) <= self.arch.current_depth).then_some(())?;
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

    /// Words of currents that attention keeps of a frame of `result`.
    fn currents(&self, result: Shape) -> usize {
        result.positions() * result.channels.div_ceil(self.arch.lanes)
    }

    /// Layers with attention whose currents are kept frame by frame, as those of all frames do not fit.
    pub fn frame_by_frame(&self) -> usize {
        let results = self.sources().unwrap_or_default().into_iter().skip(1);
        let attends = |layer: &Layer| matches!(layer, Layer::Conv(conv) if conv.attention.is_some());
        let of_layers = self.layers.iter().zip(results).filter(|(layer, _)| attends(layer));
        let of_all = |result: Source| self.time_steps * self.currents(result.shape);
        of_layers
            .filter(|(_, result)| self.time_steps > 1 && of_all(*result) > self.arch.current_depth)
            .count()
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
    let channels = pick(rng, &[1, 1, 2, 3, 3, 4, 5]);
    let input = CaseInput {
        channels,
        height,
        width: if rng.random_bool(0.4) { height } else { rng.random_range(1..=14) },
        is_static: rng.random_bool(0.6),
        zero_point: border(rng, channels),
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
        if rng.random_bool(0.3) {
            attend(rng, &mut case);
        }
    }
    case
}

/// One code for all channels, or one for each.
fn border(rng: &mut Pcg64Mcg, channels: usize) -> Border {
    let codes: Vec<u8> = (0..channels).map(|_| rng.random()).collect();
    let own = Border::new(&codes).filter(|_| rng.random_bool(0.5));
    own.unwrap_or_else(|| pick(rng, &[0, 0, 1, 128, 255, codes[0]]).into())
}

fn conv(rng: &mut Pcg64Mcg, arch: &ArchConfig, is_first: bool) -> Layer {
    let ArchConfig { rows, cols, .. } = *arch;
    let kernel = if rng.random_bool(0.4) { 3 } else { pick(rng, &KERNELS) };
    let parallel = rng.random_bool(0.25);
    Layer::Conv(Conv {
        channels: pick(rng, &[1, 2, 3, 7, rows, rows + 1, cols, cols.max(2) - 1, 2 * cols + 3]),
        kernel,
        stride: if rng.random_bool(0.4) { 1 } else { pick(rng, &STRIDES) },
        padding: rng.random_range(0..=(kernel - 1).min(kernel.div_ceil(2))),
        sign: rng.random_bool(if is_first { 0.2 } else { 0.85 }),
        parallel,
        offset: !parallel && rng.random_bool(0.5),
        shortcut: None,
        attention: None,
    })
}

/// Gives the last layer attention, if it is a convolution, and half of these a shortcut behind it that fits.
fn attend(rng: &mut Pcg64Mcg, case: &mut Case) {
    let Some(mut layer) = case.layers.pop() else { return };
    if let Layer::Conv(conv) = &mut layer {
        let sources = case.sources().unwrap_or_default();
        if let (None, Some(Source { layer: Some(_), shape })) = (conv.shortcut, sources.last())
            && rng.random_bool(0.6)
        {
            conv.kernel = pick(rng, &[1, 3, 3]);
            (conv.channels, conv.stride, conv.padding) = (shape.channels, 1, conv.kernel / 2);
        }
        let result = sources.last().and_then(|read| layer_output(conv, read.shape));
        let behind = if rng.random_bool(0.8) { shortcut_of(rng, &sources, result) } else { None };
        conv.attention = Some(Attention { kernel: pick(rng, &[3, 5, 7]), shortcut: behind });
    }
    case.layers.push(layer);
}

/// Shape of what a convolution computes.
fn layer_output(conv: &Conv, read: Shape) -> Option<Shape> {
    let map = read.windowed([conv.kernel; 2], [conv.stride; 2], conv.padding)?;
    Some(Shape { channels: conv.channels, ..map })
}

/// A shortcut whose currents have the shape `result`.
fn shortcut_of(rng: &mut Pcg64Mcg, sources: &[Source], result: Option<Shape>) -> Option<Shortcut> {
    let by = rng.random_range(0..=1.min(sources.len().checked_sub(1)?));
    let (codes, result) = (*sources.iter().rev().nth(by)?, result?);
    codes.layer?;
    if codes.shape == result && rng.random_bool(0.7) {
        return Some(Shortcut { by, scaled: rng.random_bool(0.4), windows: None });
    }
    let kernel = pick(rng, &[1, 1, 3]);
    (1..=3).find_map(|stride| {
        let windows = Windows { kernel, stride, padding: kernel / 2 };
        let map = codes.shape.windowed([kernel; 2], [stride; 2], kernel / 2)?;
        let fits = (map.height, map.width) == (result.height, result.width);
        fits.then_some(Shortcut { by, scaled: false, windows: Some(windows) })
    })
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
    if let (Layer::Conv(Conv { channels, kernel, stride, padding, shortcut, .. }), Some(codes)) =
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
    if let Layer::Conv(Conv { kernel, stride, padding, shortcut, .. }) = &mut layer {
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
            assert!(
                layers().any(|layer| matches!(layer, Layer::Conv(Conv { kernel, .. }) if *kernel == wanted))
            );
        }
        for wanted in STRIDES {
            assert!(
                layers().any(|layer| matches!(layer, Layer::Conv(Conv { stride, .. }) if *stride == wanted))
            );
        }
        for wanted in TIME_STEPS {
            assert!(cases.iter().any(|case| case.time_steps == wanted));
        }
        assert!(
            layers()
                .any(|layer| matches!(layer, Layer::Conv(Conv { sign: true, stride: 2, padding: 2, .. })))
        );
        assert!(layers().any(|layer| matches!(layer, Layer::Conv(Conv { sign: false, parallel: true, .. }))));
        assert!(layers().any(|layer| *layer == Layer::GlobalPool));
        assert!(cases.iter().any(|case| case.layers.len() >= 4));
        assert!(cases.iter().filter(|case| case.readers_of_input() >= 2).count() >= 20);
        assert!(layers().any(|layer| matches!(layer, Layer::MaxPool { kernel: 3, stride: 2, padding: 1 })));
        let shortcuts = || {
            layers().flat_map(|layer| match layer {
                Layer::Conv(conv) => conv.shortcuts().collect(),
                _ => vec![],
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
        let attentions = || {
            layers().filter_map(|layer| match layer {
                Layer::Conv(Conv { attention, shortcut, .. }) => Some((attention.as_ref()?, shortcut)),
                _ => None,
            })
        };
        for wanted in [3, 5, 7] {
            assert!(attentions().filter(|(attention, _)| attention.kernel == wanted).count() >= 20);
        }
        assert!(attentions().filter(|(_, shortcut)| shortcut.is_some()).count() >= 20);
        let behind = || attentions().filter_map(|(attention, _)| attention.shortcut);
        for is_conv in [false, true] {
            assert!(behind().filter(|shortcut| shortcut.windows.is_some() == is_conv).count() >= 10);
        }
        assert!(cases.iter().map(Case::frame_by_frame).sum::<usize>() >= 5);
        let own = |input: &CaseInput| input.zero_point.of(0) != input.zero_point.of(1);
        assert!(cases.iter().filter(|case| case.input.channels > 1 && own(&case.input)).count() >= 50);
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
