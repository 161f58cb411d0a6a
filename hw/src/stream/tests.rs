//! The stream against the loops of its descriptor.

use super::*;
use crate::bench_support::{described, launch};

described!(Stream);

/// A read of the activation memory: address and whether it lies inside the map.
type Read = (u64, bool);
/// A vector's entry, whether it is set or doubled, and its bank.
type Entry = (u64, bool, bool, u64);

fn arch() -> ArchConfig {
    ArchConfig {
        accumulator_depth: 64,
        activation_depth: 4096,
        weight_depth: 600,
        ..ArchConfig::sized(4, 4, 8)
    }
}

/// 5x6 maps of two blocks under a 3x3 window of stride 2 and padding 1, two frames, tiles of 4 and 2.
fn descriptor() -> Fields {
    let exact = Fields {
        in_origin: 100 - (6 * 2 + 2),
        in_height: 5,
        in_width: 6,
        kernel_height: 3,
        kernel_width: 3,
        stride: 2,
        padding: 1,
        blocks: 2,
        last_banks: 1,
        ky_step: (6 - 3) * 2 + 1,
        x_step: 2 * 2,
        row_step: 2 * 6 * 2 - 2 * 2 * 2,
        frame_step: 60,
        frames: 2,
        out_width: 3,
        tiles: 3,
        tile_positions: 4,
        last_tile_positions: 1,
        column_blocks: 2,
        passes: 2,
        double_mask: 0b10,
        planes_low: 0b01_00,
        planes_high: 0,
        zero_point: 9,
        plane_step: 500,
        weight_base: 7,
        shortcut: 0,
        shortcut_entry: 0,
        shortcut_origin: 0,
        shortcut_height: 1,
        shortcut_width: 1,
        shortcut_kernel_height: 1,
        shortcut_kernel_width: 1,
        shortcut_stride: 1,
        shortcut_padding: 0,
        shortcut_blocks: 1,
        shortcut_last_banks: 1,
        shortcut_ky_step: 0,
        shortcut_x_step: 0,
        shortcut_row_step: 0,
        shortcut_frame_step: 0,
    };
    exact.encode(&arch()).expect("within the limits")
}

/// The same with a shortcut: 7x8 maps of three blocks under a 3x3 window of stride 3 and padding 1.
fn with_shortcut() -> Fields {
    Fields {
        shortcut: 1,
        shortcut_entry: 32,
        shortcut_origin: 2000 - (8 * 3 + 3),
        shortcut_height: 7,
        shortcut_width: 8,
        shortcut_kernel_height: 3,
        shortcut_kernel_width: 3,
        shortcut_stride: 3,
        shortcut_padding: 1,
        shortcut_blocks: 3,
        shortcut_last_banks: 1,
        shortcut_ky_step: (8 - 3) * 3 + 1,
        shortcut_x_step: 3 * 3,
        shortcut_row_step: 3 * 8 * 3 - 2 * 3 * 3,
        shortcut_frame_step: 168,
        ..descriptor()
    }
}

/// What a vector of the shortcut reads at `tap`, frame and position.
fn of_shortcut(d: &Fields, tap: u32, frame: u32, p: u32) -> Read {
    let (position, block) = (tap / d.shortcut_blocks, tap % d.shortcut_blocks);
    let (ky, kx) = (position / d.shortcut_kernel_width, position % d.shortcut_kernel_width);
    let at = |p: u32, k: u32| i64::from(p * d.shortcut_stride + k) - i64::from(d.shortcut_padding);
    let (y, x) = (at(p / d.out_width, ky), at(p % d.out_width, kx));
    let inside =
        (0..i64::from(d.shortcut_height)).contains(&y) && (0..i64::from(d.shortcut_width)).contains(&x);
    let word = 2000 + i64::from(frame) * 168 + (y * 8 + x) * 3 + i64::from(block);
    ((word & 4095) as u64, inside)
}

/// The loops of `docs/architecture.md`, addresses from first principles; the vectors with which column blocks end.
fn expected(d: &Fields) -> (Vec<Read>, Vec<Entry>, Vec<usize>) {
    let (mut reads, mut controls, mut ends) = (vec![], vec![], vec![]);
    let mut first = 0;
    for tile in 0..d.tiles {
        let positions = if tile + 1 == d.tiles { d.last_tile_positions } else { d.tile_positions };
        for block in 0..d.column_blocks {
            let bank = u64::from((tile * d.column_blocks + block) % 2);
            for pass in 0..d.passes {
                for tap in 0..d.kernel_height * d.kernel_width * d.blocks {
                    let (position, b) = (tap / d.blocks, tap % d.blocks);
                    let (ky, kx) = (position / d.kernel_width, position % d.kernel_width);
                    for entry in 0..d.frames * positions {
                        let (frame, p) = (entry / positions, first + entry % positions);
                        let y = i64::from(p / d.out_width * d.stride + ky) - i64::from(d.padding);
                        let x = i64::from(p % d.out_width * d.stride + kx) - i64::from(d.padding);
                        let inside = (0..i64::from(d.in_height)).contains(&y)
                            && (0..i64::from(d.in_width)).contains(&x);
                        let plane = i64::from(d.pass(pass).plane);
                        let word = (y * 6 + x) * 2 + i64::from(b) + 100 + i64::from(frame) * 60 + plane * 500;
                        reads.push(((word & 4095) as u64, inside));
                        let double = tap == 0 && d.pass(pass).doubles;
                        controls.push((u64::from(entry), pass + tap == 0, double, bank));
                    }
                }
            }
            for tap in 0..d.shortcut_tiles() as u32 {
                for entry in 0..d.frames * positions {
                    reads.push(of_shortcut(d, tap, entry / positions, first + entry % positions));
                    controls.push((u64::from(d.shortcut_entry + entry), tap == 0, false, bank));
                }
            }
            ends.push(controls.len());
        }
        first += positions;
    }
    (reads, controls, ends)
}

#[test]
fn walks_the_loops() {
    walks_the_loops_of(&descriptor());
}

#[test]
fn walks_the_loops_of_a_shortcut() {
    walks_the_loops_of(&with_shortcut());
}

/// Vectors of a weight tile end in its first or second cycle; the shortcut is of 1x1.
#[test]
fn walks_tiles_of_one_position() {
    for (frames, column_blocks) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
        let d = Fields {
            tiles: 9,
            tile_positions: 1,
            last_tile_positions: 1,
            frames,
            column_blocks,
            ..descriptor()
        };
        let shortcut = Fields {
            shortcut: 1,
            shortcut_origin: 2000,
            shortcut_kernel_height: 1,
            shortcut_kernel_width: 1,
            shortcut_padding: 0,
            shortcut_blocks: 1,
            ..with_shortcut()
        };
        walks_the_loops_of(&d);
        walks_the_loops_of(&Fields { frames, column_blocks, tiles: 9, tile_positions: 1, ..shortcut });
    }
}

fn walks_the_loops_of(d: &Fields) {
    let mut unit = Bench::new(Stream::new(&arch()), |unit| &unit.clock);
    launch(&mut unit, d);
    let (mut reads, mut controls, mut weights, mut ends) = (vec![], vec![], vec![], vec![]);
    let a = unit.control_o.width() - 3;
    for _ in 0..9000 {
        let control = unit.control_o.get();
        if unit.valid_o.get() == 1 {
            let bit = |i: usize| control >> (a + i) & 1 == 1;
            controls.push((control & ((1 << a) - 1), bit(2), bit(1), u64::from(bit(0))));
        }
        if unit.read_o.get() == 1 {
            reads.push((unit.read_address_o.get(), unit.inside_o.get() == 1));
        }
        if unit.weight_read_o.get() == 1 {
            weights.push(unit.weight_address_o.get());
        }
        // A bank becomes free long after its block was streamed.
        unit.bank_free_i.set(u64::from(!ends.is_empty() && unit.state.get() == State::Wait as u64));
        if unit.last_o.get() == 1 {
            ends.push(controls.len());
        }
        unit.tick();
    }
    let (expected_reads, expected_controls, expected_ends) = expected(d);
    assert_eq!(reads, expected_reads);
    assert_eq!(controls, expected_controls);
    assert_eq!(ends, expected_ends);
    let of_layer = u64::from(d.column_blocks) * (u64::from(d.passes) * 18 + d.shortcut_tiles()) * 4;
    let expected_weights: Vec<u64> = (0..d.tiles).flat_map(|_| (0..of_layer).map(|w| 7 + w)).collect();
    assert_eq!(weights, expected_weights);
    assert_eq!(unit.state.get(), State::Idle as u64);
}
