//! Gives every tensor, weight and parameter its address and checks every memory's depth.

use crate::error::Shortage;
use crate::plan::{Buffer, Plan, Work};
use crate::{Error, Result};
use empf_ir::program::{Conv, MemoryUse, Pool, Unfold};
use empf_ir::{ArchConfig, QuantNetwork};

/// Words of a lane's parameters: M, B, lambda, theta, c.
pub const LANE_PARAMETERS: usize = 5;

/// Addresses of `plan`'s buffers, weights and parameters. Tensors that do not live at the same time share words.
pub fn allocate(plan: &mut Plan, network: &QuantNetwork, arch: &ArchConfig) -> Result<()> {
    let activation = place(&mut plan.buffers, arch.rows);
    let mut memory = MemoryUse {
        activation,
        input: network.input.frames * network.input.shape().elements(),
        schedule: schedule_words(plan),
        ..MemoryUse::default()
    };
    for stage in &mut plan.stages {
        let (Work::Array(work), Some(reads)) = (&mut stage.work, stage.reads) else { continue };
        work.weight_base = memory.weight;
        work.parameter_base = memory.parameter;
        memory.weight += work.weight_words(plan.buffers[reads].blocks(arch.rows), arch.rows, arch.cols);
        let groups = work.output.channels.div_ceil(arch.lanes);
        memory.parameter += groups * work.parameter_steps(network.time_steps) * LANE_PARAMETERS * arch.lanes;
        memory.accumulator = memory.accumulator.max(work.tiling.positions * work.frames);
    }
    check(&memory, arch)?;
    plan.memory = memory;
    Ok(())
}

/// Places each buffer, the largest first, at the lowest address where nothing else lives with it; gives the
/// words taken.
fn place(buffers: &mut [Buffer], rows: usize) -> usize {
    let mut order: Vec<usize> = (0..buffers.len()).collect();
    order.sort_by_key(|i| (std::cmp::Reverse(buffers[*i].words(rows)), *i));
    let mut placed: Vec<usize> = Vec::new();
    let mut end = 0;
    for index in order {
        let mut taken: Vec<(usize, usize)> = (placed.iter())
            .filter(|other| buffers[**other].lives_with(&buffers[index]))
            .map(|other| (buffers[*other].base, buffers[*other].words(rows)))
            .collect();
        taken.sort_unstable();
        let words = buffers[index].words(rows);
        let mut base = 0;
        for (start, length) in taken {
            if base + words <= start {
                break;
            }
            base = base.max(start + length);
        }
        buffers[index].base = base;
        end = end.max(base + words);
        placed.push(index);
    }
    end
}

/// Build id, input length, a record for each stage, and the end.
fn schedule_words(plan: &Plan) -> usize {
    let fields = |work: &Work| match work {
        Work::Unfold(_) => Unfold::FIELDS.len(),
        Work::Array(_) => Conv::FIELDS.len(),
        Work::Pool { .. } => Pool::FIELDS.len(),
    };
    3 + plan.stages.iter().map(|s| 1 + fields(&s.work)).sum::<usize>()
}

fn check(memory: &MemoryUse, arch: &ArchConfig) -> Result<()> {
    let all = [
        ("the activation memory", memory.activation, arch.activation_depth, "activation_depth"),
        ("an accumulator bank", memory.accumulator, arch.accumulator_depth, "accumulator_depth"),
        ("the weight memory", memory.weight, arch.weight_depth, "weight_depth"),
        ("the parameter memory", memory.parameter, arch.parameter_depth, "parameter_depth"),
        ("the input buffer", memory.input, arch.input_depth, "input_depth"),
        ("the schedule", memory.schedule, arch.schedule_depth, "schedule_depth"),
    ];
    let shortages: Vec<Shortage> = (all.into_iter())
        .filter(|(_, needed, available, _)| needed > available)
        .map(|(memory, needed, available, field)| Shortage { memory, needed, available, field })
        .collect();
    if shortages.is_empty() { Ok(()) } else { Err(Error::Memory(shortages)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use empf_ir::Shape;
    use proptest::prelude::*;

    fn buffer(words: usize, written_by: usize, last_read: usize) -> Buffer {
        let shape = Shape::new(1, 1, words);
        Buffer { node: String::new(), shape, frames: 1, planes: 1, written_by, last_read, base: 0 }
    }

    #[test]
    fn the_dead_make_room() {
        let mut chain = [buffer(10, 0, 1), buffer(6, 1, 2), buffer(10, 2, 3), buffer(4, 3, 4)];
        assert_eq!(place(&mut chain, 4), 16);
        assert_eq!(chain.map(|b| b.base), [0, 10, 0, 10]);
    }

    proptest! {
        #[test]
        fn the_living_do_not_overlap(
            sizes in prop::collection::vec((1usize..50, 0usize..12, 0usize..5), 1..15),
        ) {
            let mut buffers: Vec<_> = sizes.iter().map(|(w, from, n)| buffer(*w, *from, from + n)).collect();
            let end = place(&mut buffers, 4);
            for (i, a) in buffers.iter().enumerate() {
                prop_assert!(a.base + a.words(4) <= end);
                for b in &buffers[..i] {
                    let apart = a.base + a.words(4) <= b.base || b.base + b.words(4) <= a.base;
                    prop_assert!(apart || !a.lives_with(b));
                }
            }
        }
    }
}
