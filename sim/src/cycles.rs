//! Cycles of an inference, from the descriptors and the architecture alone.
//!
//! The latencies are the hardware's own constants, [`empf_hw::timing`]; the formulas follow the units' state
//! machines and hold exactly.

use empf_hw::timing::{
    BANK_FREE_CYCLES, END_CYCLES, FLUSH_CYCLES, POOL_TAIL_CYCLES, STEP_CYCLES, STREAM_START_CYCLES,
    UNFOLD_TAKE_CYCLES, block_delay, control_delay, load_cycles,
};
use empf_ir::ArchConfig;
use empf_ir::program::{Conv, Descriptor, Pool, Unfold};

/// Cycles in which the accelerator is busy with one inference whose logits are taken at once.
pub fn inference(schedule: &[Descriptor], arch: &ArchConfig) -> u64 {
    schedule.iter().map(|descriptor| step(descriptor, arch)).sum::<u64>() + END_CYCLES as u64
}

/// Cycles of one step: its descriptor is read, then its unit runs.
pub fn step(descriptor: &Descriptor, arch: &ArchConfig) -> u64 {
    let (fields, unit) = match descriptor {
        Descriptor::Unfold(d) => (Unfold::FIELDS, unfold(d, arch)),
        Descriptor::Conv(d) => (Conv::FIELDS, conv(d, arch)),
        Descriptor::Pool(d) => (Pool::FIELDS, pool(d, arch)),
    };
    (STEP_CYCLES + fields.len()) as u64 + unit
}

/// One code a cycle; a group of lanes is then written, plane by plane.
fn unfold(d: &Unfold, arch: &ArchConfig) -> u64 {
    let windows = u64::from(d.frames) * u64::from(d.out_height) * u64::from(d.out_width);
    let codes = u64::from(d.kernel * d.kernel * d.channels);
    let groups = codes.div_ceil(arch.lanes as u64);
    windows * (codes + groups * (UNFOLD_TAKE_CYCLES + arch.input_planes()) as u64)
}

/// Streams and drains overlap: a column block's sums are drained while the next block's are added up in the
/// other bank.
///
/// ```text
/// stream n starts when stream n-1 has ended and drain n-2 has freed its bank
/// drain n starts when the last sum of stream n has been written and drain n-1 has ended
/// ```
///
/// Cycle 0 is the one in which the units are started.
fn conv(d: &Conv, arch: &ArchConfig) -> u64 {
    let of_block = (arch.cols / arch.lanes) as u32;
    let to_drain = (control_delay(arch.rows) + block_delay(arch.cols) + 1) as u64;
    let mut stream_start = STREAM_START_CYCLES as u64;
    // The cycle in which a drain frees its bank, of the last drain and the one before it.
    let (mut drained, mut drained_before) = (0, None);
    for tile in 0..d.tiles {
        let positions = if tile + 1 == d.tiles { d.last_tile_positions } else { d.tile_positions };
        for block in 0..d.column_blocks {
            if let Some(before) = drained_before {
                stream_start = stream_start.max(before + BANK_FREE_CYCLES as u64);
            }
            let (vectors, cycles) = stream(d, arch, positions);
            let groups = d.groups.saturating_sub(block * of_block).min(of_block);
            let first = tile == 0 && block == 0;
            drained_before = (!first).then_some(drained);
            // A drain ends in one cycle and the next is seen in the one after it.
            let full = (stream_start + vectors - 1 + to_drain).max(drained + 1);
            drained = full + drain(d, arch, groups, positions, block * of_block);
            stream_start += cycles;
        }
    }
    drained
}

/// Cycles of one column block up to its last vector, and with the padding of its last weight tile: every
/// weight tile takes at least [`ArchConfig::min_tile_cycles`].
fn stream(d: &Conv, arch: &ArchConfig, positions: u32) -> (u64, u64) {
    let weight_tiles =
        u64::from(d.passes) * u64::from(d.summed_frames) * u64::from(d.kernel * d.kernel * d.blocks);
    let vectors = u64::from(d.frames * positions);
    let tile = vectors.max(arch.min_tile_cycles() as u64);
    ((weight_tiles - 1) * tile + vectors, weight_tiles * tile)
}

/// Parameters, positions and pipeline of every (group, step); for logits, a beat for each besides.
fn drain(d: &Conv, arch: &ArchConfig, groups: u32, positions: u32, first_group: u32) -> u64 {
    let run = (load_cycles(arch.lanes) + positions as usize + FLUSH_CYCLES) as u64;
    let runs = u64::from(groups) * u64::from(d.time_steps) * run;
    match d.logits {
        0 => runs,
        _ => {
            let before = u64::from(first_group) * arch.lanes as u64;
            runs + (u64::from(d.classes) - before).min(u64::from(groups) * arch.lanes as u64)
        }
    }
}

/// One word a cycle, but no faster than the banks of the window before are written.
fn pool(d: &Pool, arch: &ArchConfig) -> u64 {
    let windows =
        u64::from(d.frames) * u64::from(d.out_height) * u64::from(d.out_width) * u64::from(d.blocks);
    let (window, banks) = (u64::from(d.kernel_height * d.kernel_width), arch.banks() as u64);
    (windows - 1) * window.max(banks) + window + POOL_TAIL_CYCLES as u64 + banks
}
