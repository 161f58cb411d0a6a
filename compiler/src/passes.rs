//! The passes, one a file, and their order.
//!
//! Front half, on float numbers: [`resolve`], [`fold_bn`], [`reparameterize`], [`calibrate`], [`quantize`].
//! Back half, on integers: [`lower`], [`tile`], [`prove`], [`allocate`], [`schedule`], [`emit`].

pub mod allocate;
pub mod calibrate;
pub mod emit;
pub mod fold_bn;
pub mod lower;
pub mod prove;
pub mod quantize;
pub mod reparameterize;
pub mod resolve;
pub mod schedule;
pub mod tile;

use std::fmt;
use std::str::FromStr;

/// A step of the compilation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pass {
    /// Gives every parameter a value for each step and channel.
    Resolve,
    /// Folds batch normalisations into convolutions.
    FoldBn,
    /// Makes version I neurons with an offset out of version II.
    Reparameterize,
    /// Notes the ranges of currents, potentials and spikes.
    Calibrate,
    /// Makes every number an integer.
    Quantize,
    /// Finds the stages that the accelerator runs.
    Lower,
    /// Cuts positions into tiles.
    Tile,
    /// Proves the widths of accumulators and logits.
    Prove,
    /// Gives everything its address.
    Allocate,
    /// Writes descriptors.
    Schedule,
    /// Fills ROM images.
    Emit,
}

impl Pass {
    /// In the order in which they run.
    pub const ALL: [Pass; 11] = [
        Pass::Resolve,
        Pass::FoldBn,
        Pass::Reparameterize,
        Pass::Calibrate,
        Pass::Quantize,
        Pass::Lower,
        Pass::Tile,
        Pass::Prove,
        Pass::Allocate,
        Pass::Schedule,
        Pass::Emit,
    ];

    /// Its name, that of its file.
    pub fn name(self) -> &'static str {
        self.texts().0
    }

    /// What it does, for people.
    pub fn about(self) -> &'static str {
        self.texts().1
    }

    fn texts(self) -> (&'static str, &'static str) {
        match self {
            Pass::Resolve => {
                ("resolve", "take signs, and give every parameter a value for each step and channel")
            }
            Pass::FoldBn => {
                ("fold_bn", "fold batch normalisations into convolutions; negative gains flip weights")
            }
            Pass::Reparameterize => {
                ("reparameterize", "make version I neurons with an offset out of version II")
            }
            Pass::Calibrate => {
                ("calibrate", "run on images and note the ranges of currents, potentials and spikes")
            }
            Pass::Quantize => ("quantize", "choose formats and make every number an integer"),
            Pass::Lower => ("lower", "find the stages that the accelerator runs"),
            Pass::Tile => ("tile", "cut positions into tiles that fit the accumulators"),
            Pass::Prove => ("prove", "prove that accumulators and logits end with their exact values"),
            Pass::Allocate => ("allocate", "give tensors, weights and parameters their addresses"),
            Pass::Schedule => ("schedule", "write the descriptor of each stage"),
            Pass::Emit => ("emit", "fill the ROM images"),
        }
    }
}

/// A name that no pass has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no pass `{0}`; the passes are {known}", known = Pass::ALL.map(Pass::name).join(", "))]
pub struct UnknownPass(pub String);

impl FromStr for Pass {
    type Err = UnknownPass;

    fn from_str(name: &str) -> Result<Self, UnknownPass> {
        let pass = Pass::ALL.into_iter().find(|pass| pass.name() == name);
        pass.ok_or_else(|| UnknownPass(name.into()))
    }
}

impl fmt::Display for Pass {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}
