//! Networks node by node.

use super::target::Target;
use crate::error::Result;
use empf_ir::{INPUT, Network, NeuronVersion, Node, Op, Tensors, WeightKind};

/// Added to every variance.
const EPS: f32 = 1e-5;
/// Channels that a score of channel attention sees.
const SECA_KERNEL: usize = 5;

/// Builds a graph; each node reads the one before, unless it is told otherwise.
pub(super) struct Builder<'a> {
    pub(super) target: &'a Target,
    nodes: Vec<Node<Op>>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(target: &'a Target) -> Self {
        Builder { target, nodes: vec![] }
    }

    /// Name of the last node.
    pub(super) fn last(&self) -> String {
        self.nodes.last().map_or(INPUT.to_string(), |n| n.name.clone())
    }

    fn push_reading(&mut self, kind: &str, op: Op, inputs: Vec<String>) {
        let count = self.nodes.iter().filter(|n| n.name.trim_end_matches(char::is_numeric) == kind).count();
        self.nodes.push(Node { name: format!("{kind}{}", count + 1), inputs, op });
    }

    fn push(&mut self, kind: &str, op: Op) {
        self.push_reading(kind, op, vec![self.last()]);
    }

    /// Convolution of what `input` gives, of `channels` before the width factor, and batch normalisation.
    /// With stride 1 and an odd kernel the map keeps its size.
    pub(super) fn conv_of(
        &mut self,
        input: String,
        channels: usize,
        kernel: usize,
        stride: usize,
        weights: WeightKind,
    ) {
        let out_channels = ((channels as f64 * self.target.width).round() as usize).max(1);
        let op = Op::Conv { out_channels, kernel, stride, padding: kernel / 2, weights };
        self.push_reading("conv", op, vec![input]);
        self.push("bn", Op::BatchNorm { eps: EPS });
    }

    pub(super) fn neuron(&mut self, version: NeuronVersion) {
        self.push("neuron", Op::Neuron { version, eps: EPS });
    }

    /// 3x3 convolution, batch normalisation, neuron.
    pub(super) fn conv(
        &mut self,
        channels: usize,
        weights: WeightKind,
        stride: usize,
        version: NeuronVersion,
    ) {
        self.conv_of(self.last(), channels, 3, stride, weights);
        self.neuron(version);
    }

    /// The baseline's neuron.
    pub(super) fn lif(&mut self) {
        self.push("neuron", Op::Lif { leak: 0.5, threshold: 1.0 });
    }

    pub(super) fn attention(&mut self) {
        self.push("seca", Op::Seca { kernel: SECA_KERNEL });
    }

    /// Adds what `other` gives.
    pub(super) fn add(&mut self, other: String) {
        self.push_reading("add", Op::Add, vec![self.last(), other]);
    }

    pub(super) fn pool(&mut self) {
        self.push("pool", Op::AvgPool { kernel: 2, stride: 2 });
    }

    pub(super) fn max_pool(&mut self) {
        self.push("pool", Op::MaxPool { kernel: 3, stride: 2, padding: 1 });
    }

    pub(super) fn global_pool(&mut self) {
        self.push("gap", Op::GlobalAvgPool);
    }

    /// Ends with the classifier.
    pub(super) fn finish(mut self, name: &str) -> Result<Network> {
        self.push("fc", Op::Linear { out_features: self.target.classes });
        let network = Network {
            name: name.into(),
            time_steps: self.target.time_steps,
            classes: self.target.classes,
            class_names: Default::default(),
            input: self.target.input.clone(),
            nodes: self.nodes,
            codes: None,
            tensors: Tensors::default(),
        };
        network.shapes()?;
        Ok(network)
    }
}
