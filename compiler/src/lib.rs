//! Lowers a trained network to an integer network, a schedule and ROM images.

pub mod digits;
pub mod error;
pub mod passes;
pub mod plan;

pub use error::{Error, Result};

use empf_ir::{ArchConfig, Program, QuantNetwork};

/// The program that computes `network` on `arch`.
pub fn lower(network: &QuantNetwork, arch: &ArchConfig) -> Result<Program> {
    let mut plan = passes::lower::lower(network, arch)?;
    passes::tile::tile(&mut plan, arch);
    passes::prove::prove(&mut plan, network, arch)?;
    passes::allocate::allocate(&mut plan, network, arch)?;
    let steps = passes::schedule::schedule(&plan, network, arch)?;
    passes::emit::emit(&plan, steps, network, arch)
}
