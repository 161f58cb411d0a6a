//! The accelerator, described in RustHDL and elaborated from an ArchConfig.

mod accelerator;
mod accumulator;
mod activation_memory;
mod arithmetic;
pub mod array;
mod attention;
pub mod axi_lite;
#[cfg(test)]
mod bench_support;
mod descriptor;
mod drain;
pub mod emit;
mod factor;
mod input_buffer;
mod neuron_lane;
mod pool;
mod product;
pub mod rtl;
mod sequencer;
mod stream;
pub mod timing;
mod unfold;
mod unit_macro;

pub use accelerator::{Accelerator, ActivationWrite, TOP};

use emit::{EmitError, Ports};
use empf_ir::ArchConfig;

/// Verilog of the accelerator of a valid `arch`, which reads the images of a program; the top module is [`TOP`].
///
/// # Errors
/// What [`emit::verilog`] refuses, which is a mistake in the hardware's description.
pub fn emit_accelerator(arch: &ArchConfig) -> Result<String, EmitError> {
    emit(arch, true)
}

/// As [`emit_accelerator`], but with empty ROMs unless parameters name images: for linters. Synthesis finds most of
/// it unused.
///
/// # Errors
/// As above.
pub fn emit_without_images(arch: &ArchConfig) -> Result<String, EmitError> {
    emit(arch, false)
}

fn emit(arch: &ArchConfig, images: bool) -> Result<String, EmitError> {
    let design = emit::design(TOP, &Accelerator::new(arch), Ports::Flat, images)?;
    Ok(emit::header(arch, images) + &design)
}
