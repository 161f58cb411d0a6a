//! Skew in front of the array: the activation of row r is delayed by r cycles.

use crate::rtl::prelude::*;
use crate::unit_macro::unit;
use empf_ir::ArchConfig;

unit! {
    /// A triangle of registers.
    pub struct Skew(rows: usize, act_bits: usize) "skew" {
        act_i: Vec<Wire<In>> = Wire::array(rows, act_bits),
        act_o: Vec<Wire<Out>> = Wire::array(rows, act_bits),
        stages: Vec<Wire<Local>> = Wire::array(rows * (rows - 1) / 2, act_bits),
    }
}

impl Skew {
    /// The skew of `arch`.
    pub fn new(arch: &ArchConfig) -> Self {
        let mut u = Self::declare(arch.rows, arch.act_bits as usize);
        u._rtl.doc("Skew in front of the array: row r is delayed by r cycles.");
        let mut stages = &u.stages[..];
        for (r, (input, output)) in u.act_i.iter().zip(&u.act_o).enumerate() {
            let (own, rest) = stages.split_at(r);
            stages = rest;
            let delayed = u._rtl.delay_data(input, own);
            u._rtl.assign(output, delayed);
        }
        // One row needs no delay.
        u._rtl.discard(&u.clock);
        u
    }
}
