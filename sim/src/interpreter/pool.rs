//! Sums, or largest codes, of windows.

use super::arithmetic::{clamp_code, round_shift};
use super::machine::Machine;
use crate::Result;
use empf_ir::isa::Pool;

/// Runs one step.
pub(super) fn run(machine: &mut Machine, d: &Pool) -> Result<()> {
    let mut address = d.in_origin;
    let mut out = d.out_base;
    for _frame in 0..d.frames {
        for y in 0..d.out_height {
            for x in 0..d.out_width {
                for block in 0..d.blocks {
                    window(machine, d, [y * d.stride_height, x * d.stride_width], address, out)?;
                    out = out.wrapping_add(1);
                    let ends = [block + 1 == d.blocks, x + 1 == d.out_width, y + 1 == d.out_height];
                    let step = match ends {
                        [false, ..] => 1,
                        [true, false, _] => d.x_step,
                        [true, true, false] => d.row_step,
                        [true, true, true] => d.frame_step,
                    };
                    address = address.wrapping_add(step);
                }
            }
        }
    }
    Ok(())
}

/// Pools the window whose first word is at `address`, row and column `first` of the map with its border, into word
/// `out`.
fn window(machine: &mut Machine, d: &Pool, first: [u32; 2], mut address: u32, out: u32) -> Result<()> {
    let arch = machine.arch();
    let mut sums = vec![0i64; arch.rows];
    let inside = |at: u32, size: u32| at.checked_sub(d.padding).is_some_and(|at| at < size);
    for ky in 0..d.kernel_height {
        for kx in 0..d.kernel_width {
            if inside(first[0] + ky, d.in_height) && inside(first[1] + kx, d.in_width) {
                for (sum, code) in sums.iter_mut().zip(machine.word(address)?) {
                    let code = i64::from(*code);
                    *sum = if d.maximum == 1 { code.max(*sum) } else { *sum + code };
                }
            }
            let last_of_row = kx + 1 == d.kernel_width;
            address = address.wrapping_add(if last_of_row { d.ky_step } else { d.kx_step });
        }
    }
    let codes: Vec<u8> =
        sums.iter().map(|sum| clamp_code(round_shift(*sum, d.shift), arch.act_bits)).collect();
    for (bank, codes) in codes.chunks(arch.lanes).enumerate() {
        machine.write_bank(out, bank, codes)?;
    }
    Ok(())
}
