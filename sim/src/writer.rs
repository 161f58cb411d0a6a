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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lanes::tests::program;
    use empf_ir::isa::Task;

    #[test]
    fn a_frame_comes_from_the_step_that_gives_it() {
        let mut program = program();
        let mut first = program.steps[1].clone();
        let frames = first.currents.as_mut().unwrap();
        frames.first_step = 0;
        let Task::Drain(drain) = &mut first.task else { unreachable!("a drain") };
        drain.time_steps = 1;
        program.steps.insert(1, first);
        let of = |layer: &str, seen, time_step| {
            let (layer, origin) = (layer.to_owned(), None);
            let mismatch =
                Mismatch { layer, seen, time_step, channel: 0, y: 0, x: 0, expected: 0, got: 0, origin };
            writer(&program, &mismatch)
        };
        assert_eq!([0, 1, 2, 3].map(|t| of("spike", Seen::Result, t)), [Some(1), Some(2), Some(2), None]);
        assert_eq!([0, 1].map(|t| of("short", Seen::Lanes, t)), [Some(1), Some(2)]);
        assert_eq!(of("pool", Seen::Result, 2), Some(0));
        assert_eq!([of("short", Seen::Result, 0), of("pool", Seen::Lanes, 0)], [None; 2]);
        assert_eq!(of(LOGITS, Seen::Result, 0), None, "no step gives them");
    }
}
