//! The accelerator, described in RustHDL and elaborated from an ArchConfig.

mod accelerator;
mod accumulator;
mod activation_memory;
mod arithmetic;
pub mod array;
pub mod axi_lite;
#[cfg(test)]
mod bench_support;
mod descriptor;
mod drain;
pub mod emit;
mod input_buffer;
mod neuron_lane;
mod pool;
pub mod rtl;
mod sequencer;
mod stream;
pub mod timing;
mod unfold;
mod unit_macro;

pub use accelerator::{Accelerator, ActivationWrite, TOP};

use emit::{EmitError, Ports};
use empf_ir::ArchConfig;

/// Verilog of the accelerator of a valid `arch`; the top module is [`TOP`].
///
/// # Errors
/// What [`emit::verilog`] refuses, which is a mistake in the hardware's description.
pub fn emit_accelerator(arch: &ArchConfig) -> Result<String, EmitError> {
    emit::verilog(TOP, &Accelerator::new(arch), Ports::Flat)
}
