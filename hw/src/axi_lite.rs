//! AXI4-Lite slave: control and status.
//!
//! | address | register | bits |
//! |---|---|---|
//! | 0x00 | CTRL, write | 0: start one inference; 1: start whenever an input is there |
//! | 0x00 | CTRL, read | 0: a start is pending; 1: as written |
//! | 0x04 | STATUS | 0: busy; 1: done since the last start; 2: an input had a wrong length; 3: input buffer full |
//! | 0x08 | CYCLES | cycles of the last inference |
//! | 0x0c | BUILD_ID | first word of the schedule |
//!
//! Writes to other addresses are accepted and ignored, reads give 0; every response is OKAY.

use crate::rtl::prelude::*;
use crate::unit_macro::unit;

/// Bits of an address.
pub const ADDRESS_BITS: usize = 8;
/// Bits of a register.
const DATA_BITS: usize = 32;

unit! {
    /// Registers behind an AXI4-Lite slave.
    pub(crate) struct AxiLite() "axi_lite" {
        reset_i: Wire<In> = Wire::new(1),
        awaddr_i: Wire<In> = Wire::new(ADDRESS_BITS),
        awvalid_i: Wire<In> = Wire::new(1),
        awready_o: Wire<Out> = Wire::new(1),
        wdata_i: Wire<In> = Wire::new(DATA_BITS),
        wstrb_i: Wire<In> = Wire::new(DATA_BITS / 8),
        wvalid_i: Wire<In> = Wire::new(1),
        wready_o: Wire<Out> = Wire::new(1),
        bresp_o: Wire<Out> = Wire::new(2),
        bvalid_o: Wire<Out> = Wire::new(1),
        bready_i: Wire<In> = Wire::new(1),
        araddr_i: Wire<In> = Wire::new(ADDRESS_BITS),
        arvalid_i: Wire<In> = Wire::new(1),
        arready_o: Wire<Out> = Wire::new(1),
        rdata_o: Wire<Out> = Wire::new(DATA_BITS),
        rresp_o: Wire<Out> = Wire::new(2),
        rvalid_o: Wire<Out> = Wire::new(1),
        rready_i: Wire<In> = Wire::new(1),
        busy_i: Wire<In> = Wire::new(1),
        finished_i: Wire<In> = Wire::new(1),
        error_i: Wire<In> = Wire::new(1),
        full_i: Wire<In> = Wire::new(1),
        cycles_i: Wire<In> = Wire::new(DATA_BITS),
        build_id_i: Wire<In> = Wire::new(DATA_BITS),
        start_o: Wire<Out> = Wire::new(1),
        pending: Wire<Local> = Wire::new(1),
        continuous: Wire<Local> = Wire::new(1),
        done: Wire<Local> = Wire::new(1),
    }
}

impl AxiLite {
    /// The slave.
    pub(crate) fn new() -> Self {
        let mut u = Self::declare();
        u._rtl.doc("AXI4-Lite slave: 0x00 CTRL, 0x04 STATUS, 0x08 CYCLES, 0x0c BUILD_ID.");
        u._rtl.reset(&u.reset_i);
        u.write();
        u.read();
        u
    }

    /// Address and data are taken together, when the last response has been.
    fn write(&mut self) {
        let rtl = &mut self._rtl;
        let taken = &self.awvalid_i & &self.wvalid_i & !&self.bvalid_o;
        rtl.assign(&self.awready_o, &taken);
        rtl.assign(&self.wready_o, &taken);
        rtl.assign(&self.bresp_o, lit(0, 2));
        rtl.register(&self.bvalid_o, 0).when(&taken, lit(1, 1)).when(&self.bready_i, lit(0, 1));

        let control = taken
            & self.awaddr_i.e().slice(2, ADDRESS_BITS - 2).eq(lit(0, ADDRESS_BITS - 2))
            & self.wstrb_i.e().bit(0);
        let start = &control & self.wdata_i.e().bit(0);
        rtl.register(&self.pending, 0).when(&start, lit(1, 1)).when(&self.busy_i, lit(0, 1));
        rtl.register(&self.continuous, 0).when(control, self.wdata_i.e().bit(1));
        rtl.register(&self.done, 0).when(&self.finished_i, lit(1, 1)).when(start | &self.busy_i, lit(0, 1));
        rtl.assign(&self.start_o, &self.pending | &self.continuous);
        rtl.discard(&self.wdata_i);
        rtl.discard(&self.wstrb_i);
        rtl.discard(&self.awaddr_i);
    }

    fn read(&mut self) {
        let rtl = &mut self._rtl;
        let taken = &self.arvalid_i & !&self.rvalid_o;
        let pad = |bits: Expr| bits.zext(DATA_BITS);
        let registers = [
            pad(concat([&self.continuous, &self.pending])),
            pad(concat([self.full_i.e(), self.error_i.e(), self.done.e(), self.busy_i.e()])),
            self.cycles_i.e(),
            self.build_id_i.e(),
        ];
        let known = !self.araddr_i.e().slice(4, ADDRESS_BITS - 4).any();
        let value = select(&registers, self.araddr_i.e().slice(2, 2));
        rtl.assign(&self.arready_o, &taken);
        rtl.assign(&self.rresp_o, lit(0, 2));
        rtl.register(&self.rvalid_o, 0).when(&taken, lit(1, 1)).when(&self.rready_i, lit(0, 1));
        rtl.register(&self.rdata_o, 0).when(taken, mux(known, value, lit(0, DATA_BITS)));
        rtl.discard(self.araddr_i.e());
    }
}
