//! Executions of a compiled network and their comparison.
//!
//! | engine | what it executes | sees |
//! |---|---|---|
//! | [`GoldenEngine`] | the integer network, as `docs/numerics.md` defines it | every node |
//! | [`IntegerEngine`] | the same, by other code and faster; called `trainer` | every node |
//! | [`Interpreter`] | schedule and ROM images | tensors in the activation memory, neuron lanes, cycles |
//! | [`RustHdl`] | the accelerator's description | tensors in the activation memory, neuron lanes, cycles |
//! | [`verilator::Verilator`] | the emitted Verilog, compiled | tensors in the activation memory, neuron lanes, cycles |
//! | [`Icarus`] | the emitted Verilog, interpreted | tensors in the activation memory, cycles |
//!
//! All are an [`Engine`]; [`compare()`] holds one's [`empf_ir::Trace`] to another's, element by element, and [`examine`]
//! asks the engine besides where the first mismatch comes from.

pub mod accesses;
mod activation;
mod axi;
pub mod bench;
mod capture;
pub mod compare;
pub mod cost;
pub mod cycles;
mod engine;
mod error;
mod golden;
mod icarus;
mod integer;
mod interpreter;
mod lanes;
pub mod numpy;
mod order;
pub mod origin;
mod roms;
mod rust_hdl;
mod tool;
pub mod verilator;
mod writer;

pub use activation::ActivationMemory;
pub use compare::{Comparison, Mismatch, Promise, adopt, compare};
pub(crate) use engine::check_input;
pub use engine::{Engine, examine};
pub use error::{Error, Result};
pub use golden::GoldenEngine;
pub use icarus::Icarus;
pub use integer::IntegerEngine;
pub use interpreter::Interpreter;
pub use order::{interleaved, planar};
pub use rust_hdl::RustHdl;
