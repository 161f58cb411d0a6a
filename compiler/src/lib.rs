//! Lowers a trained network to an integer network, a schedule and ROM images.
//!
//! ```text
//! Network --resolve--> Draft --fold_bn, reparameterize--> Draft --calibrate, quantize--> QuantNetwork
//! QuantNetwork --lower--> Plan --tile, prove, allocate--> Plan --schedule, emit--> Program
//! ```

mod attention;
pub mod compilation;
pub mod digits;
pub mod draft;
pub mod error;
mod estimate;
mod histogram;
mod multiplier;
pub mod passes;
pub mod plan;
pub mod saturation;
mod sketch;

pub use compilation::Compilation;
pub use error::{Error, Result};
pub use estimate::{Estimate, estimate};
pub use histogram::Histogram;
pub use passes::Pass;
pub use saturation::{Saturation, saturation};

use empf_ir::{ArchConfig, Network, Program, QuantNetwork};
use ndarray::ArrayView5;

/// The integer network of `network` for `arch`, and the program that computes it. The images
/// `[image, frame, channel, y, x]` show what ranges the network's numbers take.
pub fn compile<'a>(
    network: &'a Network,
    images: ArrayView5<'a, u8>,
    arch: &'a ArchConfig,
) -> Result<(QuantNetwork, Program)> {
    let mut compilation = Compilation::of_network(network, images, arch);
    compilation.run(Pass::Emit, |_, _| Ok(()))?;
    compilation.finish()
}

/// The program that computes `network` on `arch`.
pub fn lower(network: &QuantNetwork, arch: &ArchConfig) -> Result<Program> {
    let mut compilation = Compilation::of_integers(network.clone(), arch);
    compilation.run(Pass::Emit, |_, _| Ok(()))?;
    Ok(compilation.finish()?.1)
}
