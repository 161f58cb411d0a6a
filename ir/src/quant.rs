//! The integer graph that every engine computes. `docs/numerics.md` fixes the meaning of each operator.

use crate::document::{Content, Document};
use crate::formats::{
    ACT_BITS, INPUT_BITS, LOGIT_BITS, MAX_REQUANT_SHIFT, MAX_SPIKE_SHIFT, MAX_TIME_STEPS, MAX_WEIGHT,
    MEMBRANE_BITS, MULTIPLIER_BITS, SCORE_BITS,
};
use crate::graph::{self, Kind, Node, Operator};
use crate::keys::Keys;
use crate::name::check_name;
use crate::tensors::{Dtype, Tensor, Tensors};
use crate::{Border, ClassNames, Error, Result, Shape, WeightKind, counted, network};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

const TENSORS: &str = "quant.safetensors";

/// What enters: unsigned 8-bit codes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuantInput {
    /// Channels.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// 1: static; else one frame per time-step.
    pub frames: usize,
}

impl QuantInput {
    /// Shape of one frame.
    pub fn shape(&self) -> Shape {
        Shape::new(self.channels, self.height, self.width)
    }
}

/// Operators of an integer network. Per-channel tensors are `[T, C]`, all I32.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum QuantOp {
    /// Codes to currents. `weight` `[C, C_in, kernel, kernel]`: +-1, or odd -255..=255 where `weights` is
    /// `float`; `mantissa`, `bias` `[T, C]`.
    Conv {
        /// Number of output channels.
        out_channels: usize,
        /// Side of the window.
        kernel: usize,
        /// Step of the window.
        stride: usize,
        /// Border on each side.
        padding: usize,
        /// `sign`: one bit; `float`: digit planes.
        weights: WeightKind,
        /// The code that the border holds: that nearest to the value 0 of the tensor read, 0 of spikes.
        zero_point: Border,
        /// Right shift after the mantissa.
        shift: u8,
    },
    /// Currents to spikes. `lambda`, `theta`, `offset` `[T, C]`.
    Neuron {
        /// Version III: no residual potential; `lambda` and `offset` are 0.
        parallel: bool,
        /// Right shift from membrane to spike codes.
        shift: u8,
    },
    /// Sum of the codes of a window, shifted right.
    AvgPool {
        /// Height and width of the window.
        kernel: [usize; 2],
        /// Step of the window.
        stride: [usize; 2],
        /// Right shift of the sum.
        shift: u8,
    },
    /// Largest code of a window; a border takes no part. Not of the input.
    MaxPool {
        /// Side of the window.
        kernel: usize,
        /// Step of the window.
        stride: usize,
        /// Border on each side.
        padding: usize,
    },
    /// Codes to logits, summed over T. `weight` `[out, C_in * H * W]` odd, `bias` `[out]`.
    Linear {
        /// Number of outputs.
        out_features: usize,
    },
    /// Codes to currents of the same value: the shortcut of a residual block.
    Widen {
        /// Left shift from spike to membrane codes.
        shift: u8,
    },
    /// Codes to currents by a factor: a shortcut that needs one for each step and channel. `mantissa` `[T, C]`.
    Scale {
        /// Right shift after the mantissa.
        shift: u8,
    },
    /// Channel attention on currents. `score` `[3^kernel]`, by the signs that a channel sees; `mantissa`
    /// `[T, C]`.
    Seca {
        /// Channels that a score sees: odd, 3..=7.
        kernel: usize,
        /// Right shift after the factor.
        shift: u8,
    },
    /// Saturating sum of two currents.
    Add,
}

impl Operator for QuantOp {
    fn read(op: &str, keys: &mut Keys) -> std::result::Result<Self, String> {
        Ok(match op {
            "conv" => QuantOp::Conv {
                out_channels: keys.count("out_channels")?,
                kernel: keys.count("kernel")?,
                stride: keys.count("stride")?,
                padding: keys.count("padding")?,
                weights: keys.choice("weights")?,
                zero_point: keys.border("zero_point")?,
                shift: keys.byte("shift")?,
            },
            "neuron" => QuantOp::Neuron { parallel: keys.flag("parallel")?, shift: keys.byte("shift")? },
            "avg_pool" => QuantOp::AvgPool {
                kernel: keys.pair("kernel")?,
                stride: keys.pair("stride")?,
                shift: keys.byte("shift")?,
            },
            "max_pool" => QuantOp::MaxPool {
                kernel: keys.count("kernel")?,
                stride: keys.count("stride")?,
                padding: keys.count("padding")?,
            },
            "linear" => QuantOp::Linear { out_features: keys.count("out_features")? },
            "widen" => QuantOp::Widen { shift: keys.byte("shift")? },
            "scale" => QuantOp::Scale { shift: keys.byte("shift")? },
            "seca" => QuantOp::Seca { kernel: keys.count("kernel")?, shift: keys.byte("shift")? },
            "add" => QuantOp::Add,
            _ => {
                let known = "add, avg_pool, conv, linear, max_pool, neuron, scale, seca, widen";
                return Err(format!("`op` is `{op}`, none of {known}"));
            }
        })
    }

    fn name(&self) -> &'static str {
        match self {
            QuantOp::Conv { .. } => "conv",
            QuantOp::Neuron { .. } => "neuron",
            QuantOp::AvgPool { .. } => "avg_pool",
            QuantOp::MaxPool { .. } => "max_pool",
            QuantOp::Linear { .. } => "linear",
            QuantOp::Widen { .. } => "widen",
            QuantOp::Scale { .. } => "scale",
            QuantOp::Seca { .. } => "seca",
            QuantOp::Add => "add",
        }
    }

    fn arity(&self) -> usize {
        if *self == QuantOp::Add { 2 } else { 1 }
    }

    fn takes(&self) -> &'static [Kind] {
        match self {
            QuantOp::Conv { .. } | QuantOp::Linear { .. } => &[Kind::Input, Kind::Codes],
            QuantOp::AvgPool { .. } | QuantOp::MaxPool { .. } => &[Kind::Codes],
            QuantOp::Widen { .. } | QuantOp::Scale { .. } => &[Kind::Codes],
            QuantOp::Neuron { .. } | QuantOp::Seca { .. } | QuantOp::Add => &[Kind::Current],
        }
    }

    fn gives(&self) -> Kind {
        match self {
            QuantOp::Neuron { .. } | QuantOp::AvgPool { .. } | QuantOp::MaxPool { .. } => Kind::Codes,
            QuantOp::Linear { .. } => Kind::Logits,
            QuantOp::Conv { .. } | QuantOp::Widen { .. } | QuantOp::Scale { .. } => Kind::Current,
            QuantOp::Seca { .. } | QuantOp::Add => Kind::Current,
        }
    }

    fn check_name(name: &str) -> std::result::Result<(), String> {
        graph::check_joint_name(name)
    }

    fn output_shape(&self, inputs: &[Shape]) -> std::result::Result<Shape, String> {
        let x = inputs[0];
        match *self {
            QuantOp::Conv { zero_point, .. } if !zero_point.fits(x.channels) => {
                Err(format!("has zero_points of another number of channels than {x}"))
            }
            QuantOp::Conv { out_channels, kernel, stride, padding, .. } => {
                let y = network::window(x, [kernel; 2], [stride; 2], padding)?;
                Ok(Shape { channels: out_channels, ..y })
            }
            QuantOp::AvgPool { kernel, stride, .. } => network::window(x, kernel, stride, 0),
            QuantOp::Linear { out_features } => Ok(Shape::new(out_features, 1, 1)),
            QuantOp::MaxPool { kernel, stride, padding } => {
                network::window(x, [kernel; 2], [stride; 2], padding)
            }
            QuantOp::Seca { kernel, .. } => network::attention(x, kernel),
            QuantOp::Neuron { .. } | QuantOp::Widen { .. } | QuantOp::Scale { .. } => Ok(x),
            QuantOp::Add if inputs[1] == x => Ok(x),
            QuantOp::Add => Err(format!("adds {x} and {}", inputs[1])),
        }
    }
}

/// An integer network; its fields are the keys of `quant.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuantNetwork {
    /// For people.
    pub name: String,
    /// T.
    pub time_steps: usize,
    /// Number of logits.
    pub classes: usize,
    /// What the classes are called, where that is known. For people; no engine reads it.
    #[serde(default, skip_serializing_if = "ClassNames::is_empty")]
    pub class_names: ClassNames,
    /// A: bits of a spike.
    pub act_bits: u32,
    /// V: bits of currents, membrane potentials, thresholds, offsets and biases.
    pub membrane_bits: u32,
    /// What enters.
    pub input: QuantInput,
    /// In order; the last one gives the logits.
    pub nodes: Vec<Node<QuantOp>>,
    /// Value of one code step of each node's result. For people and reports; no engine reads it.
    pub scales: BTreeMap<String, f64>,
    /// Parameters by `<node>.<tensor>`.
    #[serde(skip)]
    pub tensors: Tensors,
}

/// A tensor that a node must have: name, shape and range of its values.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorSpec {
    /// Name after the node's.
    pub name: &'static str,
    /// Extents.
    pub shape: Vec<usize>,
    /// Smallest allowed value.
    pub min: i64,
    /// Largest allowed value.
    pub max: i64,
    /// Only odd values.
    pub odd: bool,
}

impl QuantNetwork {
    /// Shape of each node's result, in order.
    pub fn shapes(&self) -> Result<Vec<Shape>> {
        graph::infer_shapes(self.input.shape(), &self.nodes, self.classes)
    }

    /// Largest spike code, `2^A - 1`.
    pub fn max_code(&self) -> i32 {
        (1 << self.act_bits) - 1
    }

    /// Largest code of the tensor called `name`: 255 for the input, `2^A - 1` elsewhere.
    pub fn max_code_of(&self, name: &str) -> i32 {
        if name == graph::INPUT { (1 << INPUT_BITS) - 1 } else { self.max_code() }
    }

    /// Index of the node called `name`; `None` for the input.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|n| n.name == name)
    }

    /// Operator of the node called `name`; `None` for the input.
    pub fn op(&self, name: &str) -> Option<&QuantOp> {
        self.position(name).map(|i| &self.nodes[i].op)
    }

    /// Shape of the node called `name`, or of the input.
    pub fn shape_of(&self, name: &str, shapes: &[Shape]) -> Shape {
        self.position(name).map_or(self.input.shape(), |i| shapes[i])
    }

    /// Frames that the node called `name` has: 1 where nothing before it depends on the time-step.
    ///
    /// Only the currents of a convolution that reads a static input are the same at every step, and a
    /// mantissa or bias of their own per step is applied later, so that its accumulators exist once.
    pub fn frames_of(&self, name: &str) -> usize {
        if name == graph::INPUT { self.input.frames } else { self.time_steps }
    }

    /// Tensors of a node, given the shapes of what it reads and gives.
    pub fn tensor_specs(&self, op: &QuantOp, input: Shape, output: Shape) -> Vec<TensorSpec> {
        let signed = |bits: u32| (-(1i64 << (bits - 1)), (1i64 << (bits - 1)) - 1);
        let spec = |name, shape, (min, max): (i64, i64), odd| TensorSpec { name, shape, min, max, odd };
        let per_step = vec![self.time_steps, output.channels];
        let (multiplier, membrane) = (signed(MULTIPLIER_BITS), signed(self.membrane_bits));
        let wide = (-i64::from(MAX_WEIGHT), i64::from(MAX_WEIGHT));
        match *op {
            QuantOp::Conv { kernel, weights, .. } => {
                let range = if weights == WeightKind::Sign { (-1, 1) } else { wide };
                vec![
                    spec("weight", vec![output.channels, input.channels, kernel, kernel], range, true),
                    spec("mantissa", per_step.clone(), multiplier, false),
                    spec("bias", per_step, membrane, false),
                ]
            }
            QuantOp::Neuron { parallel, .. } => {
                let zero = |range| if parallel { (0, 0) } else { range };
                vec![
                    spec("lambda", per_step.clone(), zero(multiplier), false),
                    spec("theta", per_step.clone(), membrane, false),
                    spec("offset", per_step, zero(membrane), false),
                ]
            }
            QuantOp::Linear { out_features } => vec![
                spec("weight", vec![out_features, input.elements()], wide, true),
                spec("bias", vec![out_features], signed(LOGIT_BITS), false),
            ],
            QuantOp::Scale { .. } => vec![spec("mantissa", per_step, multiplier, false)],
            QuantOp::Seca { kernel, .. } => vec![
                spec("score", vec![3usize.pow(kernel as u32)], (0, (1 << SCORE_BITS) - 1), false),
                spec("mantissa", per_step, multiplier, false),
            ],
            QuantOp::AvgPool { .. } | QuantOp::MaxPool { .. } | QuantOp::Widen { .. } | QuantOp::Add => {
                vec![]
            }
        }
    }

    /// Graph, shapes, kinds, tensors and ranges agree.
    pub fn validate(&self) -> Result<()> {
        check_name(&self.name)?;
        let network = |m: String| Error::invalid(format!("integer network `{}`", self.name), m);
        if !(1..=MAX_TIME_STEPS).contains(&self.time_steps) {
            return Err(network(format!("time_steps is {}, not 1..={}", self.time_steps, MAX_TIME_STEPS)));
        }
        if self.input.frames != 1 && self.input.frames != self.time_steps {
            return Err(network(format!(
                "{} for {}",
                counted(self.input.frames, "frame"),
                counted(self.time_steps, "time-step")
            )));
        }
        if !ACT_BITS.contains(&self.act_bits) {
            return Err(network(format!("act_bits is {}, not {:?}", self.act_bits, ACT_BITS)));
        }
        if !MEMBRANE_BITS.contains(&self.membrane_bits) {
            return Err(network(format!("membrane_bits is {}, not {:?}", self.membrane_bits, MEMBRANE_BITS)));
        }
        self.class_names.validate(self.classes)?;
        let shapes = self.shapes()?;
        let mut known = HashSet::new();
        for (node, output) in self.nodes.iter().zip(&shapes) {
            self.validate_node(node)?;
            let input = self.shape_of(&node.inputs[0], &shapes);
            for spec in self.tensor_specs(&node.op, input, *output) {
                let full = format!("{}.{}", node.name, spec.name);
                self.check_tensor(&full, &spec)?;
                known.insert(full);
            }
        }
        self.tensors.check_known(&known)?;
        self.validate_scales()
    }

    fn validate_scales(&self) -> Result<()> {
        for (name, scale) in &self.scales {
            let at = |message: &str| Error::invalid(format!("`scales` of `{name}`"), message);
            if name != graph::INPUT && self.position(name).is_none() {
                return Err(at("no node has this name"));
            }
            if !(scale.is_finite() && *scale > 0.0) {
                return Err(at("is not a number above 0"));
            }
        }
        Ok(())
    }

    fn validate_node(&self, node: &Node<QuantOp>) -> Result<()> {
        let at = |m: String| Error::invalid(format!("node `{}`", node.name), m);
        let (shift, limit) = match node.op {
            QuantOp::Conv { shift, .. } | QuantOp::Scale { shift } | QuantOp::Seca { shift, .. } => {
                (shift, MAX_REQUANT_SHIFT)
            }
            QuantOp::Neuron { shift, .. } | QuantOp::AvgPool { shift, .. } | QuantOp::Widen { shift } => {
                (shift, MAX_SPIKE_SHIFT)
            }
            QuantOp::MaxPool { .. } | QuantOp::Linear { .. } | QuantOp::Add => (0, 0),
        };
        match shift > limit {
            true => Err(at(format!("shift is {shift}, not 0..={limit}"))),
            false => Ok(()),
        }
    }

    fn check_tensor(&self, full: &str, spec: &TensorSpec) -> Result<()> {
        let at = |m: String| Error::tensor(full, m);
        let tensor = self.tensors.get(full)?;
        let values = tensor.as_i32(full)?;
        if tensor.shape != spec.shape {
            return Err(at(format!("has shape {:?}, expected {:?}", tensor.shape, spec.shape)));
        }
        let bad = |v: &i32| !(spec.min..=spec.max).contains(&i64::from(*v)) || (spec.odd && v % 2 == 0);
        match values.iter().position(bad) {
            Some(i) => {
                let kind = if spec.odd { "an odd integer" } else { "an integer" };
                Err(at(format!("element {i} is {}, not {kind} in {}..={}", values[i], spec.min, spec.max)))
            }
            None => Ok(()),
        }
    }

    /// Values of `<node>.<name>`.
    pub fn tensor(&self, node: &str, name: &str) -> Result<&[i32]> {
        let full = format!("{node}.{name}");
        self.tensors.get(&full)?.as_i32(&full)
    }

    /// Stores `<node>.<name>`.
    pub fn set_tensor(&mut self, node: &str, name: &str, shape: Vec<usize>, values: Vec<i32>) {
        self.tensors.insert(format!("{node}.{name}"), Tensor::i32(shape, values));
    }

    /// Writes `quant.json` and `quant.safetensors` into `folder`; both appear whole or not at all.
    pub fn save(&self, folder: &Path) -> Result<()> {
        Document::save(self, folder)
    }

    /// Reads and validates what [`QuantNetwork::save`] writes.
    pub fn load(folder: &Path) -> Result<Self> {
        Document::load(folder)
    }
}

impl Content for QuantNetwork {
    const FORMAT: &'static str = "empf-quant-network";
    const VERSION: u32 = 2;
    const OLDEST: u32 = 1;
    const FILE: &'static str = "quant.json";
    const TENSORS: Option<&'static str> = Some(TENSORS);

    fn validate(&self) -> Result<()> {
        QuantNetwork::validate(self)
    }

    fn validate_version(&self, version: u32) -> Result<()> {
        let has_list = |op: &QuantOp| matches!(op, QuantOp::Conv { zero_point, .. } if zero_point.is_list());
        match self.nodes.iter().find(|node| has_list(&node.op)) {
            Some(node) if version < 2 => {
                let message = format!("`zero_point` is a list, which version {version} does not have");
                Err(Error::invalid(format!("node `{}`", node.name), message))
            }
            _ => Ok(()),
        }
    }

    fn write_beside(&self, folder: &Path) -> Result<()> {
        self.tensors.save(&folder.join(TENSORS))
    }

    fn read_beside(&mut self, folder: &Path) -> Result<()> {
        self.tensors = Tensors::load(&folder.join(TENSORS), Dtype::I32)?;
        Ok(())
    }
}
