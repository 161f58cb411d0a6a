//! What a network will cost, without its weights.

use crate::Result;
use crate::passes::{allocate, emit, lower, schedule, tile};
use crate::sketch::sketch;
use empf_ir::arch::Memory;
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
    let arch = deepened(arch, &plan.memory);
    let steps = schedule::schedule(&plan, &sketch, &arch)?;
    Ok(Estimate { placements: emit::placements(&plan, &arch), memory: plan.memory, steps, arch })
}

/// `arch` with memories that hold what is `used`.
fn deepened(arch: &ArchConfig, used: &MemoryUse) -> ArchConfig {
    let depth = |memory: Memory| memory.depth(arch).max(used.of(memory));
    ArchConfig {
        activation_depth: depth(Memory::Activation),
        accumulator_depth: depth(Memory::Accumulator),
        potential_depth: depth(Memory::Potential),
        current_depth: depth(Memory::Current),
        sum_depth: depth(Memory::Sum),
        weight_depth: depth(Memory::Weight),
        parameter_depth: depth(Memory::Parameter),
        input_depth: depth(Memory::Input),
        schedule_depth: depth(Memory::Schedule),
        ..arch.clone()
    }
}
