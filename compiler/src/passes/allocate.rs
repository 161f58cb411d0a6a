//! Gives every tensor, weight and parameter its address and checks every memory's depth.

use crate::attention::reach_of;
use crate::error::Shortage;
use crate::plan::{Buffer, Plan, Work};
use crate::{Error, Result};
use empf_ir::arch::Memory;
use empf_ir::isa::{HEADER, run_words, score_words};
use empf_ir::program::MemoryUse;
use empf_ir::{ArchConfig, QuantNetwork};
use std::collections::HashMap;

/// Addresses of `plan`'s buffers, weights and parameters. Tensors that do not live at the same time share words.
pub fn allocate(plan: &mut Plan, network: &QuantNetwork, arch: &ArchConfig) -> Result<()> {
    assign(plan, network, arch);
    check(&plan.memory, arch)
}

/// As [`allocate`], however deep the memories are.
pub(crate) fn assign(plan: &mut Plan, network: &QuantNetwork, arch: &ArchConfig) {
    let activation = place_all(&mut plan.buffers, arch.rows);
    let mut memory = MemoryUse {
        activation,
        input: network.input.frames * network.input.shape().elements(),
        schedule: schedule_words(plan),
        ..MemoryUse::default()
    };
    let (mut weights, mut scores) = (HashMap::new(), HashMap::new());
    for stage in &mut plan.stages {
        let Work::Array(work) = &mut stage.work else { continue };
        let blocks = |buffer: usize| plan.buffers[buffer].blocks(arch.rows);
        let of_shortcut = work.shortcut_beside().map_or(0, |(reads, _)| blocks(reads));
        let words = stage
            .reads
            .map_or(0, |reads| work.weight_words(blocks(reads), of_shortcut, arch.rows, arch.cols));
        if let Some(stream) = &mut work.stream {
            stream.weight_base = once(&mut weights, &stream.layer, &mut memory.weight, words);
        }
        let groups = work.groups(arch.lanes);
        let steps = work.drain.steps.len();
        let drain = &mut work.drain;
        drain.parameter_base = memory.parameter;
        memory.parameter += groups * steps * run_words(drain.shortcut.is_some(), arch);
        if let Some(attention) = drain.attention().map(str::to_owned) {
            let words = score_words(reach_of(network, &attention));
            drain.score_base = once(&mut scores, &attention, &mut memory.parameter, words);
        }
        let positions = work.tiling.positions;
        memory.accumulator = memory.accumulator.max(positions * work.entries());
        let of_map = work.output.positions() * groups;
        let keeps_potentials = work.drain.keeps_potentials(network.time_steps);
        memory.potential = memory.potential.max(if keeps_potentials { of_map } else { positions });
        if work.drain.keeps() {
            memory.current = memory.current.max(steps * of_map);
            memory.sum = memory.sum.max(steps * groups * arch.lanes);
        }
    }
    plan.memory = memory;
}

/// First of the `words` of `node`, which are taken from `memory` when it is first asked for.
fn once(taken: &mut HashMap<String, usize>, node: &str, memory: &mut usize, words: usize) -> usize {
    *taken.entry(node.to_owned()).or_insert_with(|| {
        let first = *memory;
        *memory += words;
        first
    })
}

/// Places each buffer; those that take each other's place are one.
fn place_all(buffers: &mut [Buffer], rows: usize) -> usize {
    let mut places: Vec<Buffer> = vec![];
    let mut place_of: Vec<usize> = vec![];
    for buffer in buffers.iter() {
        match buffer.in_place_of {
            Some(earlier) => {
                let place = place_of[earlier];
                places[place].last_read = places[place].last_read.max(buffer.last_read);
                place_of.push(place);
            }
            None => {
                place_of.push(places.len());
                places.push(buffer.clone());
            }
        }
    }
    let end = place(&mut places, rows);
    for (buffer, place) in buffers.iter_mut().zip(place_of) {
        buffer.base = places[place].base;
    }
    end
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

/// A header, the records of each stage, and the end.
fn schedule_words(plan: &Plan) -> usize {
    let records = plan.stages.iter().flat_map(|stage| stage.work.units());
    HEADER.len() + records.map(|unit| unit.words()).sum::<usize>() + 1
}

fn check(used: &MemoryUse, arch: &ArchConfig) -> Result<()> {
    let shortages: Vec<Shortage> = (Memory::ALL.into_iter())
        .map(|memory| Shortage { memory, needed: used.of(memory), available: memory.depth(arch) })
        .filter(|shortage| shortage.needed > shortage.available)
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
        Buffer {
            node: String::new(),
            shape,
            frames: 1,
            planes: 1,
            written_by: [written_by; 2],
            last_read,
            in_place_of: None,
            base: 0,
        }
    }

    #[test]
    fn the_dead_make_room() {
        let mut chain = [buffer(10, 0, 1), buffer(6, 1, 2), buffer(10, 2, 3), buffer(4, 3, 4)];
        assert_eq!(place(&mut chain, 4), 16);
        assert_eq!(chain.map(|b| b.base), [0, 10, 0, 10]);
    }

    #[test]
    fn a_gap_is_filled_to_its_last_word() {
        // When the last two are placed, the first is dead and has left a gap of 16 words below the second.
        let mut buffers = [buffer(16, 0, 0), buffer(10, 0, 2), buffer(10, 2, 2), buffer(6, 2, 2)];
        assert_eq!(place(&mut buffers, 4), 26);
        assert_eq!(buffers.map(|b| b.base), [0, 16, 0, 10]);
    }

    #[test]
    fn what_is_placed_under_a_longer_one_hides_none_of_it() {
        // The third lies within the first, which is dead by then; the last lives with both, and comes behind both.
        let mut buffers = [buffer(40, 0, 2), buffer(16, 5, 7), buffer(12, 4, 6), buffer(4, 2, 4)];
        assert_eq!(place(&mut buffers, 4), 44);
        assert_eq!(buffers.map(|b| b.base), [0, 0, 16, 40]);
    }

    /// A block: its input, which is its shortcut, what is between, and its sum; then the same again.
    #[test]
    fn sums_lie_where_their_shortcuts_lay() {
        let mut buffers =
            [buffer(40, 0, 2), buffer(40, 1, 2), buffer(40, 2, 4), buffer(40, 3, 4), buffer(40, 4, 5)];
        buffers[2].in_place_of = Some(0);
        buffers[4].in_place_of = Some(2);
        assert_eq!(place_all(&mut buffers, 4), 80);
        let bases = buffers.map(|buffer| buffer.base);
        assert_eq!([bases[0], bases[2], bases[4]], [bases[0]; 3]);
        assert!(bases[1] != bases[0] && bases[3] != bases[0]);
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
