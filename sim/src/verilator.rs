//! Emitted Verilog as compiled C++: the only place that knows Verilator.
//!
//! [`Model`] wraps any module, for unit benches; [`Verilator`] runs whole inferences on an [`Accelerator`] and
//! sees its activation memory. Shared objects are cached by content.

mod accelerator;
mod build;
mod cache;
mod libraries;
mod model;
mod ports;
mod progress;
mod record;
mod waves;

pub use accelerator::{Accelerator, Options, Verilator};
pub use build::Purpose;
pub use cache::{CACHE_VARIABLE, Cache};
pub use model::{Model, Port};
pub use progress::Progress;
pub use waves::{Waves, check_waves};
