//! Column of processing elements with the encoder of its weights' polarity.
//!
//! ```text
//! cycle           t0      t0+1    ...  t0+r        ...  t0+rows-1
//! weight_i        w[0]    w[1]         w[r]             w[rows-1]
//! load_i[r]       r = 0                r                rows-1
//! first vector            row 0        row r-1          row rows-2
//! ```
//!
//! A row's flip bit `w[r] ^ w[r-1]` (`w[-1]` = 1) is written in the cycle before its first vector. The sum of
//! the first vector leaves in cycle `t0 + 1 + rows`, and `invert_o` changes with it.

use super::pe::Pe;
use crate::rtl::prelude::*;
use crate::unit_macro::unit;
use empf_ir::Target;

/// Bits of a partial sum of `rows` activations of `act_bits` bits.
pub(crate) fn sum_bits(act_bits: usize, rows: usize) -> usize {
    if rows == 0 { 1 } else { act_bits + 1 + rows.next_power_of_two().ilog2() as usize }
}

/// What a column does with the activations.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Pass {
    /// On to the next column through a register.
    Registered,
    /// On to the next column.
    Direct,
    /// Nothing: the last column.
    Last,
}

unit! {
    /// `rows` elements.
    pub(crate) struct Column(rows: usize, act_bits: usize, pass: Pass, form: Target) "column" {
        load_i: Vec<Wire<In>> = Wire::array(rows, 1),
        /// 1: +1.
        weight_i: Wire<In> = Wire::new(1),
        act_i: Vec<Wire<In>> = Wire::array(rows, act_bits),
        act_o: Vec<Wire<Out>> = Wire::array(if pass == Pass::Last { 0 } else { rows }, act_bits),
        /// In the polarity of the last row.
        sum_o: Wire<Out> = Wire::new(sum_bits(act_bits, rows)),
        /// 1: `sum_o` is inverted.
        invert_o: Wire<Out> = Wire::new(1),
        above: Wire<Local> = Wire::new(1),
        flip: Wire<Local> = Wire::new(1),
        last_minus: Wire<Local> = Wire::new(1),
        pe: Vec<Pe> = (0..rows)
            .map(|r| Pe::new(act_bits, sum_bits(act_bits, r), sum_bits(act_bits, r + 1), form))
            .collect(),
    }
}

impl Column {
    /// A column of `rows` rows.
    pub(crate) fn new(rows: usize, act_bits: usize, pass: Pass, form: Target) -> Self {
        let mut u = Self::declare(rows, act_bits, pass, form);
        let rtl = &mut u._rtl;
        rtl.doc(
            "Column of the array: weights come down one row a cycle, sums leave in the last row's polarity.",
        );
        rtl.section("A row's flip bit says whether the row above has the other weight");
        rtl.register(&u.above, 1).set(&u.weight_i);
        rtl.assign(&u.flip, &u.weight_i ^ (&u.load_i[0] | &u.above));
        rtl.register(&u.last_minus, 0).when(&u.load_i[rows - 1], !&u.weight_i);
        rtl.register(&u.invert_o, 0).set(&u.last_minus);
        let mut sum = lit(0, 1);
        for (r, pe) in u.pe.iter().enumerate() {
            rtl.clock(&pe.clock);
            rtl.assign(&pe.load_i, &u.load_i[r]);
            rtl.assign(&pe.flip_i, &u.flip);
            rtl.assign(&pe.act_i, &u.act_i[r]);
            rtl.assign(&pe.sum_i, sum);
            sum = pe.sum_o.e();
        }
        rtl.assign(&u.sum_o, sum);
        for (input, output) in u.act_i.iter().zip(&u.act_o) {
            match pass {
                Pass::Registered => rtl.register(output, 0).set(input),
                _ => rtl.assign(output, input),
            }
        }
        u
    }
}
