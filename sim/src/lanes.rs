//! Tensors out of what the neuron lanes show: currents, which no memory of activations holds, and spikes in front of it.
//!
//! Positions come by in the order of the drain's loops, so that a value's place among those of its step says which
//! element it is.

use crate::compare::Mismatch;
use crate::{Error, Result};
use empf_hw::Tap;
use empf_ir::isa::Drain;
use empf_ir::program::{Currents, Step};
use empf_ir::{ArchConfig, Program, Trace};
use ndarray::Array4;
use std::collections::BTreeSet;
use std::ops::Range;

/// A position that came by a tap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Passed {
    /// Step that ran.
    pub(crate) step: u32,
    /// Clock cycle; 0 where there is no clock.
    pub(crate) cycle: u64,
}

/// Positions that came by a tap, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Positions {
    pub(crate) passed: Vec<Passed>,
    /// A value of each lane, position by position.
    pub(crate) values: Vec<i32>,
}

/// What came by each [`Tap`] in an inference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lanes([Positions; Tap::ALL.len()]);

impl Positions {
    /// Those of a step; steps follow each other.
    fn of_step(&self, step: usize) -> Range<usize> {
        let before = |limit: usize| self.passed.partition_point(|passed| (passed.step as usize) < limit);
        before(step)..before(step + 1).max(before(step))
    }
}

impl Lanes {
    pub(crate) fn at(&self, tap: Tap) -> &Positions {
        &self.0[tap as usize]
    }

    pub(crate) fn at_mut(&mut self, tap: Tap) -> &mut Positions {
        &mut self.0[tap as usize]
    }

    /// Logits do not wait for their way through the neurons, which nobody reads: those of the inference before may come by
    /// when the next one has not begun, and are of none of its `steps`.
    fn without_strays(&mut self, steps: usize) {
        for Positions { passed, values } in &mut self.0 {
            let strays = passed.iter().take_while(|passed| passed.step as usize >= steps).count();
            let lanes = values.len().checked_div(passed.len()).unwrap_or(0);
            passed.drain(..strays);
            values.drain(..strays * lanes);
        }
    }

    pub(crate) fn clear(&mut self) {
        *self = Lanes::default();
    }

    /// A position came by `tap`, with a value of each lane.
    pub(crate) fn pass(&mut self, tap: Tap, passed: Passed, values: impl IntoIterator<Item = i32>) {
        let positions = self.at_mut(tap);
        positions.passed.push(passed);
        positions.values.extend(values);
    }

    /// The cycle in which the element of `mismatch`, which is of `step`, came by.
    pub(crate) fn cycle(&self, program: &Program, step: usize, mismatch: &Mismatch) -> Option<u64> {
        let of_step = program.steps.get(step)?;
        let (tap, _) = *shown(of_step).iter().find(|(_, node)| *node == mismatch.layer)?;
        let (currents, drain) = (of_step.currents.as_ref()?, of_step.drain()?);
        let wanted = Place {
            group: mismatch.channel / program.arch.lanes,
            time_step: mismatch.time_step.checked_sub(currents.first_step)?,
            position: mismatch.y * currents.shape.width + mismatch.x,
        };
        let index = places(drain).position(|place| place == wanted)?;
        let positions = self.at(tap);
        positions.passed.get(positions.of_step(step).start + index).map(|passed| passed.cycle)
    }
}

/// The number of `tap` in the low bits of `value`.
pub(crate) fn number(tap: Tap, value: u64, arch: &ArchConfig) -> i32 {
    match tap {
        Tap::Spike => value as i32,
        Tap::Addend | Tap::Shortcut | Tap::Current => {
            let unused = u32::BITS - arch.membrane_bits;
            (value as i32) << unused >> unused
        }
    }
}

/// The taps that show something of a step, and the nodes whose currents or spikes it is.
pub(crate) fn shown(step: &Step) -> Vec<(Tap, &str)> {
    let (Some(currents), Some(drain)) = (&step.currents, step.drain()) else { return vec![] };
    let mut shown = match &currents.added {
        None => vec![(Tap::Current, &*currents.sums)],
        Some(added) => vec![
            (Tap::Addend, &*currents.sums),
            (Tap::Shortcut, &*added.shortcut),
            (Tap::Current, &*added.sum),
        ],
    };
    if !drain.keeps_currents() {
        shown.push((Tap::Spike, &*step.node));
    }
    shown
}

/// Nodes whose currents or spikes the lanes show.
pub(crate) fn nodes(program: &Program) -> BTreeSet<String> {
    program.steps.iter().flat_map(shown).map(|(_, node)| node.to_owned()).collect()
}

/// What goes through the lanes in one cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    group: usize,
    /// Counted from the first of the record.
    time_step: usize,
    position: usize,
}

/// In the order of the drain's loops.
fn places(d: &Drain) -> impl Iterator<Item = Place> {
    let of_group = move |positions: Range<u32>, group: u32| {
        (0..d.time_steps).flat_map(move |time_step| {
            let at = move |position: u32| Place {
                group: group as usize,
                time_step: time_step as usize,
                position: position as usize,
            };
            positions.clone().map(at)
        })
    };
    (0..d.tiles).flat_map(move |tile| (0..d.groups).flat_map(move |group| of_group(d.tile(tile), group)))
}

/// Puts what the lanes showed into `trace`. `engine` is named in errors.
///
/// # Errors
/// A step in which more or fewer positions came by than its loops have.
pub(crate) fn replay(engine: &str, program: &Program, lanes: &mut Lanes, trace: &mut Trace) -> Result<()> {
    lanes.without_strays(program.steps.len());
    for (index, step) in program.steps.iter().enumerate() {
        let (Some(currents), Some(drain)) = (&step.currents, step.drain()) else { continue };
        for (tap, node) in shown(step) {
            let positions = lanes.at(tap);
            let of_step = positions.of_step(index);
            let expected = places(drain).count();
            if of_step.len() != expected {
                let message = format!(
                    "{} positions came by the lanes in step {index} (`{node}`), expected {expected}",
                    of_step.len()
                );
                return Err(Error::Engine { engine: engine.into(), message });
            }
            let width = program.arch.lanes;
            let values = positions.values[of_step.start * width..of_step.end * width].chunks_exact(width);
            let tensor = trace.lanes.entry(node.to_owned()).or_insert_with(|| zeros(program, currents));
            places(drain).zip(values).for_each(|(place, values)| put(tensor, currents, place, values));
        }
    }
    Ok(())
}

fn zeros(program: &Program, Currents { shape, .. }: &Currents) -> Array4<i32> {
    Array4::zeros((program.time_steps, shape.channels, shape.height, shape.width))
}

/// Lanes beyond the last channel have nothing to say.
fn put(tensor: &mut Array4<i32>, currents: &Currents, place: Place, values: &[i32]) {
    let (y, x) = (place.position / currents.shape.width, place.position % currents.shape.width);
    let first = place.group * values.len();
    for (lane, value) in values.iter().enumerate() {
        if let Some(element) = tensor.get_mut([currents.first_step + place.time_step, first + lane, y, x]) {
            *element = *value;
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::compare::Seen;
    use empf_ir::Shape;
    use empf_ir::isa::{Pool, Task};
    use empf_ir::program::{Added, MemoryUse};

    /// Two lanes; a pooling step, and one of 3 channels, 3 positions in tiles of 2 and 1, and steps 1 and 2 of 3.
    pub(crate) fn program() -> Program {
        let shape = Shape::new(3, 3, 1);
        let drain = Drain {
            tiles: 2,
            tile_positions: 2,
            last_tile_positions: 1,
            groups: 2,
            time_steps: 2,
            shortcut: 1,
            ..Drain::default()
        };
        let added = Some(Added { shortcut: "short".into(), sum: "sum".into() });
        let currents = Some(Currents { shape, first_step: 1, sums: "conv".into(), added });
        let pool =
            Step { node: "pool".into(), task: Task::Pool(Pool::default()), additions: 0, currents: None };
        let fires = Step { node: "spike".into(), task: Task::Drain(Box::new(drain)), additions: 0, currents };
        Program {
            name: "shown".into(),
            arch: ArchConfig { lanes: 2, ..ArchConfig::sized(4, 4, 8) },
            build_id: 0,
            time_steps: 3,
            classes: 1,
            input: shape,
            input_frames: 1,
            steps: vec![pool, fires],
            placements: vec![],
            memory: MemoryUse::default(),
            checksums: Default::default(),
            weights: vec![],
            parameters: vec![],
        }
    }

    /// Of each tap 12 positions of step 1, whose values count up; a stray one in front, and one of another step.
    fn passed() -> Lanes {
        let mut lanes = Lanes::default();
        for tap in Tap::ALL {
            lanes.pass(tap, Passed { step: 2, cycle: 0 }, [-1, -1]);
            lanes.pass(tap, Passed { step: 0, cycle: 0 }, [-2, -2]);
            for index in 0..12 {
                let first = 1000 * tap as i32 + 2 * index;
                lanes.pass(tap, Passed { step: 1, cycle: 100 + index as u64 }, [first, first + 1]);
            }
        }
        lanes
    }

    #[test]
    fn values_go_where_the_loops_are() {
        let (program, mut lanes, mut trace) = (program(), passed(), Trace::default());
        replay("any", &program, &mut lanes, &mut trace).unwrap();
        assert_eq!(trace.lanes.keys().collect::<Vec<_>>(), ["conv", "short", "spike", "sum"]);
        assert_eq!(nodes(&program), trace.lanes.keys().cloned().collect());
        let conv = &trace.lanes["conv"];
        assert_eq!(conv.dim(), (3, 3, 3, 1));
        assert!(
            conv.index_axis(ndarray::Axis(0), 0).iter().all(|value| *value == 0),
            "another record's frame"
        );
        // Tile 0: group 0, steps 1 and 2, positions 0 and 1; group 1; then tile 1.
        let at = |element| conv[element];
        assert_eq!([[1, 0, 0, 0], [1, 1, 1, 0], [2, 0, 0, 0], [1, 2, 0, 0]].map(at), [0, 3, 4, 8]);
        assert_eq!([[1, 0, 2, 0], [2, 1, 2, 0], [2, 2, 2, 0]].map(at), [16, 19, 22]);
        assert_eq!(trace.lanes["spike"][[2, 2, 2, 0]], 3022);
        let mismatch = Mismatch {
            layer: "sum".into(),
            seen: Seen::Lanes,
            time_step: 2,
            channel: 2,
            y: 2,
            x: 0,
            expected: 0,
            got: 0,
            origin: None,
        };
        assert_eq!(lanes.cycle(&program, 1, &mismatch), Some(111));
        assert_eq!(lanes.cycle(&program, 1, &Mismatch { time_step: 0, ..mismatch }), None);
    }

    #[test]
    fn as_many_positions_come_by_as_there_are() {
        let error = |lanes: &mut Lanes| {
            replay("any", &program(), lanes, &mut Trace::default()).unwrap_err().to_string()
        };
        let mut lanes = passed();
        lanes.pass(Tap::Spike, Passed { step: 1, cycle: 0 }, [0, 0]);
        assert_eq!(error(&mut lanes), "any: 13 positions came by the lanes in step 1 (`spike`), expected 12");
        assert!(error(&mut Lanes::default()).contains("0 positions came by the lanes in step 1 (`conv`)"));
    }

    #[test]
    fn currents_have_a_sign_and_codes_have_none() {
        let arch = ArchConfig { membrane_bits: 12, ..ArchConfig::sized(4, 4, 8) };
        assert_eq!(number(Tap::Current, 0x800, &arch), -2048);
        assert_eq!(number(Tap::Addend, 0x7ff, &arch), 2047);
        assert_eq!(number(Tap::Spike, 0xff, &arch), 255);
    }
}
