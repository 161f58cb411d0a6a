//! Emitted Verilog as compiled C++: the only place that knows Verilator.
//!
//! [`Model`] wraps any module, for unit benches; [`Verilator`] runs whole inferences on an [`Accelerator`] and
//! sees its activation memory. Shared objects are cached by content.

mod accelerator;
mod build;
mod model;
mod ports;

pub use accelerator::{Accelerator, Options, Verilator};
pub use build::cache_folder;
pub use model::{Model, Port};
