//! The greatest numbers that the hardware counts to, and what to do about one that is greater.

use crate::ArchConfig;
use crate::arch::Memory;
use crate::formats::{MAX_REQUANT_SHIFT, MAX_SCORE_REACH, MAX_SPIKE_SHIFT, MAX_TIME_STEPS};

/// Most rows or columns of a map or of a window.
pub const MAX_EXTENT: u32 = 4095;

/// Most positions of a pooling window: the sums of the pooling unit have this many codes.
pub const POOL_WINDOW: u32 = 1024;

/// Most passes (digit planes x activation planes) of a layer.
pub const MAX_PASSES: u32 = 32;

/// A greatest number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Rows or columns of a map or of a window, steps and borders of a window.
    Extent,
    /// Rows or columns of a pooling window.
    PoolSide,
    /// Channels of the input.
    Channels,
    /// Blocks of `rows` channels.
    Blocks,
    /// Time-steps, and frames of a tensor.
    Frames,
    /// Tiles of positions.
    Tiles,
    /// Blocks of `cols` output channels.
    ColumnBlocks,
    /// Groups of `lanes` output channels.
    Groups,
    /// Outputs of a linear layer.
    Classes,
    /// Passes over the taps of a layer.
    Passes,
    /// Bytes of the input buffer.
    InputBytes,
    /// Sums in an accumulator bank.
    Entries,
    /// Banks of an activation word.
    Banks,
    /// Codes of a spike.
    Code,
    /// Right shift of the requantizer.
    RequantShift,
    /// Right shift from membrane to spike, and of a pooled sum.
    SpikeShift,
    /// What a shortcut is.
    Shortcut,
    /// What attention does.
    Attention,
    /// Channels on each side of one that attention sees.
    Reach,
    /// Yes or no.
    Flag,
}

impl Limit {
    /// The greatest number in `arch`.
    pub fn max(self, arch: &ArchConfig) -> u32 {
        match self {
            Limit::Extent => MAX_EXTENT,
            Limit::Channels | Limit::Blocks => 4095,
            Limit::PoolSide => POOL_WINDOW,
            Limit::Frames => MAX_TIME_STEPS as u32,
            Limit::Tiles | Limit::ColumnBlocks | Limit::Groups | Limit::Classes => 65_535,
            Limit::Passes => MAX_PASSES,
            Limit::InputBytes => arch.input_depth as u32,
            Limit::Entries => arch.accumulator_depth as u32,
            Limit::Banks => arch.banks() as u32,
            Limit::Code => (1 << arch.act_bits) - 1,
            Limit::RequantShift => MAX_REQUANT_SHIFT.into(),
            Limit::SpikeShift => MAX_SPIKE_SHIFT.into(),
            Limit::Shortcut => 3,
            Limit::Attention => {
                if arch.has_attention() {
                    2
                } else {
                    0
                }
            }
            Limit::Reach => MAX_SCORE_REACH as u32,
            Limit::Flag => 1,
        }
    }

    /// What of the architecture the number is, where it depends on it.
    pub fn key(self) -> Option<&'static str> {
        match self {
            Limit::InputBytes => Some("input_depth"),
            Limit::Entries => Some("accumulator_depth"),
            Limit::Banks => Some("rows / lanes"),
            Limit::Code => Some("2^act_bits - 1"),
            _ => None,
        }
    }

    /// What to do about a greater number: the key of the architecture that raises it, where there is one.
    pub fn advice(self) -> &'static str {
        match self {
            Limit::Extent => "use a smaller map or window",
            Limit::PoolSide => "pool in two steps",
            Limit::Channels => "use fewer channels",
            Limit::Blocks => "use fewer channels, or raise `rows`",
            Limit::Frames => "use fewer time-steps",
            Limit::Tiles | Limit::Entries => "raise `accumulator_depth`",
            Limit::ColumnBlocks => "use fewer output channels, or raise `cols`",
            Limit::Groups => "use fewer output channels, or raise `lanes`",
            Limit::Classes => "use fewer classes",
            Limit::Passes => "use spikes of more bits, `act_bits`",
            Limit::InputBytes => "raise `input_depth`",
            Limit::Attention => "give the architecture a `current_depth`",
            Limit::Banks | Limit::Code | Limit::Shortcut | Limit::Reach | Limit::Flag => "compile again",
            Limit::RequantShift | Limit::SpikeShift => "quantize again",
        }
    }
}

/// A number that the hardware does not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {value}, but the hardware takes {min} to {max}; {advice}")]
pub struct LimitError {
    /// What the number is, in the words of who writes networks.
    pub what: String,
    /// The number.
    pub value: i64,
    /// The smallest that is taken.
    pub min: i64,
    /// The greatest that is taken.
    pub max: i64,
    /// What to do.
    pub advice: String,
}

impl LimitError {
    /// `value` is at most `max`.
    ///
    /// # Errors
    /// It is greater.
    pub(super) fn at_most(what: &str, value: u64, max: u64, advice: &str) -> Result<(), Self> {
        if value <= max {
            return Ok(());
        }
        let number = |x: u64| i64::try_from(x).unwrap_or(i64::MAX);
        let (value, max) = (number(value), number(max));
        Err(LimitError { what: what.into(), value, min: 0, max, advice: advice.into() })
    }

    /// `value` is `expected`.
    ///
    /// # Errors
    /// It is not.
    pub(super) fn equal(what: &str, value: u32, expected: u32) -> Result<(), Self> {
        if value == expected {
            return Ok(());
        }
        let [value, expected] = [value, expected].map(i64::from);
        let (what, advice) = (what.into(), "compile again".into());
        Err(LimitError { what, value, min: expected, max: expected, advice })
    }

    /// `memory` has the `words` that are needed of it.
    ///
    /// # Errors
    /// It has fewer.
    pub(super) fn fits(memory: Memory, words: u64, arch: &ArchConfig) -> Result<(), Self> {
        let what = format!("words of the {}", memory.name());
        Self::at_most(&what, words, memory.depth(arch) as u64, &format!("raise `{}`", memory.key()))
    }
}

/// Product of counts of which each is below `2^32`; the greatest number where it overflows.
pub(super) fn product<const N: usize>(counts: [u32; N]) -> u64 {
    counts.into_iter().fold(1, |product, count| product.saturating_mul(count.into()))
}
