//! Activation memory: words of `rows` codes in banks of `lanes` codes, and the border of the map.

use crate::rtl::address_width;
use crate::rtl::prelude::*;
use crate::unit_macro::unit;
use empf_ir::ArchConfig;

/// Cycles from a read address to the codes at `masked_o`.
pub(crate) const MASKED_READ_DELAY: usize = 2;

unit! {
    /// `rows / lanes` banks with one read address and one write port a bank.
    pub(crate) struct ActivationMemory(rows: usize, lanes: usize, act_bits: usize, depth: usize)
        "activation_memory" {
        read_i: Wire<In> = Wire::new(1),
        read_address_i: Wire<In> = Wire::new(address_width(depth)),
        /// With the address: the codes come from the map, not its border.
        inside_i: Wire<In> = Wire::new(1),
        /// With the address: banks that hold channels.
        bank_mask_i: Wire<In> = Wire::new(rows / lanes),
        /// Code of the border.
        border_i: Wire<In> = Wire::new(act_bits),
        /// Banks written.
        write_i: Wire<In> = Wire::new(rows / lanes),
        write_address_i: Wire<In> = Wire::new(address_width(depth)),
        /// `lanes` codes, lane 0 in the low bits.
        write_data_i: Wire<In> = Wire::new(lanes * act_bits),
        /// Codes as stored, one cycle after their address.
        code_o: Vec<Wire<Out>> = Wire::array(rows, act_bits),
        /// Codes for the array: border and missing banks filled in.
        masked_o: Vec<Wire<Out>> = Wire::array(rows, act_bits),
        banks: Vec<Ram> = (0..rows / lanes).map(|_| Ram::new("activation_bank", lanes * act_bits, depth)).collect(),
        in_map: Wire<Local> = Wire::new(1),
        bank_mask: Wire<Local> = Wire::new(rows / lanes),
    }
}

impl ActivationMemory {
    /// The memory of `arch`.
    pub(crate) fn new(arch: &ArchConfig) -> Self {
        let (lanes, act_bits) = (arch.lanes, arch.act_bits as usize);
        let mut u = Self::declare(arch.rows, lanes, act_bits, arch.activation_depth);
        let rtl = &mut u._rtl;
        rtl.doc("Activation memory: words of one code a row, written a bank at a time.");
        rtl.section("Beside the read: where the codes come from");
        rtl.register(&u.in_map, 0).set(&u.inside_i);
        rtl.register(&u.bank_mask, 0).set(&u.bank_mask_i);
        for (b, bank) in u.banks.iter().enumerate() {
            rtl.clock(&bank.clock);
            rtl.assign(&bank.read_i, &u.read_i);
            rtl.assign(&bank.read_address_i, &u.read_address_i);
            rtl.assign(&bank.write_i, u.write_i.e().bit(b));
            rtl.assign(&bank.write_address_i, &u.write_address_i);
            rtl.assign(&bank.write_data_i, &u.write_data_i);
            for lane in 0..lanes {
                let row = b * lanes + lane;
                let code = bank.read_data_o.e().slice(lane * act_bits, act_bits);
                let present = u.bank_mask.e().bit(b).repeat(act_bits);
                rtl.assign(&u.code_o[row], &code);
                rtl.register(&u.masked_o[row], 0).set(mux(&u.in_map, code, &u.border_i) & present);
            }
        }
        u
    }
}

#[cfg(test)]
mod tests;
