//! Packing of the input's windows into activation words.

use super::machine::Machine;
use crate::Result;
use empf_ir::border::BORDER_CHANNELS;
use empf_ir::isa::Unfold;

/// Runs one step; the words of a window follow each other, those of plane j `j * plane_words` later.
pub(super) fn run(machine: &mut Machine, d: &Unfold) -> Result<()> {
    let mut address = d.in_origin;
    let mut out = d.out_base;
    for _frame in 0..d.frames {
        for y in 0..d.out_height {
            for x in 0..d.out_width {
                let codes = window(machine, d, address, y, x)?;
                out = pack(machine, d, out, &codes)?;
                let last_of_row = x + 1 == d.out_width;
                let last_of_frame = last_of_row && y + 1 == d.out_height;
                let step = [d.x_step, d.row_step, d.frame_step]
                    [usize::from(last_of_row) + usize::from(last_of_frame)];
                address = address.wrapping_add(step);
            }
        }
    }
    Ok(())
}

/// The 8-bit codes of window (y, x), (ky, kx, channel); `address` is that of its first.
fn window(machine: &Machine, d: &Unfold, mut address: u32, y: u32, x: u32) -> Result<Vec<u8>> {
    let inside = |out: u32, k: u32, size: u32| {
        (out * d.stride + k).checked_sub(d.padding).is_some_and(|position| position < size)
    };
    let mut codes = Vec::with_capacity((d.kernel_height * d.kernel_width * d.channels) as usize);
    for ky in 0..d.kernel_height {
        for kx in 0..d.kernel_width {
            for channel in 0..d.channels {
                let is_inside = inside(y, ky, d.in_height) && inside(x, kx, d.in_width);
                codes.push(if is_inside {
                    machine.input_byte(address)?
                } else {
                    d.border.to_le_bytes()[channel as usize % BORDER_CHANNELS]
                });
                let last_of_row = kx + 1 == d.kernel_width && channel + 1 == d.channels;
                address = address.wrapping_add(if last_of_row { d.ky_step } else { 1 });
            }
        }
    }
    Ok(codes)
}

/// Writes `codes` from word `out` on, plane by plane; returns the word after them.
fn pack(machine: &mut Machine, d: &Unfold, out: u32, codes: &[u8]) -> Result<u32> {
    let arch = machine.arch();
    for (bank, chunk) in codes.chunks(arch.lanes).enumerate() {
        let word = out.wrapping_add((bank / arch.banks()) as u32);
        for plane in 0..arch.input_planes() as u32 {
            let mut lanes = vec![0; arch.lanes];
            for (lane, code) in lanes.iter_mut().zip(chunk) {
                *lane = arch.plane_of(*code, plane as usize);
            }
            machine.write_bank(word.wrapping_add(plane * d.plane_words), bank % arch.banks(), &lanes)?;
        }
    }
    Ok(out.wrapping_add(codes.len().div_ceil(arch.rows) as u32))
}
