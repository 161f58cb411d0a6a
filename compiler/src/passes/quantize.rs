//! Chooses formats and makes every number an integer.
//!
//! | format | chosen |
//! |---|---|
//! | membrane, 2^-F | the finest in which every current, potential, bias and offset seen fits V bits, and with which every factor and shift fits; one for all currents that are ever added; channel attention reads one and gives another |
//! | spike, 2^-f | that of the training, else least squared error over the spikes seen; of a layer that was silent the finest that no spike exceeds |
//! | mean, `2^sh / n` of the spike's | as that of a spike |
//! | weights that are not +-1 | odd multiples of the largest magnitude / 255: of each output channel for convolutions, of the layer for the classifier |
//! | mantissa | 16 bits for the layer's largest |

mod formats;
mod weights;

use super::calibrate::Calibration;
use crate::draft::{Conv, Draft, DraftOp, Neuron};
use crate::{Error, Result};
use empf_ir::border::BORDER_CHANNELS;
use empf_ir::formats::{
    LEAK_FRACTION_BITS, LOGIT_BITS, MAX_REQUANT_SHIFT, MAX_SPIKE_SHIFT, MULTIPLIER_BITS, SCORE_BITS,
};
use empf_ir::graph::written_name;
use empf_ir::{
    ArchConfig, Border, ClassNames, INPUT, Input, Node, QuantInput, QuantNetwork, QuantOp, Tensors,
};
use formats::{Fit, Formats, Misfit};
use ndarray::Array2;
use std::collections::BTreeMap;
use weights::{Integers, channel_weights, magnitude, negligible_step, weight_step};

/// Largest shift from a membrane format to one of spikes that is looked for; what is above [`MAX_SPIKE_SHIFT`] makes the
/// membrane format coarser.
const MAX_WANTED_SHIFT: u8 = 31;

/// Relative difference of two code steps that are the same but for the rounding of a division.
const SAME_STEP: f64 = 1e-9;

/// The integer network of a draft without normalisations, with the ranges that it was seen to take, for the
/// bits of `arch`.
pub fn quantize(draft: &Draft, seen: &Calibration, arch: &ArchConfig) -> Result<QuantNetwork> {
    if let Some(codes) = draft.codes.as_ref().filter(|codes| codes.bits != arch.act_bits) {
        return Err(Error::TrainedBits { trained: codes.bits, arch: arch.act_bits });
    }
    let mut formats = Formats::finest(draft, seen, arch.membrane_bits);
    let mut quantizer = Quantizer { draft, seen, formats: &formats, network: empty(draft, arch) };
    while let Err((index, misfit)) = quantizer.nodes() {
        match misfit {
            Misfit::TooFine { bits, error } => formats.coarsen(index, bits).ok_or(error)?,
            Misfit::Refused(error) => return Err(error),
        }
        quantizer = Quantizer { draft, seen, formats: &formats, network: empty(draft, arch) };
    }
    quantizer.network.validate()?;
    Ok(quantizer.network)
}

/// The integer network of `draft`, without nodes.
fn empty(draft: &Draft, arch: &ArchConfig) -> QuantNetwork {
    let Draft { name, time_steps, classes, class_names, input, .. } = draft;
    without_nodes(name, [*time_steps, *classes], class_names, input, arch)
}

/// An integer network without nodes, with so many time-steps and classes.
pub(crate) fn without_nodes(
    name: &str,
    [time_steps, classes]: [usize; 2],
    class_names: &ClassNames,
    input: &Input,
    arch: &ArchConfig,
) -> QuantNetwork {
    let Input { channels, height, width, frames, .. } = *input;
    QuantNetwork {
        name: name.to_owned(),
        time_steps,
        classes,
        class_names: class_names.clone(),
        act_bits: arch.act_bits,
        membrane_bits: arch.membrane_bits,
        input: QuantInput { channels, height, width, frames },
        nodes: Vec::new(),
        scales: BTreeMap::from([(INPUT.to_owned(), f64::from(input.scale.of(0)))]),
        tensors: Tensors::default(),
    }
}

struct Quantizer<'a> {
    draft: &'a Draft,
    seen: &'a Calibration,
    formats: &'a Formats,
    network: QuantNetwork,
}

impl Quantizer<'_> {
    /// Quantizes every node; gives the first that does not fit.
    fn nodes(&mut self) -> std::result::Result<(), (usize, Misfit)> {
        for (index, node) in self.draft.nodes.iter().enumerate() {
            let op = self.node(index, node).map_err(|misfit| (index, misfit))?;
            let Node { name, inputs, .. } = node.clone();
            self.network.nodes.push(Node { name, inputs, op });
        }
        Ok(())
    }

    fn node(&mut self, index: usize, node: &Node<DraftOp>) -> Fit<QuantOp> {
        match &node.op {
            DraftOp::Conv(conv) => self.conv(index, node, conv),
            DraftOp::Neuron(neuron) => self.neuron(index, node, neuron),
            DraftOp::AvgPool { kernel, stride } => self.pool(node, *kernel, *stride),
            DraftOp::Linear { weight, bias } => self.linear(node, weight, bias),
            DraftOp::MaxPool { kernel, stride, padding } => {
                let scale = self.scale(&node.inputs[0]);
                self.network.scales.insert(node.name.clone(), scale);
                Ok(QuantOp::MaxPool { kernel: *kernel, stride: *stride, padding: *padding })
            }
            DraftOp::Widen { gain } => self.widen(index, node, gain),
            DraftOp::Seca { weight, gain } => self.seca(index, node, weight, gain),
            DraftOp::Add => {
                self.network.scales.insert(node.name.clone(), self.formats.unit(index));
                Ok(QuantOp::Add)
            }
            DraftOp::BatchNorm(_) => {
                let message = "is still a batch normalisation; run `fold_bn` first";
                Err(Error::unsupported(&node.name, message).into())
            }
        }
    }

    /// Value of a code of the tensor called `name`.
    fn scale(&self, name: &str) -> f64 {
        self.network.scales.get(name).copied().unwrap_or(1.0)
    }

    /// The codes of the border of what a convolution reads.
    fn border(&self, node: &Node<DraftOp>, padding: usize) -> Result<Border> {
        if node.inputs[0] != INPUT || padding == 0 {
            return Ok(0.into());
        }
        Border::new(&self.draft.input.border()).ok_or_else(|| {
            let channels = self.draft.input.channels;
            let message = format!(
                "has a border around {channels} channels with zero points of their own; at most {BORDER_CHANNELS} \
                 channels can have them"
            );
            Error::unsupported(&node.name, message)
        })
    }

    fn conv(&mut self, index: usize, node: &Node<DraftOp>, conv: &Conv) -> Fit<QuantOp> {
        let unit = self.formats.unit(index);
        let (scale, zero_points) = (self.scale(&node.inputs[0]), self.draft.zero_points(&node.inputs[0]));
        let zero_point = self.border(node, conv.padding)?;
        let integers = channel_weights(conv);
        let gain = Array2::from_shape_fn(conv.affine.gain.raw_dim(), |(t, c)| {
            conv.affine.gain[[t, c]] * integers[c].step * scale / unit
        });
        let shift = requantizer_shift(&node.name, &gain)?;
        let one = f64::from(shift).exp2();
        let limit = 1i64 << (self.network.membrane_bits - 1);
        let mantissa = gain.mapv(|g| (g * one).round() as i32);
        let bias = Array2::from_shape_fn(gain.raw_dim(), |(t, c)| {
            let zero = f64::from(mantissa[[t, c]]) / one * integers[c].of_zeros(&zero_points);
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
    fn widen(&mut self, index: usize, node: &Node<DraftOp>, gain: &Array2<f64>) -> Fit<QuantOp> {
        let unit = self.formats.unit(index);
        let scale = self.scale(&node.inputs[0]);
        self.network.scales.insert(node.name.clone(), unit);
        let shift = (scale / unit).log2();
        let is_shift = shift.fract() == 0.0 && shift >= 0.0 && gain.iter().all(|g| *g == 1.0);
        match is_shift.then_some(shift as u8) {
            Some(shift @ 0..=MAX_SPIKE_SHIFT) => Ok(QuantOp::Widen { shift }),
            Some(shift) => {
                let message =
                    format!("wants a shift by {shift} bits, above {MAX_SPIKE_SHIFT}; lower membrane_bits");
                let (bits, error) = (shift - MAX_SPIKE_SHIFT, Error::unsupported(&node.name, message));
                Err(Misfit::TooFine { bits: bits.into(), error })
            }
            None => Ok(QuantOp::Scale { shift: self.factors(&node.name, gain * (scale / unit))? }),
        }
    }

    fn seca(
        &mut self,
        index: usize,
        node: &Node<DraftOp>,
        weight: &[f64],
        gain: &Array2<f64>,
    ) -> Fit<QuantOp> {
        let unit = self.formats.unit(index);
        let read = self.scale(&node.inputs[0]);
        let shift = self.factors(&node.name, gain * (read / unit))?;
        let scores = scores(weight);
        self.network.set_tensor(&node.name, "score", vec![scores.len()], scores);
        self.network.scales.insert(node.name.clone(), unit);
        Ok(QuantOp::Seca { kernel: weight.len(), shift })
    }

    /// Stores the mantissas of `factors` and gives their shift.
    fn factors(&mut self, node: &str, factors: Array2<f64>) -> Fit<u8> {
        let shift = requantizer_shift(node, &factors)?;
        let one = f64::from(shift).exp2();
        self.per_step(node, "mantissa", factors.mapv(|factor| (factor * one).round() as i32));
        Ok(shift)
    }

    fn neuron(&mut self, index: usize, node: &Node<DraftOp>, neuron: &Neuron) -> Fit<QuantOp> {
        if neuron.norm.is_some() {
            let message = "is still of version II; run `reparameterize` first";
            return Err(Error::unsupported(&node.name, message).into());
        }
        let unit = self.formats.unit(index);
        let limit = f64::from(1 << (self.network.membrane_bits - 1));
        let lowest = neuron.theta.iter().copied().fold(f64::INFINITY, f64::min);
        let value = |shift: u8| unit * f64::from(shift).exp2();
        let shift = self.shift_of(&node.name, MAX_WANTED_SHIFT, limit * unit - lowest, value)?;
        if let Some(bits @ 1..) = shift.checked_sub(MAX_SPIKE_SHIFT) {
            let message = format!(
                "wants codes of {}, and a shift by 0..={MAX_SPIKE_SHIFT} bits gives codes of at most {}; lower \
                 membrane_bits",
                value(shift),
                value(MAX_SPIKE_SHIFT)
            );
            let error = Error::unsupported(&node.name, message);
            return Err(Misfit::TooFine { bits: bits.into(), error });
        }
        let lambda = leak_codes(&node.name, &neuron.lambda)?;
        // A threshold beyond the format is never, or always, passed; the nearest code does the same.
        let code = |value: f64| (value / unit).round().clamp(-limit, limit - 1.0) as i32;
        self.per_step(&node.name, "lambda", lambda);
        self.per_step(&node.name, "theta", neuron.theta.mapv(code));
        self.per_step(&node.name, "offset", neuron.offset.mapv(code));
        self.network.scales.insert(node.name.clone(), unit * f64::from(shift).exp2());
        Ok(QuantOp::Neuron { parallel: neuron.parallel, shift })
    }

    fn pool(&mut self, node: &Node<DraftOp>, kernel: [usize; 2], stride: [usize; 2]) -> Fit<QuantOp> {
        let scale = self.scale(&node.inputs[0]);
        let elements = (kernel[0] * kernel[1]) as f64;
        let value = |shift: u8| scale * f64::from(shift).exp2() / elements;
        let largest = f64::from(self.network.max_code()) * scale;
        let shift = self.shift_of(&node.name, MAX_SPIKE_SHIFT, largest, value)?;
        self.network.scales.insert(node.name.clone(), value(shift));
        Ok(QuantOp::AvgPool { kernel, stride, shift })
    }

    /// The shift of at most `most` whose codes have the value, given by `value`, that the node was trained for; else
    /// the best. No result of the node is above `largest`.
    fn shift_of(&self, node: &str, most: u8, largest: f64, value: impl Fn(u8) -> f64) -> Result<u8> {
        let Some(format) = self.draft.format(node) else {
            return Ok(self.best_shift(node, most, largest, value));
        };
        let trained = |shift: &u8| (value(*shift) / format.step - 1.0).abs() < SAME_STEP;
        (0..=most).find(trained).ok_or_else(|| {
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
    /// largest, but none that is more than the largest value seen needs. Where only zeros were seen, the smallest that
    /// `largest` needs.
    fn best_shift(&self, node: &str, most: u8, largest: f64, value: impl Fn(u8) -> f64) -> u8 {
        let max_code = self.network.max_code();
        let needed = |largest: f64, most: u8| {
            (0..most).find(|shift| value(*shift) * f64::from(max_code) >= largest).unwrap_or(most)
        };
        let histogram = self.seen.values.get(node);
        let Some((histogram, seen)) = histogram.and_then(|histogram| Some((histogram, histogram.limit()?)))
        else {
            return needed(largest, MAX_SPIKE_SHIFT);
        };
        let error = |shift: u8| histogram.squared_error(value(shift), max_code);
        let better = |best: (u8, f64), shift: u8| {
            let error = error(shift);
            if error <= best.1 { (shift, error) } else { best }
        };
        (0..=needed(seen, most)).fold((0, f64::INFINITY), better).0
    }

    fn linear(&mut self, node: &Node<DraftOp>, weight: &Array2<f64>, bias: &[f64]) -> Fit<QuantOp> {
        let (scale, zero_points) = (self.scale(&node.inputs[0]), self.draft.zero_points(&node.inputs[0]));
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
            let code = (frames * (bias / unit - row.of_zeros(&zero_points))).round();
            if code.abs() >= f64::from(LOGIT_BITS - 1).exp2() {
                let message = format!("is {code} in the logits' unit, beyond {LOGIT_BITS} bits");
                return Err(number(&node.name, "bias", (0, channel), *bias, message).into());
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
fn requantizer_shift(node: &str, gain: &Array2<f64>) -> Fit<u8> {
    let limit = f64::from((1 << (MULTIPLIER_BITS - 1)) - 1);
    let largest = magnitude(gain.view());
    if largest > limit {
        let at = gain.indexed_iter().find(|(_, g)| g.abs() == largest).map_or((0, 0), |(at, _)| at);
        let message = format!("codes of the result for each code read, above {limit}; lower membrane_bits");
        let error = number(node, "gain", at, largest, message);
        return Err(Misfit::TooFine { bits: (largest / limit).log2().ceil() as u32, error });
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
    Error::Number { node: written_name(node).into(), tensor, step: at.0, channel: at.1, value, message }
}
