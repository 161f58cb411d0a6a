//! Activation memory: words of `rows` codes in banks of `lanes` codes, and the border of the map.

use crate::rtl::prelude::*;
use crate::rtl::{READ_DELAY, address_width};
use crate::unit_macro::unit;
use empf_ir::ArchConfig;

/// Cycles from a read address to the codes at `masked_o`.
pub(crate) const MASKED_READ_DELAY: usize = READ_DELAY + 1;

unit! {
    /// `rows / lanes` banks with one address for the array and the pooling unit, which read, and one for all that write
    /// and for shortcuts.
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
        /// A shortcut is read, and nothing is written.
        port_read_i: Wire<In> = Wire::new(1),
        port_address_i: Wire<In> = Wire::new(address_width(depth)),
        /// `lanes` codes, lane 0 in the low bits.
        write_data_i: Wire<In> = Wire::new(lanes * act_bits),
        /// Codes as stored, [`READ_DELAY`] cycles after their address.
        code_o: Vec<Wire<Out>> = Wire::array(rows, act_bits),
        /// Codes for the array: border and missing banks filled in.
        masked_o: Vec<Wire<Out>> = Wire::array(rows, act_bits),
        /// The shortcut's codes as stored, [`READ_DELAY`] cycles after their address.
        port_code_o: Vec<Wire<Out>> = Wire::array(rows, act_bits),
        banks: Vec<SharedRam> = (0..rows / lanes)
            .map(|_| SharedRam::new("activation_bank", lanes * act_bits, depth))
            .collect(),
        in_map: Vec<Wire<Local>> = Wire::array(READ_DELAY, 1),
        bank_mask: Vec<Wire<Local>> = Wire::array(READ_DELAY, rows / lanes),
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
        let in_map = rtl.delay_data(&u.inside_i, &u.in_map);
        let bank_mask = rtl.delay_data(&u.bank_mask_i, &u.bank_mask);
        for (b, bank) in u.banks.iter().enumerate() {
            rtl.clock(&bank.clock);
            rtl.assign(&bank.read_i, &u.read_i);
            rtl.assign(&bank.read_address_i, &u.read_address_i);
            rtl.assign(&bank.write_i, u.write_i.e().bit(b));
            rtl.assign(&bank.port_read_i, &u.port_read_i);
            rtl.assign(&bank.port_address_i, &u.port_address_i);
            rtl.assign(&bank.write_data_i, &u.write_data_i);
            for lane in 0..lanes {
                let row = b * lanes + lane;
                let code = bank.read_data_o.e().slice(lane * act_bits, act_bits);
                rtl.assign(&u.port_code_o[row], bank.port_data_o.e().slice(lane * act_bits, act_bits));
                let present = bank_mask.bit(b).repeat(act_bits);
                rtl.assign(&u.code_o[row], &code);
                rtl.register(&u.masked_o[row], 0).set(mux(&in_map, code, &u.border_i) & present);
            }
        }
        u
    }
}

#[cfg(test)]
mod tests;
