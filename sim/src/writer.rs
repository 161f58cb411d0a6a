//! Which step of a schedule gave an element.

use crate::compare::{LOGITS, Mismatch, Seen};
use crate::lanes;
use empf_ir::Program;
use empf_ir::program::Step;

/// Index of the step that gave the element of `mismatch`; `None` where no step of `program` does.
pub(crate) fn writer(program: &Program, mismatch: &Mismatch) -> Option<usize> {
    let gives = |step: &Step| match mismatch.seen {
        Seen::Lanes => lanes::shown(step).iter().any(|(_, node)| *node == mismatch.layer),
        Seen::Result if mismatch.layer == LOGITS => step.drain().is_some_and(|drain| drain.logits == 1),
        Seen::Result => step.node == mismatch.layer,
    };
    program.steps.iter().position(|step| gives(step) && has_frame(step, mismatch.time_step))
}

/// The step gives the frame `time_step` of its node.
fn has_frame(step: &Step, time_step: usize) -> bool {
    let (Some(currents), Some(drain)) = (&step.currents, step.drain()) else { return true };
    (currents.first_step..currents.first_step + drain.time_steps as usize).contains(&time_step)
}
