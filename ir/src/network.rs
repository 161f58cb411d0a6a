//! The float graph that the trainer writes and the compiler reads.

use crate::document::{Content, Document};
use crate::formats::MAX_TIME_STEPS;
use crate::graph::{self, Kind, Node, Operator};
use crate::keys::Keys;
use crate::name::check_name;
use crate::per_channel;
use crate::shape::MAX_ELEMENTS;
use crate::tensors::{Dtype, Tensor, Tensors};
use crate::{ClassNames, Codes, Error, PerChannel, Result, Shape, counted};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::path::Path;

const TENSORS: &str = "weights.safetensors";

/// What enters the network: unsigned 8-bit codes, read as `(code - zero_point) * scale` of their channel.
///
/// An integer zero point keeps the border exact: padding inserts the code `zero_point`, whose value is 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Channels.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// 1: a static image, fed at every time-step; else one frame per time-step.
    pub frames: usize,
    /// The code whose value is 0, 0..=255; a fraction where a mean is one.
    #[serde(deserialize_with = "per_channel::zero_point")]
    pub zero_point: PerChannel,
    /// Value of one code step, > 0.
    #[serde(deserialize_with = "per_channel::scale")]
    pub scale: PerChannel,
}

impl Input {
    /// The value of a code of a channel.
    pub fn value(&self, channel: usize, code: u8) -> f64 {
        (f64::from(code) - f64::from(self.zero_point.of(channel))) * f64::from(self.scale.of(channel))
    }

    /// The codes nearest to the value 0, one for each channel.
    pub fn border(&self) -> Vec<u8> {
        self.zero_point.values(self.channels).into_iter().map(|zero| zero.round() as u8).collect()
    }

    /// The largest distance from a channel's zero point to the code of its border, at most half a code.
    pub fn border_error(&self) -> f32 {
        let distances = self.border().into_iter().zip(self.zero_point.values(self.channels));
        distances.map(|(code, zero)| (f32::from(code) - zero).abs()).fold(0.0, f32::max)
    }

    /// Shape of one frame.
    pub fn shape(&self) -> Shape {
        Shape::new(self.channels, self.height, self.width)
    }
}

/// How a convolution uses its stored weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WeightKind {
    /// As stored. In hardware: odd integers of 8 digit planes.
    Float,
    /// `Sign(w)`, with `Sign(0) = +1`.
    Sign,
}

/// Channels that a score of channel attention may see.
pub const SECA_KERNELS: [usize; 3] = [3, 5, 7];

/// Versions of the EM-PF neuron (Eq. 3 and 6 of the paper).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NeuronVersion {
    /// Learnable leak and threshold at every time-step: tensors `lambda`, `theta`.
    I,
    /// Membrane batch normalisation at every time-step: `lambda`, `theta`, `alpha`, `beta`, `gamma`, `b`,
    /// `mean`, `var`.
    II,
    /// Parallel: no residual potential; tensor `theta`.
    III,
}

/// Operators of a float network. `C` is the node's channel count, `T` the network's time-steps.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Op {
    /// 2-D convolution without bias. `weight`: `[out_channels, in_channels, kernel, kernel]`.
    Conv {
        /// Number of output channels.
        out_channels: usize,
        /// Side of the window.
        kernel: usize,
        /// Step of the window.
        stride: usize,
        /// Border of zeros on each side.
        padding: usize,
        /// Float or sign.
        weights: WeightKind,
    },
    /// Batch normalisation with the running statistics of each time-step.
    /// `gamma`, `bias`: `[C]`; `mean`, `var`: `[T, C]`.
    BatchNorm {
        /// Added to the variance.
        eps: f32,
    },
    /// EM-PF neuron. Every tensor is `[T, C]`, or `[T, 1]` where one value serves the layer.
    Neuron {
        /// I, II or III.
        version: NeuronVersion,
        /// Added to the variance in version II.
        eps: f32,
    },
    /// Leaky integrate-and-fire neuron with spikes of 0 and 1, what EM-PF neurons are compared with:
    /// `m = leak v + I`, `s = 1` where `m >= threshold`, `v = m - threshold s`.
    Lif {
        /// Share of the potential that is left after a step.
        leak: f32,
        /// What a spike takes from the potential, above 0.
        threshold: f32,
    },
    /// Mean over windows without padding.
    AvgPool {
        /// Side of the window.
        kernel: usize,
        /// Step of the window.
        stride: usize,
    },
    /// Mean over all positions.
    GlobalAvgPool,
    /// Maximum over windows; a border never wins.
    MaxPool {
        /// Side of the window.
        kernel: usize,
        /// Step of the window.
        stride: usize,
        /// Border on each side.
        padding: usize,
    },
    /// Channel attention on currents (SECA): each channel times a score, the sigmoid of a convolution over
    /// the channel axis of the signs of the channels' means, zeros beyond both ends.
    /// `weight`: `[kernel]`, for all channels and time-steps.
    Seca {
        /// Channels that a score sees: odd, 3..=7.
        kernel: usize,
    },
    /// `weight`: `[out_features, C * H * W]`, `bias`: `[out_features]`.
    Linear {
        /// Number of outputs.
        out_features: usize,
    },
    /// Sum of two currents of equal shape.
    Add,
}

/// Added to the variance of a neuron where the file says nothing.
const DEFAULT_EPS: f32 = 1e-5;

impl Op {
    /// Its numbers are in their ranges, or which is not.
    fn check_numbers(&self) -> std::result::Result<(), String> {
        match *self {
            Op::BatchNorm { eps } | Op::Neuron { eps, .. } if !(eps.is_finite() && eps >= 0.0) => {
                Err(format!("eps is {eps}, not a number of at least 0"))
            }
            Op::Lif { leak, .. } if !leak.is_finite() => Err(format!("leak is {leak}, not a finite number")),
            Op::Lif { threshold, .. } if !(threshold.is_finite() && threshold > 0.0) => {
                Err(format!("threshold is {threshold}, not a number above 0"))
            }
            _ => Ok(()),
        }
    }
}

impl Operator for Op {
    fn read(op: &str, keys: &mut Keys) -> std::result::Result<Self, String> {
        Ok(match op {
            "conv" => Op::Conv {
                out_channels: keys.count("out_channels")?,
                kernel: keys.count("kernel")?,
                stride: keys.count("stride")?,
                padding: keys.count("padding")?,
                weights: keys.choice("weights")?,
            },
            "batch_norm" => Op::BatchNorm { eps: keys.number("eps")? },
            "neuron" => {
                Op::Neuron { version: keys.choice("version")?, eps: keys.number_or("eps", DEFAULT_EPS)? }
            }
            "lif" => Op::Lif { leak: keys.number("leak")?, threshold: keys.number("threshold")? },
            "avg_pool" => Op::AvgPool { kernel: keys.count("kernel")?, stride: keys.count("stride")? },
            "global_avg_pool" => Op::GlobalAvgPool,
            "max_pool" => Op::MaxPool {
                kernel: keys.count("kernel")?,
                stride: keys.count("stride")?,
                padding: keys.count("padding")?,
            },
            "seca" => Op::Seca { kernel: keys.count("kernel")? },
            "linear" => Op::Linear { out_features: keys.count("out_features")? },
            "add" => Op::Add,
            _ => {
                let known =
                    "add, avg_pool, batch_norm, conv, global_avg_pool, lif, linear, max_pool, neuron, seca";
                return Err(format!("`op` is `{op}`, none of {known}"));
            }
        })
    }

    fn name(&self) -> &'static str {
        match self {
            Op::Conv { .. } => "conv",
            Op::BatchNorm { .. } => "batch_norm",
            Op::Neuron { .. } => "neuron",
            Op::Lif { .. } => "lif",
            Op::AvgPool { .. } => "avg_pool",
            Op::GlobalAvgPool => "global_avg_pool",
            Op::MaxPool { .. } => "max_pool",
            Op::Seca { .. } => "seca",
            Op::Linear { .. } => "linear",
            Op::Add => "add",
        }
    }

    fn arity(&self) -> usize {
        if *self == Op::Add { 2 } else { 1 }
    }

    fn takes(&self) -> &'static [Kind] {
        match self {
            Op::Conv { .. } | Op::Linear { .. } => &[Kind::Input, Kind::Codes, Kind::Current],
            Op::BatchNorm { .. } | Op::Neuron { .. } | Op::Lif { .. } => &[Kind::Current],
            Op::AvgPool { .. } | Op::GlobalAvgPool | Op::MaxPool { .. } => &[Kind::Codes, Kind::Current],
            Op::Seca { .. } | Op::Add => &[Kind::Current, Kind::Codes],
        }
    }

    fn gives(&self) -> Kind {
        match self {
            Op::Conv { .. } | Op::BatchNorm { .. } | Op::Seca { .. } | Op::Add => Kind::Current,
            Op::Neuron { .. } | Op::Lif { .. } => Kind::Codes,
            Op::AvgPool { .. } | Op::GlobalAvgPool | Op::MaxPool { .. } => Kind::Codes,
            Op::Linear { .. } => Kind::Logits,
        }
    }

    fn check_name(name: &str) -> std::result::Result<(), String> {
        graph::check_plain_name(name)
    }

    fn output_shape(&self, inputs: &[Shape]) -> std::result::Result<Shape, String> {
        let x = inputs[0];
        match *self {
            Op::Conv { out_channels, kernel, stride, padding, .. } => {
                let y = window(x, [kernel; 2], [stride; 2], padding)?;
                Ok(Shape { channels: out_channels, ..y })
            }
            Op::AvgPool { kernel, stride } => window(x, [kernel; 2], [stride; 2], 0),
            Op::GlobalAvgPool => Ok(Shape::new(x.channels, 1, 1)),
            Op::MaxPool { kernel, stride, padding } => window(x, [kernel; 2], [stride; 2], padding),
            Op::Seca { kernel } => attention(x, kernel),
            Op::Linear { out_features } => Ok(Shape::new(out_features, 1, 1)),
            Op::BatchNorm { .. } | Op::Neuron { .. } | Op::Lif { .. } => Ok(x),
            Op::Add if inputs[1] == x => Ok(x),
            Op::Add => Err(format!("adds {x} and {}", inputs[1])),
        }
    }
}

/// Shape after channel attention over `kernel` channels, or why there is none.
pub(crate) fn attention(x: Shape, kernel: usize) -> std::result::Result<Shape, String> {
    match SECA_KERNELS.contains(&kernel) {
        true => Ok(x),
        false => Err(format!("the kernel of channel attention is {kernel}, not one of {SECA_KERNELS:?}")),
    }
}

/// Shape after a window, or why it does not fit.
pub(crate) fn window(
    x: Shape,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: usize,
) -> std::result::Result<Shape, String> {
    if [kernel, stride].as_flattened().iter().any(|size| !(1..=MAX_ELEMENTS).contains(size)) {
        return Err(format!("kernel and stride are 1 to {MAX_ELEMENTS}"));
    }
    if padding >= kernel[0].max(kernel[1]) {
        return Err(format!("padding {padding} is not smaller than the kernel"));
    }
    x.windowed(kernel, stride, padding).ok_or_else(|| {
        format!("a {}x{} window does not fit into {x} with padding {padding}", kernel[0], kernel[1])
    })
}

/// A trained network; its fields are the keys of `network.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// For people.
    pub name: String,
    /// T.
    pub time_steps: usize,
    /// Number of classes; the last node has as many outputs.
    pub classes: usize,
    /// What they are called, where that is known.
    #[serde(default, skip_serializing_if = "ClassNames::is_empty")]
    pub class_names: ClassNames,
    /// What enters.
    pub input: Input,
    /// In order; the last one's outputs, summed over T, are the logits.
    pub nodes: Vec<Node<Op>>,
    /// What spikes and means are rounded to; `None` where they are real numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codes: Option<Codes>,
    /// Parameters by `<node>.<tensor>`, all f32.
    #[serde(skip)]
    pub tensors: Tensors,
}

impl Network {
    /// Shape of each node's result, in order.
    pub fn shapes(&self) -> Result<Vec<Shape>> {
        graph::infer_shapes(self.input.shape(), &self.nodes, self.classes)
    }

    /// Tensors that a node of this operator must have, with their shapes. `input` and `output` are the
    /// node's feature maps, `t` the time-steps. `1` may stand for `C` in a neuron's tensors.
    pub fn expected_tensors(
        op: &Op,
        input: Shape,
        output: Shape,
        t: usize,
    ) -> Vec<(&'static str, Vec<usize>)> {
        let c = output.channels;
        match *op {
            Op::Conv { kernel, .. } => vec![("weight", vec![c, input.channels, kernel, kernel])],
            Op::BatchNorm { .. } => {
                vec![("gamma", vec![c]), ("bias", vec![c]), ("mean", vec![t, c]), ("var", vec![t, c])]
            }
            Op::Neuron { version, .. } => neuron_tensors(version).iter().map(|n| (*n, vec![t, c])).collect(),
            Op::Linear { out_features } => {
                vec![("weight", vec![out_features, input.elements()]), ("bias", vec![out_features])]
            }
            Op::Seca { kernel } => vec![("weight", vec![kernel])],
            Op::Lif { .. } | Op::AvgPool { .. } | Op::GlobalAvgPool | Op::MaxPool { .. } | Op::Add => vec![],
        }
    }

    /// Graph, shapes and tensors agree and every number is finite.
    pub fn validate(&self) -> Result<()> {
        check_name(&self.name)?;
        let network = |m: String| Error::invalid(format!("network `{}`", self.name), m);
        if self.time_steps == 0 || self.time_steps > MAX_TIME_STEPS {
            return Err(network(format!("time_steps is {}, not 1..={}", self.time_steps, MAX_TIME_STEPS)));
        }
        if self.input.frames != 1 && self.input.frames != self.time_steps {
            return Err(network(format!(
                "{} for {}",
                counted(self.input.frames, "frame"),
                counted(self.time_steps, "time-step")
            )));
        }
        let Input { channels, zero_point, scale, .. } = &self.input;
        let is_code = |value: f32| (0.0..=255.0).contains(&value);
        zero_point
            .check(*channels, is_code, "a number of 0..=255")
            .map_err(|message| network(format!("input zero_point {message}")))?;
        scale
            .check(*channels, |value| value.is_finite() && value > 0.0, "a positive number")
            .map_err(|message| network(format!("input scale {message}")))?;
        self.class_names.validate(self.classes)?;
        if let Some(codes) = &self.codes {
            codes.validate(&self.coded())?;
            let neurons = self.nodes.iter().filter(|node| matches!(node.op, Op::Neuron { .. }));
            codes.check_neurons(neurons.map(|node| node.name.as_str()))?;
        }
        let shapes = self.shapes()?;
        let mut known = HashSet::new();
        for (node, output) in self.nodes.iter().zip(&shapes) {
            let at = |message: String| Error::invalid(format!("node `{}`", node.name), message);
            node.op.check_numbers().map_err(at)?;
            let input = self.shape_of(&node.inputs[0], &shapes);
            for (name, want) in Self::expected_tensors(&node.op, input, *output, self.time_steps) {
                let full = format!("{}.{name}", node.name);
                self.check_tensor(&full, &want, &node.op)?;
                known.insert(full);
            }
            self.check_variance(node).map_err(at)?;
        }
        self.tensors.check_known(&known)
    }

    /// Whether the network has integers: numbers of float can be convolved, pooled and classified whatever they are, but
    /// currents have no codes.
    pub fn check_integers(&self) -> Result<()> {
        let gives_currents = |name: &&String| {
            self.nodes.iter().any(|node| node.name == **name && node.op.gives() == Kind::Current)
        };
        for node in &self.nodes {
            let takes_codes = matches!(
                node.op,
                Op::Conv { .. }
                    | Op::Linear { .. }
                    | Op::AvgPool { .. }
                    | Op::GlobalAvgPool
                    | Op::MaxPool { .. }
            );
            if let Some(name) = node.inputs.iter().find(gives_currents).filter(|_| takes_codes) {
                let message = format!(
                    "reads `{name}`, which gives currents, but integers of `{}` are those of spikes (or means or \
                     maxima of them); put a neuron between them",
                    node.op.name()
                );
                return Err(Error::invalid(format!("node `{}`", node.name), message));
            }
        }
        Ok(())
    }

    /// Nodes whose results can be rounded to codes of their own: EM-PF neurons, and means of what such nodes give.
    /// Maxima keep the codes that they are taken of.
    fn coded(&self) -> HashSet<&str> {
        let mut coded = HashSet::new();
        let mut maxima = HashSet::new();
        for node in &self.nodes {
            let reads = node.inputs.first().map_or("", String::as_str);
            let of_codes = coded.contains(reads) || maxima.contains(reads);
            match node.op {
                Op::Neuron { .. } => coded.insert(node.name.as_str()),
                Op::AvgPool { .. } | Op::GlobalAvgPool if of_codes => coded.insert(&node.name),
                Op::MaxPool { .. } if of_codes => maxima.insert(node.name.as_str()),
                _ => false,
            };
        }
        coded
    }

    fn check_tensor(&self, full: &str, want: &[usize], op: &Op) -> Result<()> {
        let at = |message: String| Error::tensor(full, message);
        let tensor = self.tensors.get(full)?;
        let values = tensor.as_f32(full)?;
        let layer_wide = matches!(op, Op::Neuron { .. }) && tensor.shape == [want[0], 1];
        if tensor.shape != want && !layer_wide {
            return Err(at(format!("has shape {:?}, expected {want:?}", tensor.shape)));
        }
        match values.iter().position(|v| !v.is_finite()) {
            Some(i) => Err(at(format!("element {i} is {}", values[i]))),
            None => Ok(()),
        }
    }

    /// A normalisation divides by the square root of `var + eps`.
    fn check_variance(&self, node: &Node<Op>) -> std::result::Result<(), String> {
        let eps = match node.op {
            Op::BatchNorm { eps } | Op::Neuron { version: NeuronVersion::II, eps } => eps,
            _ => return Ok(()),
        };
        let (_, var) = self.tensor(&node.name, "var").map_err(|e| e.to_string())?;
        match var.iter().position(|v| *v < 0.0 || *v + eps <= 0.0) {
            Some(i) if var[i] < 0.0 => Err(format!("element {i} of `var` is {}, below 0", var[i])),
            Some(i) => Err(format!("element {i} of `var` and eps are both 0; give an eps above 0")),
            None => Ok(()),
        }
    }

    /// Shape of the node called `name`, or of the input.
    pub fn shape_of(&self, name: &str, shapes: &[Shape]) -> Shape {
        let at = self.nodes.iter().position(|n| n.name == name);
        at.map_or(self.input.shape(), |i| shapes[i])
    }

    /// Values of `<node>.<name>`.
    pub fn tensor(&self, node: &str, name: &str) -> Result<(&[usize], &[f32])> {
        let full = format!("{node}.{name}");
        let t = self.tensors.get(&full)?;
        Ok((&t.shape, t.as_f32(&full)?))
    }

    /// Stores a parameter as `<node>.<name>`.
    pub fn set_tensor(&mut self, node: &str, name: &str, shape: Vec<usize>, values: Vec<f32>) {
        self.tensors.insert(format!("{node}.{name}"), Tensor::f32(shape, values));
    }

    /// Writes `network.json` and `weights.safetensors` into `folder`; both appear whole or not at all.
    pub fn save(&self, folder: &Path) -> Result<()> {
        Document::save(self, folder)
    }

    /// Reads and validates what [`Network::save`] writes.
    pub fn load(folder: &Path) -> Result<Self> {
        Document::load(folder)
    }
}

impl Content for Network {
    const FORMAT: &'static str = "empf-network";
    const VERSION: u32 = 2;
    const OLDEST: u32 = 1;
    const FILE: &'static str = "network.json";
    const TENSORS: Option<&'static str> = Some(TENSORS);

    fn validate(&self) -> Result<()> {
        Network::validate(self)
    }

    fn validate_version(&self, version: u32) -> Result<()> {
        let Input { zero_point, scale, .. } = &self.input;
        let lists = [("zero_point", zero_point), ("scale", scale)];
        match lists.into_iter().find(|(_, numbers)| matches!(numbers, PerChannel::Each(_))) {
            Some((key, _)) if version < 2 => Err(Error::invalid(
                "input",
                format!("`{key}` is a list, which version {version} does not have"),
            )),
            _ => Ok(()),
        }
    }

    fn write_beside(&self, folder: &Path) -> Result<()> {
        self.tensors.save(&folder.join(TENSORS))
    }

    fn read_beside(&mut self, folder: &Path) -> Result<()> {
        self.tensors = Tensors::load(&folder.join(TENSORS), Dtype::F32)?;
        Ok(())
    }
}

/// Names of a neuron's tensors.
pub fn neuron_tensors(version: NeuronVersion) -> &'static [&'static str] {
    match version {
        NeuronVersion::I => &["lambda", "theta"],
        NeuronVersion::II => &["lambda", "theta", "alpha", "beta", "gamma", "b", "mean", "var"],
        NeuronVersion::III => &["theta"],
    }
}
