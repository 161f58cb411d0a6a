//! What happens to the sums of a column block: requantizer and neuron, or logits.

use super::accumulators::Accumulators;
use super::arithmetic::{clamp_code, round_shift, saturate};
use super::attention;
use super::machine::Machine;
use crate::Result;
use empf_hw::Tap;
use empf_ir::ArchConfig;
use empf_ir::arch::Memory;
use empf_ir::formats::{LEAK_FRACTION_BITS, MAX_SCORE_REACH, SCORE_BITS};
use empf_ir::isa::{Drain, LaneParameters, ShortcutParameters};
use std::ops::Range;

/// What a column block's bank holds.
#[derive(Clone, Copy)]
pub(super) struct Sums<'a> {
    pub(super) layer: &'a Accumulators,
    pub(super) shortcut: &'a Accumulators,
}

/// Runs a drain that takes no sums.
pub(super) fn run_alone(machine: &mut Machine, d: &Drain) -> Result<()> {
    let none = Accumulators::new(0, machine.arch());
    machine.start_drain();
    let column_blocks = (d.groups as usize).div_ceil(machine.arch().cols / machine.arch().lanes);
    for positions in (0..d.tiles).map(|tile| d.tile(tile)) {
        for column_block in 0..column_blocks {
            let sums = Sums { layer: &none, shortcut: &none };
            run(machine, d, positions.clone(), column_block, sums)?;
        }
    }
    Ok(())
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
            _ => logits(machine, d, positions.len(), &group, sums.layer)?,
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

/// Currents of a lane: that of its sum, or of a current that was kept, that of its shortcut, and both together.
fn current(lane: &LaneParameters, sum: i64, shortcut: Shortcut, d: &Drain, arch: &ArchConfig) -> [i64; 3] {
    let limit = |x| saturate(x, arch.membrane_bits);
    let of_sum = limit(round_shift(sum * lane.mantissa, d.requant_shift) + lane.bias);
    shortcut.map_or([of_sum, 0, of_sum], |(parameters, operand)| {
        let scaled = round_shift(operand * parameters.mantissa, d.shortcut_shift);
        let of_shortcut = limit(scaled + parameters.bias);
        [of_sum, of_shortcut, limit(of_sum + of_shortcut)]
    })
}

/// Neuron of a lane: spike code and next potential.
fn fire(lane: &LaneParameters, current: i64, potential: i64, d: &Drain, arch: &ArchConfig) -> (u8, i64) {
    let limit = |x| saturate(x, arch.membrane_bits);
    let membrane = limit(round_shift(lane.lambda * potential, LEAK_FRACTION_BITS) + current);
    let spike = clamp_code(round_shift((membrane - lane.theta).max(0), d.spike_shift), arch.act_bits);
    (spike, limit(membrane.min(lane.theta) - lane.offset))
}

/// Walks the steps of a group, a run each.
fn neuron(machine: &mut Machine, d: &Drain, positions: Range<u32>, group: &Group, sums: Sums) -> Result<()> {
    for step in 0..d.time_steps {
        let run = Run { step, positions: positions.clone(), first_potential: machine.first_potential };
        if d.keeps_currents() {
            keep(machine, d, &run, group, sums)?;
        } else {
            fire_all(machine, d, &run, group, sums)?;
        }
        if d.potentials_follow == 1 {
            machine.first_potential += positions.len();
        }
    }
    Ok(())
}

/// A step of a group over the positions of a tile.
struct Run {
    step: u32,
    positions: Range<u32>,
    /// Word of the potentials of its first position.
    first_potential: usize,
}

/// The currents of a position, lane by lane.
fn currents(
    machine: &mut Machine,
    d: &Drain,
    lanes: &RunParameters,
    group: &Group,
    entry: usize,
    address: u32,
    sums: Sums,
) -> Result<Vec<i64>> {
    let arch = machine.arch();
    let of_columns = |machine: &Machine, sums: &Accumulators| -> Vec<i64> {
        machine.reads(Memory::Accumulator, arch.lanes, arch.acc_bits);
        sums.at(entry)[group.columns.clone()].iter().map(|sum| i64::from(*sum)).collect()
    };
    let (layer, of_shortcut) = match d.scales_currents() {
        // The sums, if there are any, are those of the shortcut.
        true => {
            machine.reads(Memory::Current, arch.lanes, arch.membrane_bits);
            (machine.attention.take(arch.lanes), sums.layer)
        }
        false => (of_columns(machine, sums.layer), sums.shortcut),
    };
    let operands: Vec<i64> = if d.has_shortcut_sums() {
        of_columns(machine, of_shortcut)
    } else if d.has_shortcut() {
        let codes = machine.bank(address.wrapping_add(d.shortcut_step), group.index % arch.banks())?;
        codes.iter().map(|code| i64::from(*code) * i64::from(d.shortcut)).collect()
    } else {
        vec![]
    };
    let current_of = |l: usize| {
        let shortcut = lanes.of_shortcuts.as_ref().map(|of_lane| (&of_lane[l], operands[l]));
        current(&lanes.of_sums[l], layer[l], shortcut, d, arch)
    };
    let currents: Vec<[i64; 3]> = (0..arch.lanes).map(current_of).collect();
    for (index, tap) in [Tap::Addend, Tap::Shortcut, Tap::Current].into_iter().enumerate() {
        machine.show(tap, currents.iter().map(|of_lane| of_lane[index]));
    }
    Ok(currents.into_iter().map(|[.., current]| current).collect())
}

/// Keeps the currents of a run, and their sums.
fn keep(machine: &mut Machine, d: &Drain, run: &Run, group: &Group, sums: Sums) -> Result<()> {
    let arch = machine.arch();
    let lanes = RunParameters::read(machine, d, run.step, group)?;
    let mut totals = vec![0; arch.lanes];
    for (entry, address) in places(d, run, group, arch) {
        for (lane, current) in
            currents(machine, d, &lanes, group, entry, address, sums)?.into_iter().enumerate()
        {
            machine.writes(Memory::Current, 1, arch.membrane_bits);
            machine.attention.keep(lane, arch.lanes, current);
            totals[lane] += current;
        }
    }
    let first = attention::place(d, run.step, group.index * arch.lanes);
    for (lane, total) in totals.into_iter().enumerate() {
        let sets = run.positions.start == 0;
        machine.writes(Memory::Sum, 1, arch.current_sum_bits());
        machine.reads(Memory::Sum, usize::from(!sets), arch.current_sum_bits());
        machine.attention.sum_up(first + lane, total, sets);
    }
    Ok(())
}

/// Takes the currents of a run through the neurons.
fn fire_all(machine: &mut Machine, d: &Drain, run: &Run, group: &Group, sums: Sums) -> Result<()> {
    let arch = machine.arch();
    let lanes = RunParameters::read(machine, d, run.step, group)?;
    let starts = run.step == 0 && d.fresh == 1;
    for (i, (entry, address)) in places(d, run, group, arch).enumerate() {
        let currents = currents(machine, d, &lanes, group, entry, address, sums)?;
        let first = (run.first_potential + i) * arch.lanes;
        machine.writes(Memory::Potential, arch.lanes, arch.membrane_bits);
        machine.reads(Memory::Potential, if starts { 0 } else { arch.lanes }, arch.membrane_bits);
        let mut codes = Vec::with_capacity(arch.lanes);
        for (l, current) in currents.into_iter().enumerate() {
            let kept = &mut machine.potentials[first + l];
            let before = if starts { 0 } else { *kept };
            let (spike, after) = fire(&lanes.of_sums[l], current, before, d, arch);
            *kept = after;
            codes.push(spike);
        }
        machine.show(Tap::Spike, codes.iter().map(|code| i64::from(*code)));
        machine.write_bank(address, group.index % arch.banks(), &codes)?;
    }
    Ok(())
}

/// Entry of the sums and address of the result of each position of a run.
fn places(
    d: &Drain,
    run: &Run,
    group: &Group,
    arch: &ArchConfig,
) -> impl Iterator<Item = (usize, u32)> + use<> {
    let word = (group.index / arch.banks()) as u32;
    let first_entry = run.step.min(d.frames - 1) as usize * run.positions.len();
    let (base, blocks) = (
        [d.out_base, run.step * d.out_frame_step, word].into_iter().fold(0, u32::wrapping_add),
        d.out_blocks,
    );
    let address = move |position: u32| base.wrapping_add(position * blocks);
    run.positions.clone().enumerate().map(move |(i, position)| (first_entry + i, address(position)))
}

/// Adds up the sums of a tile, and the bias.
fn logits(
    machine: &mut Machine,
    d: &Drain,
    entries: usize,
    group: &Group,
    sums: &Accumulators,
) -> Result<()> {
    let lanes = parameters(machine, d, group.index)?;
    let existing = (d.classes as usize).saturating_sub(group.index * lanes.len());
    machine.reads(Memory::Accumulator, entries * lanes.len(), machine.arch().acc_bits);
    for (lane, column) in lanes.iter().zip(group.columns.clone()).take(existing) {
        let of_frames = (0..entries).map(|entry| sums.at(entry)[column]);
        machine.logits.push(of_frames.fold(lane.logit_bias(), i32::wrapping_add));
    }
    Ok(())
}

/// The parameters of a run.
struct RunParameters {
    of_sums: Vec<LaneParameters>,
    of_shortcuts: Option<Vec<ShortcutParameters>>,
}

impl RunParameters {
    /// Those of a group and a step; mantissas of currents that were kept are times their scores.
    fn read(machine: &Machine, d: &Drain, step: u32, group: &Group) -> Result<Self> {
        let serial = group.index * d.time_steps as usize + step as usize;
        let mut of_sums = parameters(machine, d, serial)?;
        if d.scales_currents() {
            let (first, scanned) = (group.index * machine.arch().lanes, of_sums.len() + 2 * MAX_SCORE_REACH);
            machine.reads(Memory::Sum, scanned, machine.arch().current_sum_bits());
            for (lane, parameters) in of_sums.iter_mut().enumerate() {
                let word = d.score_base as usize + machine.attention.score_word(d, step, first + lane);
                let score = machine.parameters(word, 1)?[0] & ((1 << SCORE_BITS) - 1);
                parameters.mantissa = round_shift(score as i64 * parameters.mantissa, SCORE_BITS);
            }
        }
        Ok(RunParameters { of_sums, of_shortcuts: shortcut_parameters(machine, d, serial)? })
    }
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
