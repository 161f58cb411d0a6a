//! Online training of EM-PF networks.
//!
//! Every gradient is derived by hand; at each time-step all layers go forward and then backward at once,
//! and nothing but residual potentials crosses time. All layers are generic over [`Float`].
//!
//! Results do not depend on the number of cores: sums over a batch are cut into parts of fixed size, and
//! the parts are added in order.

pub mod activity;
mod average;
pub mod batch_norm;
mod checkpoint;
mod codes;
pub mod conv;
#[cfg(feature = "cuda")]
mod cuda;
pub mod data;
mod error;
pub mod evaluate;
mod float;
pub mod integer;
mod layer;
pub mod lif;
pub mod linear;
pub mod log;
mod loss;
mod matmul;
pub mod membrane;
mod model;
pub mod neuron;
mod optimizer;
mod parallel;
mod param;
pub mod pool;
pub mod presets;
mod progress;
mod schedule;
pub mod seca;
mod targets;
mod tensor;
pub mod train;

pub use error::{Error, Result};
pub use float::Float;
pub use model::{Device, Frames, Learning, Model, Outcome, Steps};
pub use optimizer::{Sgd, SgdConfig};
pub use param::Param;
pub use progress::Bar;
pub use schedule::Schedule;
pub use tensor::{Extents, Tensor};
