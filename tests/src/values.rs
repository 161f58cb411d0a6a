//! Values of a case's tensors: spread over the range of each number, ends included.

use crate::case::{Attention, Case, Conv, Layer, Shortcut, Source, Windows};
use empf_ir::formats::{
    INPUT_BITS, LEAK_FRACTION_BITS, MAX_REQUANT_SHIFT, MAX_SPIKE_SHIFT, MAX_WEIGHT, MULTIPLIER_BITS,
    SCORE_BITS,
};
use empf_ir::{INPUT, Node, QuantInput, QuantNetwork, QuantOp, Shape, WeightKind};
use rand::prelude::*;
use rand_pcg::Pcg64Mcg;
use std::collections::BTreeMap;

/// Of all mantissas, biases, leaks, thresholds and offsets, how many lie at an end of their range.
const EXTREME: f64 = 0.01;

impl Case {
    /// The integer network; equal cases give equal networks.
    ///
    /// # Panics
    /// Where [`Case::sources`] gives none.
    pub fn network(&self) -> QuantNetwork {
        let sources = self.sources().expect("the windows of a case fit");
        let input = &self.input;
        let network = QuantNetwork {
            name: format!("case-{}", self.seed),
            time_steps: self.time_steps,
            classes: self.classes,
            class_names: Default::default(),
            act_bits: self.arch.act_bits,
            membrane_bits: self.arch.membrane_bits,
            input: QuantInput {
                channels: input.channels,
                height: input.height,
                width: input.width,
                frames: if input.is_static { 1 } else { self.time_steps },
            },
            nodes: Vec::new(),
            scales: BTreeMap::new(),
            tensors: Default::default(),
        };
        let rng = Pcg64Mcg::seed_from_u64(self.seed ^ 0x5eed);
        let mut builder = Builder { case: self, network, rng, last: INPUT.into() };
        for (index, layer) in self.layers.iter().enumerate() {
            builder.layer(index, layer, &sources[..=index], sources[index + 1].shape);
        }
        builder.linear(sources[sources.len() - 1]);
        builder.network
    }

    /// The `index`-th input of the case, `[frame][y][x][channel]`.
    pub fn input(&self, index: u64) -> Vec<u8> {
        let mut rng = Pcg64Mcg::seed_from_u64(self.seed ^ (index + 1) << 32);
        let frames = if self.input.is_static { 1 } else { self.time_steps };
        let bytes = frames * self.input.channels * self.input.height * self.input.width;
        (0..bytes).map(|_| if rng.random_bool(0.1) { 255 } else { rng.random() }).collect()
    }
}

struct Builder<'c> {
    case: &'c Case,
    network: QuantNetwork,
    rng: Pcg64Mcg,
    /// Node that the next one reads.
    last: String,
}

/// The node that computes a layer's result.
fn name_of(case: &Case, source: Source) -> String {
    let Some(index) = source.layer else { return INPUT.into() };
    let kind = if matches!(case.layers[index], Layer::Conv(_)) { "spike" } else { "pool" };
    format!("{kind}{}", index + 1)
}

impl Builder<'_> {
    fn push(&mut self, name: String, op: QuantOp) {
        let inputs = vec![std::mem::replace(&mut self.last, name.clone())];
        self.network.nodes.push(Node { name, inputs, op });
    }

    /// Adds a layer that reads the last of `sources`.
    fn layer(&mut self, index: usize, layer: &Layer, sources: &[Source], output: Shape) {
        let source = sources[index];
        let input = source.shape;
        self.last = name_of(self.case, source);
        let index = index + 1;
        match *layer {
            Layer::Conv(Conv {
                kernel,
                stride,
                padding,
                sign,
                parallel,
                offset,
                shortcut,
                attention,
                ..
            }) => {
                let fan_in = kernel * kernel * input.channels;
                let zero_point = if self.last == INPUT { self.case.input.zero_point } else { 0.into() };
                let weights = if sign { WeightKind::Sign } else { WeightKind::Float };
                let limit = if sign { 1 } else { self.largest_weight(source, fan_in) };
                let conv = format!("conv{index}");
                let shape = vec![output.channels, input.channels, kernel, kernel];
                self.weights(&conv, shape, limit);
                let spread = self.spread(fan_in, limit);
                let (shift, current) = self.requantizer(&conv, output.channels, spread);
                let out_channels = output.channels;
                self.push(
                    conv,
                    QuantOp::Conv { out_channels, kernel, stride, padding, weights, zero_point, shift },
                );
                if let Some(shortcut) = shortcut {
                    let codes = sources[index - 1 - shortcut.by];
                    self.shortcut(&index.to_string(), shortcut, codes, output.channels, current);
                }
                if let Some(Attention { kernel, shortcut }) = attention {
                    self.attention(index, kernel, output.channels);
                    if let Some(shortcut) = shortcut {
                        let codes = sources[index - 1 - shortcut.by];
                        self.shortcut(&format!("{index}b"), shortcut, codes, output.channels, current);
                    }
                }
                self.neuron(format!("spike{index}"), output.channels, current, parallel, offset);
            }
            Layer::Pool { kernel, stride } => self.pool(index, kernel, stride),
            Layer::MaxPool { kernel, stride, padding } => {
                self.push(format!("pool{index}"), QuantOp::MaxPool { kernel, stride, padding });
            }
            Layer::GlobalPool => {
                let kernel = [input.height, input.width];
                self.pool(index, kernel, kernel);
            }
            Layer::Back { .. } => {}
        }
    }

    /// Scales the currents of the last node, which stay in about their range.
    fn attention(&mut self, index: usize, kernel: usize, channels: usize) {
        let name = format!("attention{index}");
        let largest = 1 << SCORE_BITS;
        let entries = 3usize.pow(kernel as u32);
        let score = (0..entries).map(|_| match self.rng.random_range(0..20) {
            0 => 0,
            1 => largest - 1,
            _ => self.rng.random_range(largest / 3..largest),
        });
        let score = score.collect();
        self.network.set_tensor(&name, "score", vec![entries], score);
        let shift = self.rng.random_range(9..=14);
        let mantissa = 2f64.powi(i32::from(shift) + 1);
        self.per_step(&name, "mantissa", channels, MULTIPLIER_BITS, |rng| {
            mantissa * rng.random_range(0.25..2.0) * if rng.random_bool(0.1) { -1.0 } else { 1.0 }
        });
        self.push(name, QuantOp::Seca { kernel, shift });
    }

    /// Adds codes, or their convolution, to the currents of the last node, whose range is about `current`.
    fn shortcut(&mut self, index: &str, shortcut: Shortcut, source: Source, channels: usize, current: f64) {
        let codes = name_of(self.case, source);
        let largest = f64::from(self.network.max_code());
        let finer = (current / largest).log2() + self.rng.random_range(-1.0..1.5);
        let conv = std::mem::replace(&mut self.last, codes);
        if let Some(Windows { kernel, stride, padding }) = shortcut.windows {
            let name = format!("short{index}");
            let read = source.shape.channels;
            self.weights(&name, vec![channels, read, kernel, kernel], 1);
            let spread = self.spread(kernel * kernel * read, 1);
            let (shift, _) = self.requantizer(&name, channels, spread);
            let weights = WeightKind::Sign;
            let (out_channels, zero_point) = (channels, 0.into());
            self.push(
                name,
                QuantOp::Conv { out_channels, kernel, stride, padding, weights, zero_point, shift },
            );
        } else if shortcut.scaled {
            let most = f64::from(MULTIPLIER_BITS) - 2.0;
            let shift = (most - finer).clamp(0.0, f64::from(MAX_REQUANT_SHIFT)) as u8;
            let name = format!("scale{index}");
            let mantissa = 2f64.powf(finer + f64::from(shift));
            self.per_step(&name, "mantissa", channels, MULTIPLIER_BITS, |rng| {
                mantissa * rng.random_range(-1.0..1.0)
            });
            self.push(name, QuantOp::Scale { shift });
        } else {
            let shift = finer.round().clamp(0.0, f64::from(MAX_SPIKE_SHIFT)) as u8;
            self.push(format!("widen{index}"), QuantOp::Widen { shift });
        }
        let name = format!("add{index}");
        let codes = std::mem::replace(&mut self.last, name.clone());
        let inputs = if self.rng.random_bool(0.5) { vec![conv, codes] } else { vec![codes, conv] };
        self.network.nodes.push(Node { name, inputs, op: QuantOp::Add });
    }

    /// Largest weight with which sums of `fan_in` codes fit the accumulator.
    fn largest_weight(&self, source: Source, fan_in: usize) -> i32 {
        (self.case.room(source, fan_in).min(i64::from(MAX_WEIGHT)) - 1) as i32 | 1
    }

    fn max_code(&self) -> i32 {
        self.network.max_code_of(&self.last)
    }

    /// Odd values of at most `limit`.
    fn weights(&mut self, node: &str, shape: Vec<usize>, limit: i32) {
        let count = shape.iter().product();
        let half = (limit + 1) / 2;
        let values = (0..count).map(|_| 2 * self.rng.random_range(-half..half) + 1).collect();
        self.network.set_tensor(node, "weight", shape, values);
    }

    /// Standard deviation of the sums, roughly.
    fn spread(&self, fan_in: usize, limit: i32) -> f64 {
        (fan_in as f64).sqrt() * f64::from(self.max_code()) * 0.5 * (f64::from(limit) * 0.58).max(1.0)
    }

    /// Mantissas and biases that bring `spread` somewhere into the membrane's range; the shift, and where.
    fn requantizer(&mut self, node: &str, channels: usize, spread: f64) -> (u8, f64) {
        let limit = 2f64.powi(self.network.membrane_bits as i32 - 1);
        let current = limit * 2f64.powf(self.rng.random_range(-4.0..0.5));
        let largest = 2f64.powi(MULTIPLIER_BITS as i32 - 2);
        let shift = (largest * spread / current).log2().clamp(0.0, f64::from(MAX_REQUANT_SHIFT)) as u8;
        let mantissa = current / spread * 2f64.powi(i32::from(shift));
        self.per_step(node, "mantissa", channels, MULTIPLIER_BITS, |rng| {
            mantissa * rng.random_range(0.25..2.0) * if rng.random_bool(0.1) { -1.0 } else { 1.0 }
        });
        let bits = self.network.membrane_bits;
        self.per_step(node, "bias", channels, bits, |rng| current * rng.random_range(-1.0..1.0));
        (shift, current)
    }

    fn neuron(&mut self, name: String, channels: usize, current: f64, parallel: bool, offset: bool) {
        let bits = self.network.membrane_bits;
        let one = f64::from(1 << LEAK_FRACTION_BITS);
        if parallel {
            self.zeros(&name, "lambda", channels);
        } else {
            self.per_step(&name, "lambda", channels, MULTIPLIER_BITS, |rng| {
                one * rng.random_range(-1.0..1.5)
            });
        }
        self.per_step(&name, "theta", channels, bits, |rng| current * rng.random_range(-0.5..1.0));
        if offset {
            self.per_step(&name, "offset", channels, bits, |rng| current * rng.random_range(-0.5..0.5));
        } else {
            self.zeros(&name, "offset", channels);
        }
        let finer = current.log2() - f64::from(self.network.act_bits) + self.rng.random_range(-1.0..1.5);
        let shift = finer.round().clamp(0.0, f64::from(MAX_SPIKE_SHIFT)) as u8;
        self.push(name, QuantOp::Neuron { parallel, shift });
    }

    fn zeros(&mut self, node: &str, name: &str, channels: usize) {
        let shape = vec![self.network.time_steps, channels];
        let values = vec![0; shape.iter().product()];
        self.network.set_tensor(node, name, shape, values);
    }

    /// A `[T, channels]` tensor of `bits`-bit values.
    fn per_step(
        &mut self,
        node: &str,
        name: &str,
        channels: usize,
        bits: u32,
        mut value: impl FnMut(&mut Pcg64Mcg) -> f64,
    ) {
        let limit = 1i64 << (bits - 1);
        let shape = vec![self.network.time_steps, channels];
        let rng = &mut self.rng;
        let values = (0..shape.iter().product())
            .map(|_| match (rng.random_bool(EXTREME), rng.random_bool(0.5)) {
                (true, true) => (limit - 1) as i32,
                (true, false) => -limit as i32,
                (false, _) => (value(rng) as i64).clamp(-limit, limit - 1) as i32,
            })
            .collect();
        self.network.set_tensor(node, name, shape, values);
    }

    /// The shift of a mean, or one more or less.
    fn pool(&mut self, index: usize, kernel: [usize; 2], stride: [usize; 2]) {
        let mean = f64::from((kernel[0] * kernel[1]) as u32).log2().round();
        let shift = (mean + f64::from(self.rng.random_range(-1..=1))).max(0.0) as u8;
        self.push(format!("pool{index}"), QuantOp::AvgPool { kernel, stride, shift });
    }

    fn linear(&mut self, source: Source) {
        self.last = name_of(self.case, source);
        let (classes, features) = (self.network.classes, source.shape.elements());
        let limit = self.largest_weight(source, features * self.network.time_steps);
        self.weights("classifier", vec![classes, features], limit);
        let half = 1 << (self.case.arch.acc_bits + INPUT_BITS).min(30);
        let bias = (0..classes).map(|_| self.rng.random_range(-half..half)).collect();
        self.network.set_tensor("classifier", "bias", vec![classes], bias);
        self.push("classifier".into(), QuantOp::Linear { out_features: classes });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::random_arch;
    use empf_sim::{Engine, GoldenEngine};

    /// Spikes are neither all silent nor all saturated, and every network is one.
    #[test]
    fn values_exercise_the_whole_range_of_a_spike() {
        let (mut silent, mut full, mut between) = (0, 0, 0);
        for seed in 0..240 {
            let arch = random_arch(seed, [4, 8], 2 + seed as u32 % 7);
            let case = Case::random(seed, &arch, 60_000);
            let network = case.network();
            network.validate().unwrap();
            let trace = GoldenEngine::new(&network).run(&case.input(0)).unwrap();
            let spikes = trace.tensors.iter().filter(|(name, _)| name.starts_with("spike"));
            for code in spikes.flat_map(|(_, tensor)| tensor) {
                match *code {
                    0 => silent += 1,
                    code if code == network.max_code() => full += 1,
                    _ => between += 1,
                }
            }
        }
        let all = silent + full + between;
        assert!(silent > all / 10 && full > all / 50 && between > all / 5, "{silent} {full} {between}");
    }
}
