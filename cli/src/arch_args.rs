//! Options that choose an accelerator.

use crate::error::Result;
use clap::ValueEnum;
use empf_ir::{AdderForm, ArchConfig};

/// How the adder of a processing element is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Adder {
    /// For any part and any simulator
    Generic,
    /// CCU2C carry cells for Lattice ECP5
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
    /// Form of the processing element's adder [default: the architecture's, else generic]
    #[arg(long, value_enum)]
    adder: Option<Adder>,
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
        if let Some(adder) = self.adder {
            arch.adder = match adder {
                Adder::Generic => AdderForm::Generic,
                Adder::Ecp5 => AdderForm::Ecp5,
            };
        }
        arch.validate()?;
        Ok(arch)
    }
}
