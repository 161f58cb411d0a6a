//! Cycles of an inference, from the descriptors and the architecture alone.

use empf_ir::ArchConfig;
use empf_ir::program::{Conv, Descriptor, Pool, Unfold};

/// Cycles from the one after `start` to the one in which the last logit is accepted.
pub fn inference(schedule: &[Descriptor], arch: &ArchConfig) -> u64 {
    schedule.iter().map(|descriptor| step(descriptor, arch)).sum()
}

/// Cycles of one step: its descriptor is read, then its unit runs.
pub fn step(descriptor: &Descriptor, arch: &ArchConfig) -> u64 {
    let unit = match descriptor {
        Descriptor::Unfold(d) => unfold(d, arch),
        Descriptor::Conv(d) => conv(d, arch),
        Descriptor::Pool(d) => pool(d, arch),
    };
    descriptor.words().len() as u64 + unit
}

/// One code a cycle.
fn unfold(d: &Unfold, _arch: &ArchConfig) -> u64 {
    let windows = u64::from(d.frames) * u64::from(d.out_height) * u64::from(d.out_width);
    windows * u64::from(d.kernel * d.kernel * d.channels)
}

/// Streams and drains overlap: a column block's sums are drained while the next block's are added up in the
/// other bank.
///
/// ```text
/// stream n starts when stream n-1 has ended and drain n-2 has freed the bank
/// drain n starts when stream n has left the array and drain n-1 has ended
/// ```
fn conv(d: &Conv, arch: &ArchConfig) -> u64 {
    let of_block = (arch.cols / arch.lanes) as u32;
    let mut stream_end = 0;
    let mut drain_ends = [0, 0];
    for tile in 0..d.tiles {
        let positions = if tile + 1 == d.tiles { d.last_tile_positions } else { d.tile_positions };
        for block in 0..d.column_blocks {
            let groups = d.groups.saturating_sub(block * of_block).min(of_block);
            stream_end = stream_end.max(drain_ends[0]) + stream(d, arch, positions);
            let start = drain_ends[1].max(stream_end);
            drain_ends = [drain_ends[1], start + drain(d, arch, groups, positions)];
        }
    }
    drain_ends[1]
}

/// Vectors of one column block: every weight tile takes at least [`ArchConfig::min_tile_cycles`].
fn stream(d: &Conv, arch: &ArchConfig, positions: u32) -> u64 {
    let weight_tiles =
        u64::from(d.passes) * u64::from(d.summed_frames) * u64::from(d.kernel * d.kernel * d.blocks);
    weight_tiles * u64::from(d.frames * positions).max(arch.min_tile_cycles() as u64)
}

/// Parameters and positions of every (group, step), or a beat for each logit.
fn drain(d: &Conv, arch: &ArchConfig, groups: u32, positions: u32) -> u64 {
    let load = 5 * arch.lanes as u64;
    match d.logits {
        0 => u64::from(groups) * u64::from(d.time_steps) * (load + u64::from(positions)),
        _ => u64::from(groups) * (load + arch.lanes as u64),
    }
}

/// One word a cycle.
fn pool(d: &Pool, _arch: &ArchConfig) -> u64 {
    let windows =
        u64::from(d.frames) * u64::from(d.out_height) * u64::from(d.out_width) * u64::from(d.blocks);
    windows * u64::from(d.kernel_height * d.kernel_width)
}
