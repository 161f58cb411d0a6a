//! Online training of EM-PF networks.
//!
//! Every gradient is derived by hand; at each time-step all layers go forward and then backward at once,
//! and nothing but residual potentials crosses time. All layers are generic over [`Float`].
//!
//! Results do not depend on the number of cores: sums over a batch are cut into parts of fixed size, and
//! the parts are added in order.

// Its tests that need no GPU run in every build.
#[cfg(any(feature = "cuda", test))]
#[cfg_attr(not(feature = "cuda"), allow(dead_code))]
mod cuda;
mod device;
mod error;
mod float;
pub mod layers;
mod model;
pub mod presets;
pub mod runs;
mod tensor;

pub use device::Device;
pub use error::{Error, Result};
pub use float::Float;
pub use layers::param::Param;
pub use model::{Frames, Learning, Model, Outcome, Steps};
pub use runs::optimizer::{Sgd, SgdConfig};
pub use runs::progress::Bar;
pub use runs::schedule::Schedule;
pub use tensor::{Extents, Tensor};
