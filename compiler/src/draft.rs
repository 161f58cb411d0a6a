//! A trained network on its way to integers: float parameters, resolved for every time-step and channel.

use empf_ir::{ClassNames, CodeFormat, Codes, INPUT, Input, Node, WeightKind};
use ndarray::{Array2, Array4};
use serde::Serialize;

/// The network between the passes `resolve` and `quantize`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Draft {
    /// For people.
    pub name: String,
    /// T.
    pub time_steps: usize,
    /// Number of logits.
    pub classes: usize,
    /// What the classes are called, where that is known.
    pub class_names: ClassNames,
    /// What enters; behind `resolve` all channels have one scale.
    pub input: Input,
    /// In order; the last one gives the logits.
    pub nodes: Vec<Node<DraftOp>>,
    /// What the network was trained to round to, if to anything.
    pub codes: Option<Codes>,
}

/// Operators of a draft. `[T, C]` tensors have a value for every time-step and channel.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum DraftOp {
    /// Values to currents.
    Conv(Box<Conv>),
    /// Currents to currents; the pass `fold_bn` removes it.
    BatchNorm(Affine),
    /// Currents to spikes.
    Neuron(Box<Neuron>),
    /// Mean over windows without padding.
    AvgPool {
        /// Height and width of the window.
        kernel: [usize; 2],
        /// Step of the window.
        stride: [usize; 2],
    },
    /// Maximum over windows, of which a border takes no part.
    MaxPool {
        /// Side of the window.
        kernel: usize,
        /// Step of the window.
        stride: usize,
        /// Border on each side.
        padding: usize,
    },
    /// Values to logits, summed over the frames.
    Linear {
        /// `[out, features]`.
        weight: Array2<f64>,
        /// `[out]`, added for every frame.
        bias: Vec<f64>,
    },
    /// Spikes to currents, where an addition or channel attention reads them.
    Widen {
        /// What they are multiplied with, `[T, C]`: 1 unless a version II neuron reads the sum.
        gain: Array2<f64>,
    },
    /// Channel attention on currents.
    Seca {
        /// `[K]`, a weight for each sign that a score sees.
        weight: Vec<f64>,
        /// What the result is multiplied with, `[T, C]`: 1 unless a version II neuron reads it.
        gain: Array2<f64>,
    },
    /// Sum of two currents.
    Add,
}

/// A convolution and the affine map behind it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Conv {
    /// Whether `weight` is +-1.
    pub weights: WeightKind,
    /// `[C, C_in, kernel, kernel]`, signs taken.
    pub weight: Array4<f64>,
    /// Step of the window.
    pub stride: usize,
    /// Border of zeros on each side.
    pub padding: usize,
    /// From sums to currents.
    pub affine: Affine,
}

/// `gain[t][c] * x + bias[t][c]`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Affine {
    /// `[T, C]`.
    pub gain: Array2<f64>,
    /// `[T, C]`.
    pub bias: Array2<f64>,
}

impl Affine {
    /// Gain 1, bias 0.
    pub fn identity(time_steps: usize, channels: usize) -> Self {
        let shape = (time_steps, channels);
        Affine { gain: Array2::ones(shape), bias: Array2::zeros(shape) }
    }

    /// `self` of the result of `first`.
    pub fn after(&self, first: &Affine) -> Self {
        Affine { gain: &self.gain * &first.gain, bias: &self.gain * &first.bias + &self.bias }
    }
}

/// `m = lambda v + I`, `s = relu(m - theta)`, `v = min(m, theta) - offset`; each tensor `[T, C]`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Neuron {
    /// Version III: no residual potential; `lambda` and `offset` are 0.
    pub parallel: bool,
    /// Leak.
    pub lambda: Array2<f64>,
    /// Threshold.
    pub theta: Array2<f64>,
    /// What is taken off the potential after each step.
    pub offset: Array2<f64>,
    /// Version II; the pass `reparameterize` removes it.
    pub norm: Option<MembraneNorm>,
}

/// Membrane batch normalisation, `alpha m + beta (gamma (m - mean) / sqrt(var + eps) + b)`; each tensor `[T, C]`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MembraneNorm {
    /// Share of the potential itself.
    pub alpha: Array2<f64>,
    /// Share of the normalised potential.
    pub beta: Array2<f64>,
    /// Gain of the normalisation.
    pub gamma: Array2<f64>,
    /// Offset of the normalisation.
    pub b: Array2<f64>,
    /// Running mean.
    pub mean: Array2<f64>,
    /// Running variance plus eps.
    pub var_eps: Array2<f64>,
}

impl Draft {
    /// The code whose value is 0 of each channel of the tensor called `name`; none where all are 0.
    pub fn zero_points(&self, name: &str) -> Vec<f64> {
        let of_input =
            || self.input.zero_point.values(self.input.channels).into_iter().map(f64::from).collect();
        if name == INPUT { of_input() } else { vec![] }
    }

    /// Format that the result of the node called `name` was trained for, if any.
    pub fn format(&self, name: &str) -> Option<CodeFormat> {
        self.codes.as_ref()?.format(name)
    }

    /// Index of the node called `name`; `None` for the input.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|n| n.name == name)
    }

    /// The node called `name`, where one node alone reads it.
    pub fn own(&self, name: &str) -> Option<usize> {
        let readers = self.nodes.iter().filter(|n| n.inputs.iter().any(|input| input == name)).count();
        self.position(name).filter(|_| readers == 1)
    }
}
