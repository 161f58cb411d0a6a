//! A layer on the array: streams, weight tiles and accumulators.

use super::accumulators::{Accumulators, Mode};
use super::drain::{self, Sums};
use super::machine::Machine;
use crate::Result;
use empf_ir::arch::Memory;
use empf_ir::isa::{Array, Stream};
use std::ops::Range;

/// One tap of the window, of one channel block.
#[derive(Clone, Copy)]
struct Tap {
    ky: u32,
    kx: u32,
    block: u32,
}

/// Runs one step.
pub(super) fn run(machine: &mut Machine, Array { stream: d, drain }: &Array) -> Result<()> {
    machine.start_drain();
    for tile in 0..d.tiles {
        let positions = d.tile(tile);
        let mut weight = d.weight_base as usize;
        for column_block in 0..d.column_blocks {
            let (sums, shortcut);
            (sums, weight) = column_block_sums(machine, d, positions.clone(), weight)?;
            (shortcut, weight) = shortcut_sums(machine, d, positions.clone(), weight)?;
            let sums = Sums { layer: &sums, shortcut: &shortcut };
            drain::run(machine, drain, drain.tile(tile), column_block as usize, sums)?;
        }
    }
    Ok(())
}

/// Sums of a column block whose weights start at word `weight`; also the word after them.
fn column_block_sums(
    machine: &Machine,
    d: &Stream,
    positions: Range<u32>,
    mut weight: usize,
) -> Result<(Accumulators, usize)> {
    let arch = machine.arch();
    let entries = d.frames as usize * positions.len();
    machine.check_accumulator(entries)?;
    let mut sums = Accumulators::new(entries, arch);
    for pass in 0..d.passes {
        let plane = d.pass(pass).plane.wrapping_mul(d.plane_step);
        for (index, tap) in taps(d).enumerate() {
            let mode = match (index, pass) {
                (0, 0) => Mode::Set,
                (0, _) if d.pass(pass).doubles => Mode::DoubleAdd,
                _ => Mode::Add,
            };
            let tile = signs(machine.weights(weight, arch.rows)?, arch.cols);
            weight += arch.rows;
            let column_bits = arch.cols as u32 * arch.acc_bits;
            machine.writes(Memory::Accumulator, entries, column_bits);
            if !matches!(mode, Mode::Set) {
                machine.reads(Memory::Accumulator, entries, column_bits);
            }
            stream(machine, d, plane, tap, positions.clone(), &tile, |entry, column_sums| {
                sums.take(entry, mode, column_sums);
            })?;
        }
    }
    Ok((sums, weight))
}

/// Sums of a column block of the layer's shortcut, in an empty bank where it has none; also the word after its weights.
fn shortcut_sums(
    machine: &Machine,
    d: &Stream,
    positions: Range<u32>,
    weight: usize,
) -> Result<(Accumulators, usize)> {
    let Some(alone) = d.of_shortcut() else {
        return Ok((Accumulators::new(0, machine.arch()), weight));
    };
    machine.check_accumulator(d.shortcut_entry as usize + d.frames as usize * positions.len())?;
    column_block_sums(machine, &alone, positions, weight)
}

/// Taps in the order of the weight ROM.
fn taps(d: &Stream) -> impl Iterator<Item = Tap> {
    let &Stream { kernel_height, kernel_width, blocks, .. } = d;
    (0..kernel_height).flat_map(move |ky| {
        (0..kernel_width).flat_map(move |kx| (0..blocks).map(move |block| Tap { ky, kx, block }))
    })
}

/// A weight tile as +-1, `[row][column]`.
fn signs(words: &[u64], cols: usize) -> Vec<i32> {
    words.iter().flat_map(|word| (0..cols).map(move |c| if word >> c & 1 == 1 { 1 } else { -1 })).collect()
}

/// Streams the vectors of one weight tile; `take` gets the accumulator entry and the columns' sums.
fn stream(
    machine: &Machine,
    d: &Stream,
    base: u32,
    tap: Tap,
    positions: Range<u32>,
    tile: &[i32],
    mut take: impl FnMut(usize, &[i32]),
) -> Result<()> {
    let arch = machine.arch();
    let mut sums = vec![0; arch.cols];
    let mut vector = vec![0; arch.rows];
    let mut entry = 0;
    for frame in 0..d.frames {
        for position in positions.clone() {
            fetch(
                machine,
                d,
                base.wrapping_add(frame.wrapping_mul(d.frame_step)),
                tap,
                position,
                &mut vector,
            )?;
            sums.fill(0);
            for (code, row) in vector.iter().zip(tile.chunks_exact(arch.cols)).filter(|(code, _)| **code != 0)
            {
                for (sum, sign) in sums.iter_mut().zip(row) {
                    *sum += i32::from(*code) * sign;
                }
            }
            take(entry, &sums);
            entry += 1;
        }
    }
    Ok(())
}

/// The vector that a tap of a position puts on the array's rows; `base` is the offset of plane and frame.
fn fetch(machine: &Machine, d: &Stream, base: u32, tap: Tap, position: u32, vector: &mut [u8]) -> Result<()> {
    let (y, x) = (position / d.out_width, position % d.out_width);
    let inside = |out: u32, k: u32, size: u32| {
        (out * d.stride + k).checked_sub(d.padding).is_some_and(|position| position < size)
    };
    if inside(y, tap.ky, d.in_height) && inside(x, tap.kx, d.in_width) {
        let row = (d.out_width - 1).wrapping_mul(d.x_step).wrapping_add(d.row_step);
        let window_row = (d.kernel_width * d.blocks - 1).wrapping_add(d.ky_step);
        let address = [y.wrapping_mul(row), x.wrapping_mul(d.x_step), tap.ky.wrapping_mul(window_row)]
            .into_iter()
            .fold(d.in_origin.wrapping_add(base), u32::wrapping_add);
        vector.copy_from_slice(machine.word(address.wrapping_add(tap.kx * d.blocks + tap.block))?);
    } else {
        vector.fill(d.zero_point as u8);
    }
    if tap.block + 1 == d.blocks {
        let used = d.last_banks as usize * machine.arch().lanes;
        vector[used.min(machine.arch().rows)..].fill(0);
    }
    Ok(())
}
