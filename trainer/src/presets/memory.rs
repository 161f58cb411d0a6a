//! Memory that a network's weights take.

use empf_ir::{Network, Op, Result, Shape, WeightKind};
use std::ops::AddAssign;

/// Weights of convolutions and linear layers. Normalisations, biases and neurons are not counted, as in the
/// paper, and neither are the few weights of channel attention.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ParameterMemory {
    /// Weights of which only the sign counts.
    pub sign: usize,
    /// The others: first convolution and classifier.
    pub other: usize,
}

impl ParameterMemory {
    /// Of a graph; its tensors are not looked at.
    pub fn of(network: &Network) -> Result<Self> {
        let shapes = network.shapes()?;
        let mut memory = ParameterMemory::default();
        for node in &network.nodes {
            memory += Self::of_operator(&node.op, network.shape_of(&node.inputs[0], &shapes));
        }
        Ok(memory)
    }

    /// Of one operator that reads maps of shape `input`.
    pub fn of_operator(op: &Op, input: Shape) -> Self {
        match *op {
            Op::Conv { out_channels, kernel, weights, .. } => {
                Self::of_weights(out_channels * input.channels * kernel * kernel, weights)
            }
            Op::Linear { out_features } => {
                Self::of_weights(out_features * input.elements(), WeightKind::Float)
            }
            _ => ParameterMemory::default(),
        }
    }

    /// Of `count` weights of one kind.
    pub fn of_weights(count: usize, kind: WeightKind) -> Self {
        match kind {
            WeightKind::Sign => ParameterMemory { sign: count, other: 0 },
            WeightKind::Float => ParameterMemory { sign: 0, other: count },
        }
    }

    /// Weights of both kinds.
    pub fn count(&self) -> usize {
        self.sign + self.other
    }

    /// Bytes with so many bits a sign weight and another one.
    pub fn bytes(&self, sign_bits: usize, other_bits: usize) -> f64 {
        (self.sign * sign_bits + self.other * other_bits) as f64 / 8.0
    }

    /// All weights in 32 bits.
    pub fn float_bytes(&self) -> f64 {
        self.bytes(32, 32)
    }

    /// The paper's figure, which two bits a sign weight explain.
    pub fn paper_bytes(&self) -> f64 {
        self.bytes(2, 32)
    }

    /// One bit a sign weight, the others in 32 bits.
    pub fn packed_float_bytes(&self) -> f64 {
        self.bytes(1, 32)
    }

    /// One bit a sign weight, the others in 8 bits.
    pub fn packed_int8_bytes(&self) -> f64 {
        self.bytes(1, 8)
    }
}

impl AddAssign for ParameterMemory {
    fn add_assign(&mut self, more: Self) {
        self.sign += more.sign;
        self.other += more.other;
    }
}
