//! The accelerator, described in RustHDL and elaborated from an ArchConfig.

mod accumulator;
mod activation_memory;
mod arithmetic;
mod axi_lite;
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
