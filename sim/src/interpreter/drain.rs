//! What happens to the sums of a column block: requantizer and neuron, or logits.

use super::accumulators::Accumulators;
use super::arithmetic::{clamp_code, round_shift, saturate};
use super::machine::Machine;
use crate::Result;
use empf_ir::ArchConfig;
use empf_ir::formats::LEAK_FRACTION_BITS;
use empf_ir::isa::{Drain, LaneParameters};
use std::ops::Range;

/// Drains the sums of one column block.
pub(super) fn run(
    machine: &mut Machine,
    d: &Drain,
    positions: Range<u32>,
    column_block: usize,
    sums: &Accumulators,
) -> Result<()> {
    let arch = machine.arch();
    let of_block = arch.cols / arch.lanes;
    let groups = column_block * of_block..((column_block + 1) * of_block).min(d.groups as usize);
    for group in groups {
        let columns = (group % of_block) * arch.lanes;
        let group = Group { index: group, columns: columns..columns + arch.lanes };
        match d.logits {
            0 => neuron(machine, d, positions.clone(), &group, sums)?,
            _ => logits(machine, d, &group, sums)?,
        }
    }
    Ok(())
}

/// `lanes` channels that are drained side by side.
struct Group {
    index: usize,
    columns: Range<usize>,
}

/// Requantizer and neuron of a lane: spike code and next potential.
fn fire(lane: &LaneParameters, sum: i32, potential: i64, d: &Drain, arch: &ArchConfig) -> (u8, i64) {
    let limit = |x| saturate(x, arch.membrane_bits);
    let current = limit(round_shift(i64::from(sum) * lane.mantissa, d.requant_shift) + lane.bias);
    let membrane = limit(round_shift(lane.lambda * potential, LEAK_FRACTION_BITS) + current);
    let spike = clamp_code(round_shift((membrane - lane.theta).max(0), d.spike_shift), arch.act_bits);
    (spike, limit(membrane.min(lane.theta) - lane.offset))
}

/// Walks the steps of a group; its potentials live from the first step to the last.
fn neuron(
    machine: &mut Machine,
    d: &Drain,
    positions: Range<u32>,
    group: &Group,
    sums: &Accumulators,
) -> Result<()> {
    let arch = machine.arch();
    let mut potentials = vec![0; positions.len() * arch.lanes];
    let word = (group.index / arch.banks()) as u32;
    for step in 0..d.time_steps {
        let lanes = parameters(machine, d, group.index * d.time_steps as usize + step as usize)?;
        let frame = step.min(d.frames - 1) as usize;
        for (i, position) in positions.clone().enumerate() {
            let sums = &sums.at(frame * positions.len() + i)[group.columns.clone()];
            let potentials = &mut potentials[i * arch.lanes..(i + 1) * arch.lanes];
            let codes: Vec<u8> = (lanes.iter().zip(sums).zip(potentials))
                .map(|((lane, sum), potential)| {
                    let (spike, kept) = fire(lane, *sum, *potential, d, arch);
                    *potential = kept;
                    spike
                })
                .collect();
            let address = [step * d.out_frame_step, position * d.out_blocks, word]
                .into_iter()
                .fold(d.out_base, u32::wrapping_add);
            machine.write_bank(address, group.index % arch.banks(), &codes)?;
        }
    }
    Ok(())
}

/// Adds the bias.
fn logits(machine: &mut Machine, d: &Drain, group: &Group, sums: &Accumulators) -> Result<()> {
    let lanes = parameters(machine, d, group.index)?;
    let existing = (d.classes as usize).saturating_sub(group.index * lanes.len());
    for (lane, sum) in lanes.iter().zip(&sums.at(0)[group.columns.clone()]).take(existing) {
        machine.logits.push(sum.wrapping_add(lane.logit_bias()));
    }
    Ok(())
}

/// Parameters of the lanes of the `serial`-th (group, step).
fn parameters(machine: &Machine, d: &Drain, serial: usize) -> Result<Vec<LaneParameters>> {
    let arch = machine.arch();
    let count = LaneParameters::group_words(arch);
    let words = machine.parameters(d.parameter_base as usize + serial * count, count)?;
    let (lanes, _) = words.as_chunks();
    Ok(lanes.iter().map(|words| LaneParameters::from_words(*words, arch)).collect())
}
