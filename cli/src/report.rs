//! `report.json`: what a compiled network costs, layer by layer.

use crate::calibration::Calibration;
use crate::error::Result;
use empf_ir::isa::{Array, Drain, Task};
use empf_ir::program::Step;
use empf_ir::{ArchConfig, ClassNames, Network, Program, QuantNetwork, QuantOp, WeightKind};
use empf_sim::cycles::Cycles;
use empf_trainer::presets::ParameterMemory;
use serde::Serialize;

/// Costs of one inference.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    network: String,
    build_id: String,
    time_steps: usize,
    classes: usize,
    class_names: ClassNames,
    arch: ArchConfig,
    layers: Vec<Layer>,
    /// Codes of the border of each channel of the input, and the largest distance of one from the value 0, in codes.
    border: Vec<u8>,
    border_error: f32,
    /// The +-1 convolutions alone.
    sign_layers: Work,
    total: Work,
    weight_bytes: WeightBytes,
    #[serde(skip_serializing_if = "Option::is_none")]
    calibration: Option<Calibration>,
}

/// Costs of a step of the schedule, or of all that do the same for other frames.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Layer {
    /// Node whose result the step writes.
    pub(crate) node: String,
    /// `unfold`, `conv`, `linear`, `attention`, `pool`.
    pub(crate) unit: &'static str,
    #[serde(flatten)]
    pub(crate) work: Work,
    /// Bits of its weights in the weight ROM, rows and columns without a weight included.
    pub(crate) weight_bits: u64,
    /// Bits of its neurons' parameters, or of its biases.
    pub(crate) parameter_bits: u64,
    /// Bits of its result in the activation memory.
    pub(crate) activation_bits: u64,
}

/// Cycles, and what the array does in them.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Work {
    pub(crate) cycles: u64,
    /// Additions of a weight digit times an activation, borders included.
    pub(crate) useful_additions: u64,
    /// `useful_additions / (rows * cols * cycles)`.
    pub(crate) utilisation: f64,
}

/// Bytes of the weights; biases, normalisations and neurons are left out, as in the paper's Table 2.
#[derive(Clone, Copy, Debug, Serialize)]
struct WeightBytes {
    /// First convolution and classifier in 32 bits, +-1 weights in the two bits that the paper takes.
    paper: f64,
    /// A bit for a +-1 weight, the others in 32 bits.
    packed_float: f64,
    /// A bit for a +-1 weight, the others in 8 bits.
    packed_int8: f64,
    /// Everything in 32 bits.
    float: f64,
}

impl From<ParameterMemory> for WeightBytes {
    fn from(memory: ParameterMemory) -> Self {
        WeightBytes {
            paper: memory.paper_bytes(),
            packed_float: memory.packed_float_bytes(),
            packed_int8: memory.packed_int8_bytes(),
            float: memory.float_bytes(),
        }
    }
}

impl Work {
    fn new(cycles: u64, useful_additions: u64, arch: &ArchConfig) -> Self {
        let possible = (arch.rows * arch.cols) as f64 * cycles as f64;
        let utilisation = if cycles == 0 { 0.0 } else { useful_additions as f64 / possible };
        Work { cycles, useful_additions, utilisation }
    }

    fn sum<'a>(layers: impl IntoIterator<Item = &'a Layer>, arch: &ArchConfig) -> Self {
        let (mut cycles, mut additions) = (0, 0);
        for layer in layers {
            cycles += layer.work.cycles;
            additions += layer.work.useful_additions;
        }
        Work::new(cycles, additions, arch)
    }
}

impl Layer {
    fn new(step: &Step, cycles: u64, program: &Program) -> Self {
        let arch = &program.arch;
        let (unit, weight_bits, parameter_bits) = match &step.task {
            Task::Unfold(_) => ("unfold", 0, 0),
            Task::Pool(_) => ("pool", 0, 0),
            Task::Array(array) => {
                let Array { stream, drain } = &**array;
                let unit = if drain.logits == 1 { "linear" } else { "conv" };
                (unit, stream.weight_words(arch) * arch.cols as u64, parameter_bits(drain, arch))
            }
            Task::Drain(drain) => ("attention", 0, parameter_bits(drain, arch)),
        };
        let words = program.placements.iter().filter(|p| p.node == step.node).map(|p| u64::from(p.words));
        Layer {
            node: step.node.clone(),
            unit,
            work: Work::new(cycles, step.additions, arch),
            weight_bits,
            parameter_bits,
            activation_bits: words.sum::<u64>() * arch.rows as u64 * u64::from(arch.act_bits),
        }
    }
}

/// Bits of the parameters of a drain.
fn parameter_bits(drain: &Drain, arch: &ArchConfig) -> u64 {
    drain.parameter_words(arch) * u64::from(arch.parameter_bits())
}

/// The layers of all steps; steps that do the same for other frames are one layer, with one set of weights.
fn layers(steps: impl IntoIterator<Item = Layer>, arch: &ArchConfig) -> Vec<Layer> {
    let mut layers: Vec<Layer> = vec![];
    for step in steps {
        match layers.iter_mut().find(|layer| (&layer.node, layer.unit) == (&step.node, step.unit)) {
            Some(layer) => {
                layer.parameter_bits += step.parameter_bits;
                layer.work = Work::new(
                    layer.work.cycles + step.work.cycles,
                    layer.work.useful_additions + step.work.useful_additions,
                    arch,
                );
            }
            None => layers.push(step),
        }
    }
    layers
}

impl Report {
    /// Costs of `program`, which was made of `quant`, and that of `network`.
    pub(crate) fn new(network: &Network, quant: &QuantNetwork, program: &Program) -> Result<Self> {
        let arch = &program.arch;
        let Cycles { steps, total } = Cycles::of(program.steps.iter().map(|step| &step.task), arch);
        let of_steps =
            program.steps.iter().zip(steps).map(|(step, cycles)| Layer::new(step, cycles, program));
        let layers = layers(of_steps, arch);
        let additions = layers.iter().map(|l| l.work.useful_additions).sum();
        Ok(Report {
            network: program.name.clone(),
            build_id: format!("{:08x}", program.build_id),
            time_steps: program.time_steps,
            classes: program.classes,
            class_names: quant.class_names.clone(),
            arch: arch.clone(),
            border: network.input.border(),
            border_error: network.input.border_error(),
            sign_layers: Work::sum(layers.iter().filter(|l| is_sign(quant, &l.node)), arch),
            total: Work::new(total, additions, arch),
            layers,
            weight_bytes: ParameterMemory::of(network)?.into(),
            calibration: None,
        })
    }

    /// With what the compiler saw of the samples.
    pub(crate) fn with(self, calibration: Calibration) -> Self {
        Report { calibration: Some(calibration), ..self }
    }

    /// Costs of every step.
    pub(crate) fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Costs of the +-1 convolutions.
    pub(crate) fn sign_layers(&self) -> Work {
        self.sign_layers
    }

    /// Where a border is not quite 0: its codes, and the largest distance from it, in codes.
    pub(crate) fn border(&self) -> Option<(&[u8], f32)> {
        (self.border_error > 0.0).then_some((&self.border, self.border_error))
    }

    /// Costs of the whole inference.
    pub(crate) fn total(&self) -> Work {
        self.total
    }

    /// Bytes of the weights, packed and as the paper counts.
    pub(crate) fn weight_bytes(&self) -> [f64; 2] {
        [self.weight_bytes.packed_int8, self.weight_bytes.paper]
    }
}

/// Whether the neuron called `node` reads a +-1 convolution.
fn is_sign(quantized: &QuantNetwork, node: &str) -> bool {
    let find = |name: &str| quantized.position(name).map(|i| &quantized.nodes[i]);
    let source = find(node).and_then(|neuron| find(&neuron.inputs[0]));
    source.is_some_and(|conv| matches!(conv.op, QuantOp::Conv { weights: WeightKind::Sign, .. }))
}
