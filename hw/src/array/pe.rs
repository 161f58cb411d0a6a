//! Processing element: one weight bit, one adder, one partial sum.
//!
//! `p - a = ~(~p + a)`: a row keeps its partial sum true if its weight is +1 and inverted if it is -1, so that
//! `(p ^ flip) + a`, one carry chain, serves both; `flip` says whether the row above had the other weight.

use super::ccu2c::Ccu2c;
use crate::rtl::prelude::*;
use crate::unit_macro::unit;
use empf_ir::Target;

unit! {
    /// `sum_o <= (sign_extend(sum_i) ^ {flip}) + zero_extend(act_i)`.
    pub(crate) struct Pe(act_bits: usize, in_bits: usize, out_bits: usize, form: Target) "pe" {
        /// Take the flip bit.
        load_i: Wire<In> = Wire::new(1),
        flip_i: Wire<In> = Wire::new(1),
        act_i: Wire<In> = Wire::new(act_bits),
        sum_i: Wire<In> = Wire::new(in_bits),
        sum_o: Wire<Out> = Wire::new(out_bits),
        flip: Wire<Local> = Wire::new(1),
        cells: Vec<Ccu2c> = match form {
            Target::Generic => vec![],
            Target::Ecp5 => (0..out_bits.div_ceil(2)).map(|_| Ccu2c::new()).collect(),
        },
    }
}

impl Pe {
    /// An element for `act_bits`-bit activations whose sums grow from `in_bits` to `out_bits`.
    pub(crate) fn new(act_bits: usize, in_bits: usize, out_bits: usize, form: Target) -> Self {
        let mut u = Self::declare(act_bits, in_bits, out_bits, form);
        u._rtl.doc("Processing element: the sum keeps the polarity of its row's weight, so it adds or subtracts in one carry chain.");
        u._rtl.register(&u.flip, 0).when(&u.load_i, &u.flip_i);
        let sum = match form {
            Target::Generic => {
                (u.sum_i.e().sext(out_bits) ^ u.flip.e().repeat(out_bits)) + u.act_i.e().zext(out_bits)
            }
            Target::Ecp5 => u.carry_chain(out_bits),
        };
        u._rtl.register(&u.sum_o, 0).set(sum);
        u
    }

    fn carry_chain(&mut self, out_bits: usize) -> Expr {
        let bits = 2 * self.cells.len();
        let (p, a) = (self.sum_i.e().sext(bits), self.act_i.e().zext(bits));
        let mut carry = lit(0, 1);
        let rtl = &mut self._rtl;
        for (i, cell) in self.cells.iter().enumerate() {
            rtl.assign(&cell.cin, carry);
            for (half, a_port, b_port, c_port, d_port) in
                [(0, &cell.a0, &cell.b0, &cell.c0, &cell.d0), (1, &cell.a1, &cell.b1, &cell.c1, &cell.d1)]
            {
                rtl.assign(a_port, p.bit(2 * i + half));
                rtl.assign(b_port, a.bit(2 * i + half));
                rtl.assign(c_port, &self.flip);
                rtl.assign(d_port, lit(1, 1));
            }
            carry = cell.cout.e();
        }
        rtl.discard(carry);
        let sums = concat(self.cells.iter().rev().flat_map(|cell| [&cell.s1, &cell.s0]));
        if out_bits < bits {
            rtl.discard(sums.bit(bits - 1));
        }
        sums.slice(0, out_bits)
    }
}
