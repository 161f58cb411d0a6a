//! How the requantizer makes currents of a shortcut's codes or sums.

use crate::Result;
use crate::plan::Shortcut;
use empf_ir::formats::MULTIPLIER_BITS;
use empf_ir::isa::{SHORTCUT_SUMS, ShortcutParameters};
use empf_ir::{QuantNetwork, QuantOp};

/// Largest power of two that a mantissa holds.
const LARGEST_POWER: u8 = MULTIPLIER_BITS as u8 - 2;

/// `round_shift(code * M, shift)` of codes, or of twice the codes; `round_shift(sum * M, shift) + B` of sums.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Multiplier {
    /// `code * 2^k`: M is a power of two, and where that has no place, so is the factor.
    Power {
        /// k, 0..=15.
        shift: u8,
    },
    /// M is the node's, one for each step and channel.
    Mantissas {
        /// Right shift.
        shift: u8,
    },
    /// So are M and B, of a convolution.
    Sums {
        /// Right shift.
        shift: u8,
    },
}

impl Multiplier {
    /// That of a shortcut's node.
    pub(crate) fn of(network: &QuantNetwork, shortcut: &Shortcut) -> Self {
        match network.op(&shortcut.node) {
            Some(QuantOp::Conv { shift, .. }) => Multiplier::Sums { shift: *shift },
            Some(QuantOp::Scale { shift }) => Multiplier::Mantissas { shift: *shift },
            Some(QuantOp::Widen { shift }) => Multiplier::Power { shift: *shift },
            _ => unreachable!("`lower` takes no other shortcuts"),
        }
    }

    /// The drain's field `shortcut`: what the codes are multiplied by as they enter, or that there are sums.
    pub(crate) fn field(self) -> i64 {
        match self {
            Multiplier::Power { shift } if shift > LARGEST_POWER => 2,
            Multiplier::Power { .. } | Multiplier::Mantissas { .. } => 1,
            Multiplier::Sums { .. } => SHORTCUT_SUMS.into(),
        }
    }

    /// Right shift of the product: the drain's field `shortcut_shift`.
    pub(crate) fn shift(self) -> i64 {
        match self {
            Multiplier::Power { .. } => 0,
            Multiplier::Mantissas { shift } | Multiplier::Sums { shift } => shift.into(),
        }
    }

    /// M and B of each step and channel, `[T, C]`, where C is `channels`.
    ///
    /// # Errors
    /// The node has no numbers where it needs them.
    pub(crate) fn parameters(
        self,
        network: &QuantNetwork,
        shortcut: &Shortcut,
        channels: usize,
    ) -> Result<Vec<ShortcutParameters>> {
        let of_node = |name| network.tensor(&shortcut.node, name);
        let count = network.time_steps * channels;
        let (mantissas, biases) = match self {
            Multiplier::Power { shift } => (vec![1 << shift.min(LARGEST_POWER); count], vec![0; count]),
            Multiplier::Mantissas { .. } => (of_node("mantissa")?.to_vec(), vec![0; count]),
            Multiplier::Sums { .. } => (of_node("mantissa")?.to_vec(), of_node("bias")?.to_vec()),
        };
        let both = mantissas.into_iter().zip(biases);
        Ok(both.map(|(m, b)| ShortcutParameters { mantissa: m.into(), bias: b.into() }).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_power_is_factor_times_mantissa() {
        for shift in 0..=15 {
            let power = Multiplier::Power { shift };
            assert_eq!(power.field() << shift.min(LARGEST_POWER), 1 << shift);
            assert_eq!(power.shift(), 0);
        }
    }
}
