//! `report.json`: what a compiled network costs, layer by layer.

use crate::calibration::Calibration;
use crate::error::Result;
use empf_ir::{ArchConfig, ClassNames, INPUT, Network, Op, Program, QuantNetwork, QuantOp, WeightKind};
use empf_sim::accesses::Accesses;
use empf_sim::cost::{Cost, Layer, Work};
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
    /// Codes of the border of each channel of the input, and the largest distance of one from the value 0, in codes;
    /// none and 0 where no layer reads beyond its edge.
    border: Vec<u8>,
    border_error: f32,
    /// The +-1 convolutions alone.
    sign_layers: Work,
    total: Work,
    /// Bits that an inference reads and writes of each memory.
    accesses: Accesses,
    weight_bytes: WeightBytes,
    #[serde(skip_serializing_if = "Option::is_none")]
    calibration: Option<Calibration>,
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

impl Report {
    /// Costs of `program`, which was made of `quant`, and that of `network`.
    pub(crate) fn new(network: &Network, quant: &QuantNetwork, program: &Program) -> Result<Self> {
        let arch = &program.arch;
        let Cost { layers, total, accesses } = Cost::of(program);
        let (border, border_error) = match has_border(network) {
            true => (network.input.border(), network.input.border_error()),
            false => (vec![], 0.0),
        };
        Ok(Report {
            network: program.name.clone(),
            build_id: format!("{:08x}", program.build_id),
            time_steps: program.time_steps,
            classes: program.classes,
            class_names: quant.class_names.clone(),
            arch: arch.clone(),
            border,
            border_error,
            sign_layers: Work::sum(layers.iter().filter(|l| is_sign(quant, l)), arch),
            total,
            accesses,
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

/// Whether a layer reads the input beyond its edge.
fn has_border(network: &Network) -> bool {
    let pads = |op: &Op| matches!(op, Op::Conv { padding: 1.., .. });
    network.nodes.iter().any(|node| node.inputs[0] == INPUT && pads(&node.op))
}

/// Whether `layer` runs convolutions, all of them +-1: those of which its node takes currents, through additions and
/// attention.
fn is_sign(quantized: &QuantNetwork, layer: &Layer) -> bool {
    let find = |name: &String| quantized.position(name).map(|i| &quantized.nodes[i]);
    let mut pending: Vec<_> = find(&layer.node).into_iter().flat_map(|node| &node.inputs).collect();
    let mut weights = vec![];
    while let Some(node) = pending.pop().and_then(find) {
        match &node.op {
            QuantOp::Conv { weights: kind, .. } => weights.push(*kind),
            QuantOp::Add | QuantOp::Seca { .. } => pending.extend(&node.inputs),
            _ => {}
        }
    }
    layer.unit == "conv" && !weights.is_empty() && weights.iter().all(|kind| *kind == WeightKind::Sign)
}
