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
mod taps;
pub mod timing;
mod unfold;
mod unit_macro;

pub use accelerator::{Accelerator, ActivationWrite, TOP};
pub use product::Multiplier;
pub use taps::Tap;

use emit::{EmitError, Form, Ports, ecp5_image, image_file};
use empf_ir::{ArchConfig, Target};

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
    let form = Form { target: arch.target, images };
    let design = emit::design(TOP, &Accelerator::new(arch), Ports::Flat, form)?;
    Ok(emit::header(arch, images) + &design)
}

/// Images that the Verilog of an ECP5 includes for synthesis, as names of files and their texts: those of the first words
/// of the weights, the parameters and the schedule. Other targets read the files of `$readmemh`.
pub fn included_images(arch: &ArchConfig, words: [&[u64]; 3]) -> Vec<(String, String)> {
    if arch.target == Target::Generic {
        return vec![];
    }
    let roms = accelerator::images(arch).into_iter().zip(words);
    let image = |((file, width, depth), words): (accelerator::Image, &[u64])| {
        Some((image_file(file), ecp5_image(width, depth, words)?))
    };
    roms.filter_map(image).collect()
}
