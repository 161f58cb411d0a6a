//! What happens to the sums of a column block: requantizer and neuron, or logits.

use super::accumulators::Accumulators;
use super::arithmetic::{clamp_code, round_shift, saturate};
use super::machine::Machine;
use crate::Result;
use empf_ir::ArchConfig;
use empf_ir::formats::LEAK_FRACTION_BITS;
use empf_ir::isa::{Drain, LaneParameters, ShortcutParameters};
use std::ops::Range;

/// What a column block's bank holds.
#[derive(Clone, Copy)]
pub(super) struct Sums<'a> {
    pub(super) layer: &'a Accumulators,
    pub(super) shortcut: &'a Accumulators,
}

/// Drains the sums of one column block.
pub(super) fn run(
    machine: &mut Machine,
    d: &Drain,
    positions: Range<u32>,
    column_block: usize,
    sums: Sums,
) -> Result<()> {
    let arch = machine.arch();
    let of_block = arch.cols / arch.lanes;
    let groups = column_block * of_block..((column_block + 1) * of_block).min(d.groups as usize);
    for group in groups {
        let columns = (group % of_block) * arch.lanes;
        let group = Group { index: group, columns: columns..columns + arch.lanes };
        match d.logits {
            0 => neuron(machine, d, positions.clone(), &group, sums)?,
            _ => logits(machine, d, &group, sums.layer)?,
        }
    }
    Ok(())
}

/// `lanes` channels that are drained side by side.
struct Group {
    index: usize,
    columns: Range<usize>,
}

/// A shortcut of a lane: its parameters, and its code or sum as it enters.
type Shortcut<'a> = Option<(&'a ShortcutParameters, i64)>;

/// Current of a lane: that of its sum, and that of its shortcut.
fn current(lane: &LaneParameters, sum: i32, shortcut: Shortcut, d: &Drain, arch: &ArchConfig) -> i64 {
    let limit = |x| saturate(x, arch.membrane_bits);
    let of_sum = limit(round_shift(i64::from(sum) * lane.mantissa, d.requant_shift) + lane.bias);
    shortcut.map_or(of_sum, |(parameters, operand)| {
        let scaled = round_shift(operand * parameters.mantissa, d.shortcut_shift);
        limit(of_sum + limit(scaled + parameters.bias))
    })
}

/// Neuron of a lane: spike code and next potential.
fn fire(lane: &LaneParameters, current: i64, potential: i64, d: &Drain, arch: &ArchConfig) -> (u8, i64) {
    let limit = |x| saturate(x, arch.membrane_bits);
    let membrane = limit(round_shift(lane.lambda * potential, LEAK_FRACTION_BITS) + current);
    let spike = clamp_code(round_shift((membrane - lane.theta).max(0), d.spike_shift), arch.act_bits);
    (spike, limit(membrane.min(lane.theta) - lane.offset))
}

/// Walks the steps of a group; its potentials live from the first step to the last.
fn neuron(machine: &mut Machine, d: &Drain, positions: Range<u32>, group: &Group, sums: Sums) -> Result<()> {
    let arch = machine.arch();
    let mut potentials = vec![0; positions.len() * arch.lanes];
    let word = (group.index / arch.banks()) as u32;
    for step in 0..d.time_steps {
        let serial = group.index * d.time_steps as usize + step as usize;
        let (lanes, of_shortcuts) =
            (parameters(machine, d, serial)?, shortcut_parameters(machine, d, serial)?);
        let frame = step.min(d.frames - 1) as usize;
        for (i, position) in positions.clone().enumerate() {
            let entry = frame * positions.len() + i;
            let layer = &sums.layer.at(entry)[group.columns.clone()];
            let potentials = &mut potentials[i * arch.lanes..(i + 1) * arch.lanes];
            let address = [step * d.out_frame_step, position * d.out_blocks, word]
                .into_iter()
                .fold(d.out_base, u32::wrapping_add);
            let bank = group.index % arch.banks();
            let operands: Vec<i64> = if d.has_shortcut_sums() {
                sums.shortcut.at(entry)[group.columns.clone()].iter().map(|sum| i64::from(*sum)).collect()
            } else if d.has_shortcut() {
                let codes = machine.bank(address.wrapping_add(d.shortcut_step), bank)?;
                codes.iter().map(|code| i64::from(*code) * i64::from(d.shortcut)).collect()
            } else {
                vec![]
            };
            let codes: Vec<u8> = (0..arch.lanes)
                .map(|l| {
                    let shortcut = of_shortcuts.as_ref().map(|of_lane| (&of_lane[l], operands[l]));
                    let current = current(&lanes[l], layer[l], shortcut, d, arch);
                    let (spike, kept) = fire(&lanes[l], current, potentials[l], d, arch);
                    potentials[l] = kept;
                    spike
                })
                .collect();
            machine.write_bank(address, bank, &codes)?;
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

/// Parameters of the lanes' shortcuts of the `serial`-th (group, step), where there are any.
fn shortcut_parameters(
    machine: &Machine,
    d: &Drain,
    serial: usize,
) -> Result<Option<Vec<ShortcutParameters>>> {
    if !d.has_shortcut() {
        return Ok(None);
    }
    let arch = machine.arch();
    let first = d.parameter_base as usize + serial * d.group_words(arch) + LaneParameters::group_words(arch);
    let words = machine.parameters(first, ShortcutParameters::group_words(arch))?;
    let (lanes, _) = words.as_chunks();
    Ok(Some(lanes.iter().map(|words| ShortcutParameters::from_words(*words, arch)).collect()))
}

/// Parameters of the lanes of the `serial`-th (group, step).
fn parameters(machine: &Machine, d: &Drain, serial: usize) -> Result<Vec<LaneParameters>> {
    let arch = machine.arch();
    let first = d.parameter_base as usize + serial * d.group_words(arch);
    let words = machine.parameters(first, LaneParameters::group_words(arch))?;
    let (lanes, _) = words.as_chunks();
    Ok(lanes.iter().map(|words| LaneParameters::from_words(*words, arch)).collect())
}
