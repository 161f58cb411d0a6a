//! Options that choose an accelerator.

use crate::error::Result;
use clap::ValueEnum;
use empf_ir::{ArchConfig, Target};

/// The parts that an accelerator is written for.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Parts {
    /// Any part and any simulator
    Generic,
    /// Lattice ECP5: its carry cells, multipliers and block RAM, with their registers
    Ecp5,
}

/// Options that choose an accelerator.
#[derive(Debug, clap::Args)]
pub(crate) struct ArchArgs {
    /// Preset (4x4, 8x8, 16x16, 32x32, 24x40) or TOML file of an architecture [default: 16x16]
    #[arg(long, value_name = "PRESET|FILE", conflicts_with_all = ["rows", "cols"])]
    arch: Option<String>,
    /// Rows of the array: input channels that enter in one cycle [default: 16]
    #[arg(long)]
    rows: Option<usize>,
    /// Columns of the array: output channels computed side by side [default: 16]
    #[arg(long)]
    cols: Option<usize>,
    /// Bits of a spike, 2 to 8 [default: the architecture's, else 8]
    #[arg(long, value_name = "A")]
    act_bits: Option<u32>,
    /// Parts that the Verilog is written for [default: the architecture's, else generic]
    #[arg(long, value_enum, alias = "adder")]
    target: Option<Parts>,
}

impl ArchArgs {
    /// The architecture chosen, validated.
    pub(crate) fn resolve(&self) -> Result<ArchConfig> {
        let mut arch = match &self.arch {
            Some(name) => ArchConfig::named(name)?,
            None => ArchConfig::sized(self.rows.unwrap_or(16), self.cols.unwrap_or(16), 8),
        };
        if let Some(act_bits) = self.act_bits {
            arch.act_bits = act_bits;
        }
        if let Some(target) = self.target {
            arch.target = match target {
                Parts::Generic => Target::Generic,
                Parts::Ecp5 => Target::Ecp5,
            };
        }
        arch.validate()?;
        Ok(arch)
    }
}
