//! Chooses formats and makes every number an integer.
//!
//! | format | chosen |
//! |---|---|
//! | membrane, 2^-F | the finest in which every current, potential, bias and offset seen fits V bits; one for all currents that are ever added; channel attention reads one and gives another |
//! | spike, 2^-f | that of the training, else least squared error over the spikes seen |
//! | mean, `2^sh / n` of the spike's | that of the training, else least squared error over the means seen |
//! | weights that are not +-1 | odd multiples of the largest magnitude / 255: of each output channel for convolutions, of the layer for the classifier |
//! | mantissa | 16 bits for the layer's largest |

use super::calibrate::Calibration;
use crate::draft::{Conv, Draft, DraftOp, Neuron};
use crate::{Error, Result};
use empf_ir::formats::{
    LEAK_FRACTION_BITS, LOGIT_BITS, MAX_REQUANT_SHIFT, MAX_SPIKE_SHIFT, MAX_WEIGHT, MULTIPLIER_BITS,
    SCORE_BITS,
};
use empf_ir::{ArchConfig, INPUT, Node, QuantInput, QuantNetwork, QuantOp, Tensors, WeightKind};
use ndarray::{Array2, ArrayView, Axis, Dimension};
use std::collections::BTreeMap;

/// Relative difference of two code steps that are the same but for the rounding of a division.
const SAME_STEP: f64 = 1e-9;

/// The integer network of a draft without normalisations, with the ranges that it was seen to take, for the
/// bits of `arch`.
pub fn quantize(draft: &Draft, seen: &Calibration, arch: &ArchConfig) -> Result<QuantNetwork> {
    if let Some(codes) = draft.codes.as_ref().filter(|codes| codes.bits != arch.act_bits) {
        return Err(Error::TrainedBits { trained: codes.bits, arch: arch.act_bits });
    }
    let shape = draft.input.shape();
    let network = QuantNetwork {
        name: draft.name.clone(),
        time_steps: draft.time_steps,
        classes: draft.classes,
        class_names: draft.class_names.clone(),
        act_bits: arch.act_bits,
        membrane_bits: arch.membrane_bits,
        input: QuantInput {
            channels: shape.channels,
            height: shape.height,
            width: shape.width,
            frames: draft.input.frames,
        },
        nodes: Vec::with_capacity(draft.nodes.len()),
        scales: BTreeMap::from([(INPUT.to_owned(), f64::from(draft.input.scale))]),
        tensors: Tensors::default(),
    };
    let mut quantizer = Quantizer { draft, seen, groups: groups(draft), network };
    for (index, node) in draft.nodes.iter().enumerate() {
        let op = quantizer.node(index, node)?;
        let Node { name, inputs, .. } = node.clone();
        quantizer.network.nodes.push(Node { name, inputs, op });
    }
    quantizer.network.validate()?;
    Ok(quantizer.network)
}

/// For each node with a membrane format, the first node with which it shares it: currents that are added, and
/// the neurons that read them.
fn groups(draft: &Draft) -> Vec<usize> {
    let mut groups: Vec<usize> = (0..draft.nodes.len()).collect();
    for (index, node) in draft.nodes.iter().enumerate() {
        if matches!(node.op, DraftOp::Add | DraftOp::Neuron(_)) {
            for input in node.inputs.iter().filter_map(|name| draft.position(name)) {
                let (a, b) = (groups[input], groups[index]);
                groups.iter_mut().filter(|g| **g == a || **g == b).for_each(|g| *g = a.min(b));
            }
        }
    }
    groups
}

struct Quantizer<'a> {
    draft: &'a Draft,
    seen: &'a Calibration,
    groups: Vec<usize>,
    network: QuantNetwork,
}

impl Quantizer<'_> {
    fn node(&mut self, index: usize, node: &Node<DraftOp>) -> Result<QuantOp> {
        match &node.op {
            DraftOp::Conv(conv) => self.conv(index, node, conv),
            DraftOp::Neuron(neuron) => self.neuron(index, node, neuron),
            DraftOp::AvgPool { kernel, stride } => self.pool(node, *kernel, *stride),
            DraftOp::Linear { weight, bias } => self.linear(node, weight, bias),
            DraftOp::MaxPool { kernel, stride, padding } => {
                let (scale, _) = self.codes(&node.inputs[0]);
                self.network.scales.insert(node.name.clone(), scale);
                Ok(QuantOp::MaxPool { kernel: *kernel, stride: *stride, padding: *padding })
            }
            DraftOp::Widen { gain } => self.widen(index, node, gain),
            DraftOp::Seca { weight, gain } => self.seca(index, node, weight, gain),
            DraftOp::Add => {
                let unit = self.membrane_unit(index);
                self.network.scales.insert(node.name.clone(), unit);
                Ok(QuantOp::Add)
            }
            DraftOp::BatchNorm(_) => {
                Err(Error::unsupported(&node.name, "is still a batch normalisation; run `fold_bn` first"))
            }
        }
    }

    /// Value of a code of the tensor called `name`, and the code whose value is 0.
    fn codes(&self, name: &str) -> (f64, u8) {
        let zero_point = if name == INPUT { self.draft.input.zero_point } else { 0 };
        (self.network.scales.get(name).copied().unwrap_or(1.0), zero_point)
    }

    /// The power of two that a membrane code of node `index` stands for.
    fn membrane_unit(&self, index: usize) -> f64 {
        let mut largest = f64::MIN_POSITIVE;
        let members = self.draft.nodes.iter().zip(&self.groups).filter(|(_, g)| **g == self.groups[index]);
        for (node, _) in members {
            let seen = self.seen.magnitudes.get(&node.name).copied().unwrap_or_default();
            let of_parameters = match &node.op {
                DraftOp::Conv(conv) => largest_bias(conv, self.codes(&node.inputs[0])),
                DraftOp::Neuron(neuron) => magnitude(neuron.offset.view()),
                _ => 0.0,
            };
            largest = largest.max(seen).max(of_parameters);
        }
        let limit = f64::from((1 << (self.network.membrane_bits - 1)) - 1);
        (largest / limit).log2().ceil().exp2()
    }

    fn conv(&mut self, index: usize, node: &Node<DraftOp>, conv: &Conv) -> Result<QuantOp> {
        let unit = self.membrane_unit(index);
        let (scale, zero_point) = self.codes(&node.inputs[0]);
        let integers = channel_weights(conv);
        let gain = Array2::from_shape_fn(conv.affine.gain.raw_dim(), |(t, c)| {
            conv.affine.gain[[t, c]] * integers[c].step * scale / unit
        });
        let shift = requantizer_shift(&node.name, &gain)?;
        let one = f64::from(shift).exp2();
        let limit = 1i64 << (self.network.membrane_bits - 1);
        let mantissa = gain.mapv(|g| (g * one).round() as i32);
        let bias = Array2::from_shape_fn(gain.raw_dim(), |(t, c)| {
            let zero = f64::from(mantissa[[t, c]]) / one * integers[c].sum() * f64::from(zero_point);
            let bias = (conv.affine.bias[[t, c]] / unit - zero).round() as i64;
            bias.clamp(-limit, limit - 1) as i32
        });
        let (out_channels, _, kernel, _) = conv.weight.dim();
        let weight = integers.into_iter().flat_map(|channel| channel.codes).collect();
        self.network.set_tensor(&node.name, "weight", conv.weight.shape().to_vec(), weight);
        self.per_step(&node.name, "mantissa", mantissa);
        self.per_step(&node.name, "bias", bias);
        self.network.scales.insert(node.name.clone(), unit);
        let Conv { weights, stride, padding, .. } = *conv;
        Ok(QuantOp::Conv { out_channels, kernel, stride, padding, weights, zero_point, shift })
    }

    /// A shift where that is all there is to do, else a factor for each step and channel.
    fn widen(&mut self, index: usize, node: &Node<DraftOp>, gain: &Array2<f64>) -> Result<QuantOp> {
        if node.inputs[0] == INPUT {
            let message =
                "adds the input, whose codes have a zero point; add spikes, or a convolution of the input";
            return Err(Error::unsupported(&node.name, message));
        }
        let unit = self.membrane_unit(index);
        let (scale, _) = self.codes(&node.inputs[0]);
        self.network.scales.insert(node.name.clone(), unit);
        let shift = (scale / unit).log2();
        let is_shift = shift.fract() == 0.0 && (0.0..=f64::from(MAX_SPIKE_SHIFT)).contains(&shift);
        if is_shift && gain.iter().all(|g| *g == 1.0) {
            return Ok(QuantOp::Widen { shift: shift as u8 });
        }
        Ok(QuantOp::Scale { shift: self.factors(&node.name, gain * (scale / unit))? })
    }

    fn seca(
        &mut self,
        index: usize,
        node: &Node<DraftOp>,
        weight: &[f64],
        gain: &Array2<f64>,
    ) -> Result<QuantOp> {
        let unit = self.membrane_unit(index);
        let (read, _) = self.codes(&node.inputs[0]);
        let shift = self.factors(&node.name, gain * (read / unit))?;
        let scores = scores(weight);
        self.network.set_tensor(&node.name, "score", vec![scores.len()], scores);
        self.network.scales.insert(node.name.clone(), unit);
        Ok(QuantOp::Seca { kernel: weight.len(), shift })
    }

    /// Stores the mantissas of `factors` and gives their shift.
    fn factors(&mut self, node: &str, factors: Array2<f64>) -> Result<u8> {
        let shift = requantizer_shift(node, &factors)?;
        let one = f64::from(shift).exp2();
        self.per_step(node, "mantissa", factors.mapv(|factor| (factor * one).round() as i32));
        Ok(shift)
    }

    fn neuron(&mut self, index: usize, node: &Node<DraftOp>, neuron: &Neuron) -> Result<QuantOp> {
        if neuron.norm.is_some() {
            return Err(Error::unsupported(&node.name, "is still of version II; run `reparameterize` first"));
        }
        let unit = self.membrane_unit(index);
        let shift = self.shift_of(&node.name, |shift| unit * f64::from(shift).exp2())?;
        let lambda = leak_codes(&node.name, &neuron.lambda)?;
        let limit = f64::from(1 << (self.network.membrane_bits - 1));
        // A threshold beyond the format is never, or always, passed; the nearest code does the same.
        let code = |value: f64| (value / unit).round().clamp(-limit, limit - 1.0) as i32;
        self.per_step(&node.name, "lambda", lambda);
        self.per_step(&node.name, "theta", neuron.theta.mapv(code));
        self.per_step(&node.name, "offset", neuron.offset.mapv(code));
        self.network.scales.insert(node.name.clone(), unit * f64::from(shift).exp2());
        Ok(QuantOp::Neuron { parallel: neuron.parallel, shift })
    }

    fn pool(&mut self, node: &Node<DraftOp>, kernel: [usize; 2], stride: [usize; 2]) -> Result<QuantOp> {
        let (scale, _) = self.codes(&node.inputs[0]);
        let elements = (kernel[0] * kernel[1]) as f64;
        let value = |shift: u8| scale * f64::from(shift).exp2() / elements;
        let shift = self.shift_of(&node.name, value)?;
        self.network.scales.insert(node.name.clone(), value(shift));
        Ok(QuantOp::AvgPool { kernel, stride, shift })
    }

    /// The shift whose codes have the value, given by `value`, that the node was trained for; else the best.
    fn shift_of(&self, node: &str, value: impl Fn(u8) -> f64) -> Result<u8> {
        let Some(format) = self.draft.format(node) else { return Ok(self.best_shift(node, value)) };
        let trained = |shift: &u8| (value(*shift) / format.step - 1.0).abs() < SAME_STEP;
        (0..=MAX_SPIKE_SHIFT).find(trained).ok_or_else(|| {
            let message = format!(
                "was trained for codes of {}, and a shift by 0..={MAX_SPIKE_SHIFT} bits gives codes of {} to {}; \
                 change membrane_bits, or train without rounding",
                format.step,
                value(0),
                value(MAX_SPIKE_SHIFT)
            );
            Error::unsupported(node, message)
        })
    }

    /// The shift whose codes, of the value that `value` gives, have the least squared error; of equal ones the
    /// largest.
    fn best_shift(&self, node: &str, value: impl Fn(u8) -> f64) -> u8 {
        let Some(histogram) = self.seen.values.get(node) else { return 0 };
        let error = |shift: u8| histogram.squared_error(value(shift), self.network.max_code());
        let better = |best: (u8, f64), shift: u8| {
            let error = error(shift);
            if error <= best.1 { (shift, error) } else { best }
        };
        (0..=MAX_SPIKE_SHIFT).fold((0, f64::INFINITY), better).0
    }

    fn linear(&mut self, node: &Node<DraftOp>, weight: &Array2<f64>, bias: &[f64]) -> Result<QuantOp> {
        let (scale, zero_point) = self.codes(&node.inputs[0]);
        let frames = self.network.frames_of(&node.inputs[0]) as f64;
        let step = match weight_step(weight.view()) {
            0.0 => negligible_step(bias) * frames / scale,
            step => step,
        };
        let unit = step * scale;
        let mut codes = Vec::with_capacity(weight.len());
        let mut biases = Vec::with_capacity(bias.len());
        for (channel, (row, bias)) in weight.outer_iter().zip(bias).enumerate() {
            let row = Integers::new(row, step);
            let code = (frames * (bias / unit - row.sum() * f64::from(zero_point))).round();
            if code.abs() >= f64::from(LOGIT_BITS - 1).exp2() {
                let message = format!("is {code} in the logits' unit, beyond {LOGIT_BITS} bits");
                return Err(number(&node.name, "bias", (0, channel), *bias, message));
            }
            biases.push(code as i32);
            codes.extend(row.codes);
        }
        self.network.set_tensor(&node.name, "weight", weight.shape().to_vec(), codes);
        self.network.set_tensor(&node.name, "bias", vec![bias.len()], biases);
        self.network.scales.insert(node.name.clone(), unit);
        Ok(QuantOp::Linear { out_features: bias.len() })
    }

    fn per_step(&mut self, node: &str, name: &str, values: Array2<i32>) {
        let shape = values.shape().to_vec();
        self.network.set_tensor(node, name, shape, values.into_iter().collect());
    }
}

/// Odd integers that stand for weights.
struct Integers {
    codes: Vec<i32>,
    /// Weight of the integer 1.
    step: f64,
}

impl Integers {
    /// The odd integer nearest to each weight / `step`; where `step` is 0, so are the weights, and any will do.
    fn new<D: Dimension>(weights: ArrayView<f64, D>, step: f64) -> Self {
        let odd = |w: &f64| match step > 0.0 {
            true => (2 * (w / (2.0 * step)).floor() as i32 + 1).clamp(-MAX_WEIGHT, MAX_WEIGHT),
            false => 1,
        };
        Integers { codes: weights.iter().map(odd).collect(), step }
    }

    fn sum(&self) -> f64 {
        self.codes.iter().copied().map(f64::from).sum()
    }
}

/// Weight of the integer 1 where the largest weight is [`MAX_WEIGHT`].
fn weight_step<D: Dimension>(weights: ArrayView<f64, D>) -> f64 {
    magnitude(weights) / f64::from(MAX_WEIGHT)
}

/// Logits' unit for weights of 0, which become +-1 all the same: the biases take all bits but one.
fn negligible_step(bias: &[f64]) -> f64 {
    let largest = magnitude(ArrayView::from(bias));
    let largest = if largest > 0.0 { largest } else { 1.0 };
    largest / f64::from(LOGIT_BITS - 2).exp2()
}

fn magnitude<D: Dimension>(values: ArrayView<f64, D>) -> f64 {
    values.iter().fold(0.0, |largest, v| largest.max(v.abs()))
}

/// The weights of each output channel as integers.
fn channel_weights(conv: &Conv) -> Vec<Integers> {
    let step = |channel: ArrayView<f64, _>| match conv.weights {
        WeightKind::Sign => Integers { codes: channel.iter().map(|w| *w as i32).collect(), step: 1.0 },
        WeightKind::Float => Integers::new(channel, weight_step(channel)),
    };
    conv.weight.axis_iter(Axis(0)).map(step).collect()
}

/// Largest magnitude of a bias, the zero point's part included.
fn largest_bias(conv: &Conv, (scale, zero_point): (f64, u8)) -> f64 {
    let integers = channel_weights(conv);
    let map = &conv.affine;
    let bias = |((t, c), bias): ((usize, usize), &f64)| {
        let zero = map.gain[[t, c]] * integers[c].step * scale * integers[c].sum() * f64::from(zero_point);
        (bias - zero).abs()
    };
    map.bias.indexed_iter().map(bias).fold(0.0, f64::max)
}

/// The score of every combination of signs, a digit of base 3 each: -1, none, +1.
fn scores(weight: &[f64]) -> Vec<i32> {
    let one = f64::from(SCORE_BITS).exp2();
    let score = |entry: usize| {
        let sign = |k: usize| (entry / 3usize.pow(k as u32) % 3) as f64 - 1.0;
        let sum: f64 = weight.iter().enumerate().map(|(k, w)| w * sign(k)).sum();
        (one / (1.0 + (-sum).exp())).round().min(one - 1.0) as i32
    };
    (0..3usize.pow(weight.len() as u32)).map(score).collect()
}

/// The shift with which the largest of `gain` has a full mantissa.
fn requantizer_shift(node: &str, gain: &Array2<f64>) -> Result<u8> {
    let limit = f64::from((1 << (MULTIPLIER_BITS - 1)) - 1);
    let largest = magnitude(gain.view());
    if largest > limit {
        let at = gain.indexed_iter().find(|(_, g)| g.abs() == largest).map_or((0, 0), |(at, _)| at);
        let message = format!("codes of the result for each code read, above {limit}; lower membrane_bits");
        return Err(number(node, "gain", at, largest, message));
    }
    let shift = (limit / largest.max(f64::MIN_POSITIVE)).log2().floor();
    Ok(shift.min(f64::from(MAX_REQUANT_SHIFT)) as u8)
}

fn leak_codes(node: &str, lambda: &Array2<f64>) -> Result<Array2<i32>> {
    let limit = f64::from(1 << (MULTIPLIER_BITS - 1));
    let codes = lambda.mapv(|l| (l * f64::from(1 << LEAK_FRACTION_BITS)).round());
    match codes.indexed_iter().find(|(_, code)| !(-limit..limit).contains(*code)) {
        Some((at, _)) => {
            let range = limit / f64::from(1 << LEAK_FRACTION_BITS);
            let message = format!("is not in -{range}..{range}, the range of a leak; train it smaller");
            Err(number(node, "lambda", at, lambda[at], message))
        }
        None => Ok(codes.mapv(|code| code as i32)),
    }
}

fn number(node: &str, tensor: &'static str, at: (usize, usize), value: f64, message: String) -> Error {
    Error::Number { node: node.into(), tensor, step: at.0, channel: at.1, value, message }
}
