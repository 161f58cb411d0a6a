//! Memory that a network's weights take.

use empf_ir::{Network, Op, Result, WeightKind};

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
        for (node, output) in network.nodes.iter().zip(&shapes) {
            let input = network.shape_of(&node.inputs[0], &shapes);
            match node.op {
                Op::Conv { kernel, weights, .. } => {
                    let count = output.channels * input.channels * kernel * kernel;
                    match weights {
                        WeightKind::Sign => memory.sign += count,
                        WeightKind::Float => memory.other += count,
                    }
                }
                Op::Linear { out_features } => memory.other += out_features * input.elements(),
                _ => {}
            }
        }
        Ok(memory)
    }

    /// Bytes with so many bits a sign weight and another one.
    fn bytes(&self, sign_bits: usize, other_bits: usize) -> f64 {
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
