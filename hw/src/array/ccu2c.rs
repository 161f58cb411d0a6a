//! Carry cell of Lattice ECP5: two 4-input look-up tables in a ripple-carry chain.

use crate::rtl::prelude::*;

/// Look-up table of the flip adder: propagate `b ^ (a ^ c)`, generate `b` (`d` is 1).
const INIT: u64 = 0x960c;

/// Two bits of `(a ^ c) + b`, the primitive CCU2C with [`INIT`] in both halves.
#[derive(LogicBlock)]
pub(crate) struct Ccu2c {
    pub(crate) cin: Wire<In>,
    pub(crate) a0: Wire<In>,
    pub(crate) b0: Wire<In>,
    pub(crate) c0: Wire<In>,
    pub(crate) d0: Wire<In>,
    pub(crate) a1: Wire<In>,
    pub(crate) b1: Wire<In>,
    pub(crate) c1: Wire<In>,
    pub(crate) d1: Wire<In>,
    pub(crate) s0: Wire<Out>,
    pub(crate) s1: Wire<Out>,
    pub(crate) cout: Wire<Out>,
    _rtl: Rtl,
}
rtl_logic!(Ccu2c);

impl Ccu2c {
    /// A cell.
    pub(crate) fn new() -> Self {
        let init = format!("16'h{INIT:04X}");
        let rtl = Rtl::primitive(
            "CCU2C",
            &[("INIT0", &init), ("INIT1", &init), ("INJECT1_0", "\"NO\""), ("INJECT1_1", "\"NO\"")],
            include_str!("ccu2c.v"),
        );
        let bit = || Wire::new(1);
        let mut cell = Ccu2c {
            cin: bit(),
            a0: bit(),
            b0: bit(),
            c0: bit(),
            d0: bit(),
            a1: bit(),
            b1: bit(),
            c1: bit(),
            d1: bit(),
            s0: Wire::new(1),
            s1: Wire::new(1),
            cout: Wire::new(1),
            _rtl: rtl,
        };
        cell.model();
        cell
    }

    /// A half's table gives the propagate bit; with the upper inputs at 0 it gives the generate bit.
    fn model(&mut self) {
        let table = lit(INIT, 16);
        let half = |carry: Expr, a: &Wire<In>, b: &Wire<In>, c: &Wire<In>, d: &Wire<In>| {
            let propagate = table.shr_by(concat([d.e(), c.e(), b.e(), a.e()])).bit(0);
            let generate = table.shr_by(concat([b.e(), a.e()])).bit(0);
            (&propagate ^ &carry, mux(&propagate, carry, generate))
        };
        let (s0, carry) = half(self.cin.e(), &self.a0, &self.b0, &self.c0, &self.d0);
        let (s1, cout) = half(carry, &self.a1, &self.b1, &self.c1, &self.d1);
        self._rtl.assign(&self.s0, s0);
        self._rtl.assign(&self.s1, s1);
        self._rtl.assign(&self.cout, cout);
    }
}
