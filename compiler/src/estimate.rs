//! What a network will cost, without its weights.

use crate::Result;
use crate::passes::{allocate, emit, lower, schedule, tile};
use crate::sketch::sketch;
use empf_ir::program::{MemoryUse, Placement, Step};
use empf_ir::{ArchConfig, Network};

/// The schedule and the memories of a network that has not been trained: those of a compilation, but for shifts and
/// borders in the descriptors.
#[derive(Clone, Debug)]
pub struct Estimate {
    /// The accelerator, with memories that are deep enough.
    pub arch: ArchConfig,
    /// Words that are needed of each memory.
    pub memory: MemoryUse,
    /// In order.
    pub steps: Vec<Step>,
    /// Where tensors lie.
    pub placements: Vec<Placement>,
}

/// The estimate of `network`, whose tensors are not looked at, on `arch`. Accumulators and currents of attention are as
/// deep as `arch` says, since the schedule hangs on them; other memories become as deep as they must.
///
/// # Errors
/// A graph that the hardware does not run, or a number of a descriptor beyond its range.
pub fn estimate(network: &Network, arch: &ArchConfig) -> Result<Estimate> {
    arch.validate()?;
    let sketch = sketch(network, arch)?;
    let mut plan = lower::plan(&sketch, arch)?;
    tile::tile(&mut plan, arch);
    allocate::assign(&mut plan, &sketch, arch);
    let arch = arch.with_depths(|memory| memory.depth(arch).max(plan.memory.of(memory)));
    let steps = schedule::schedule(&plan, &sketch, &arch)?;
    Ok(Estimate { placements: emit::placements(&plan, &arch), memory: plan.memory, steps, arch })
}
