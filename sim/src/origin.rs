//! Where a value comes from: the record of the schedule whose unit gave it, and when.

use empf_ir::Program;
use empf_ir::isa::Unit;
use std::fmt;

/// What gave a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Index of the record in the schedule, from 0.
    pub record: usize,
    /// The unit of the record.
    pub unit: Unit,
    /// Node whose result the record writes.
    pub node: String,
    /// The clock cycle, where the engine has a clock; see [`RESET_CYCLES`].
    pub cycle: Option<u64>,
}

/// Clock cycles of reset in front of the first inference of a simulation. Cycles of an [`Origin`] count from the first
/// of these, number 0, as if the inference were the first; so do those of waves.
pub const RESET_CYCLES: u64 = 4;

impl Origin {
    /// The record that writes the result of the step `index` of `program`; `None` beyond its steps.
    pub(crate) fn of_step(program: &Program, index: usize, cycle: Option<u64>) -> Option<Self> {
        let step = program.steps.get(index)?;
        let units = step.task.units();
        let before: usize = program.steps[..index].iter().map(|step| step.task.units().len()).sum();
        let (record, unit) = (before + units.len() - 1, *units.last()?);
        Some(Origin { record, unit, node: step.node.clone(), cycle })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Origin { record, unit, node, cycle } = self;
        write!(f, "schedule record {record}, {} of layer `{node}`", unit.name())?;
        cycle.map_or(Ok(()), |cycle| write!(f, ", clock cycle {cycle}"))
    }
}
