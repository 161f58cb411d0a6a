//! AXI4-Lite slave: control and status.
//!
//! | address | register | bits |
//! |---|---|---|
//! | 0x00 | CTRL, write | 0: start an inference; 1: start whenever an input is there |
//! | 0x00 | CTRL, read | 0: a start is pending; 1: as written |
//! | 0x04 | STATUS | 0: busy; 1: done; 2: an input had a wrong length; 3: input buffer full |
//! | 0x08 | CYCLES | cycles of the inference that runs, else of the last |
//! | 0x0c | BUILD_ID | first word of the schedule |
//!
//! A start is pending until an inference begins, which is when none runs and a whole input is there. So a start that is
//! written while an inference runs, in its last cycle too, starts the next one; of several while one is pending, one
//! counts. STATUS.done rises with the end of an inference and falls when a start is written or an inference begins.
//! STATUS.2 stays until reset; the input of a wrong length is dropped. CTRL is written by byte 0 of the data alone: a
//! write without its strobe changes nothing.
//!
//! Writes to other addresses are accepted and ignored, reads give 0; every response is OKAY. Address and data of a
//! write may come in any order; each is held in a register, and ready depends on registers alone.

use crate::rtl::prelude::*;
use crate::unit_macro::unit;

/// Bits of an address.
pub const ADDRESS_BITS: usize = 8;
/// Bits of a register.
const DATA_BITS: usize = 32;
/// Bits of CTRL.
const CONTROL_BITS: usize = 2;

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
        /// An inference begins with the next cycle.
        begun_i: Wire<In> = Wire::new(1),
        /// An inference ends in this cycle.
        finished_i: Wire<In> = Wire::new(1),
        error_i: Wire<In> = Wire::new(1),
        full_i: Wire<In> = Wire::new(1),
        cycles_i: Wire<In> = Wire::new(DATA_BITS),
        build_id_i: Wire<In> = Wire::new(DATA_BITS),
        start_o: Wire<Out> = Wire::new(1),
        /// A write's address, and whether it is there.
        address_held: Wire<Local> = Wire::new(1),
        address: Wire<Local> = Wire::new(ADDRESS_BITS - 2),
        /// What a write's data say about CTRL, and whether they are there.
        data_held: Wire<Local> = Wire::new(1),
        data: Wire<Local> = Wire::new(CONTROL_BITS),
        strobe: Wire<Local> = Wire::new(1),
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

    /// A write is done when its address and its data are there and the last response has been taken.
    fn write(&mut self) {
        let rtl = &mut self._rtl;
        rtl.section(
            "Write: address and data are held until both are there and the last response has been taken",
        );
        let done = rtl.named("write_done", &self.address_held & &self.data_held & !&self.bvalid_o);
        let address_taken = rtl.named("address_taken", &self.awvalid_i & &self.awready_o);
        let data_taken = rtl.named("data_taken", &self.wvalid_i & &self.wready_o);
        rtl.assign(&self.awready_o, !&self.address_held);
        rtl.assign(&self.wready_o, !&self.data_held);
        rtl.register(&self.address_held, 0).when(&address_taken, lit(1, 1)).when(&done, lit(0, 1));
        rtl.register(&self.data_held, 0).when(&data_taken, lit(1, 1)).when(&done, lit(0, 1));
        rtl.register(&self.address, 0)
            .when(address_taken, self.awaddr_i.e().slice(2, ADDRESS_BITS - 2))
            .without_reset();
        rtl.register(&self.data, 0)
            .when(&data_taken, self.wdata_i.e().slice(0, CONTROL_BITS))
            .without_reset();
        rtl.register(&self.strobe, 0).when(data_taken, self.wstrb_i.e().bit(0)).without_reset();
        rtl.assign(&self.bresp_o, lit(0, 2));
        rtl.register(&self.bvalid_o, 0).when(&done, lit(1, 1)).when(&self.bready_i, lit(0, 1));

        rtl.section("CTRL and STATUS");
        let control = rtl.named("control_written", done & !self.address.e().any() & &self.strobe);
        let start = rtl.named("start_written", &control & self.data.e().bit(0));
        rtl.register(&self.pending, 0).when(&start, lit(1, 1)).when(&self.begun_i, lit(0, 1));
        rtl.register(&self.continuous, 0).when(control, self.data.e().bit(1));
        rtl.register(&self.done, 0).when(start | &self.begun_i, lit(0, 1)).when(&self.finished_i, lit(1, 1));
        rtl.assign(&self.start_o, &self.pending | &self.continuous);
        rtl.discard(&self.wdata_i);
        rtl.discard(&self.wstrb_i);
        rtl.discard(&self.awaddr_i);
    }

    fn read(&mut self) {
        let rtl = &mut self._rtl;
        rtl.section("Read: one at a time");
        let taken = rtl.named("read_taken", &self.arvalid_i & &self.arready_o);
        let pad = |bits: Expr| bits.zext(DATA_BITS);
        let registers = [
            pad(concat([&self.continuous, &self.pending])),
            pad(concat([self.full_i.e(), self.error_i.e(), self.done.e(), self.busy_i.e()])),
            self.cycles_i.e(),
            self.build_id_i.e(),
        ];
        let known = rtl.named("address_known", !self.araddr_i.e().slice(4, ADDRESS_BITS - 4).any());
        let value = select(&registers, self.araddr_i.e().slice(2, 2));
        rtl.assign(&self.arready_o, !&self.rvalid_o);
        rtl.assign(&self.rresp_o, lit(0, 2));
        rtl.register(&self.rvalid_o, 0).when(&taken, lit(1, 1)).when(&self.rready_i, lit(0, 1));
        rtl.register(&self.rdata_o, 0).when(taken, mux(known, value, lit(0, DATA_BITS)));
        rtl.discard(self.araddr_i.e());
    }
}

#[cfg(test)]
mod tests;
