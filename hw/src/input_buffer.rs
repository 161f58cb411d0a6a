//! Input buffer: an AXI4-Stream of bytes into a memory that the unfolding unit reads.
//!
//! Bytes are taken until `TLAST`. In the next cycle their number is compared with `length_i`: the buffer is full then, until
//! it is released at the end of an inference, or the frame is dropped and sets `error_o`.

use crate::arithmetic::counter_bits;
use crate::rtl::address_width;
use crate::rtl::prelude::*;
use crate::unit_macro::unit;
use empf_ir::ArchConfig;
use empf_ir::formats::INPUT_BITS;

unit! {
    /// Byte memory behind an AXI4-Stream slave.
    pub(crate) struct InputBuffer(depth: usize) "input_buffer" {
        reset_i: Wire<In> = Wire::new(1),
        data_i: Wire<In> = Wire::new(INPUT_BITS as usize),
        valid_i: Wire<In> = Wire::new(1),
        last_i: Wire<In> = Wire::new(1),
        ready_o: Wire<Out> = Wire::new(1),
        /// Bytes of a whole input.
        length_i: Wire<In> = Wire::new(counter_bits(depth)),
        /// The length is known.
        enable_i: Wire<In> = Wire::new(1),
        full_o: Wire<Out> = Wire::new(1),
        release_i: Wire<In> = Wire::new(1),
        /// A frame of another length came since the last reset.
        error_o: Wire<Out> = Wire::new(1),
        read_i: Wire<In> = Wire::new(1),
        read_address_i: Wire<In> = Wire::new(address_width(depth)),
        code_o: Wire<Out> = Wire::new(INPUT_BITS as usize),
        count: Wire<Local> = Wire::new(counter_bits(depth)),
        /// The memory had no room for a byte of the frame.
        overflows: Wire<Local> = Wire::new(1),
        /// The frame has ended.
        ended: Wire<Local> = Wire::new(1),
        memory: Ram = Ram::new("input_memory", INPUT_BITS as usize, depth),
    }
}

impl InputBuffer {
    /// The buffer of `arch`.
    pub(crate) fn new(arch: &ArchConfig) -> Self {
        let mut u = Self::declare(arch.input_depth);
        let rtl = &mut u._rtl;
        rtl.doc("Input buffer: an AXI4-Stream of bytes into a memory.");
        rtl.reset(&u.reset_i);
        let bits = u.count.width();
        rtl.section("Bytes are counted; one beyond the memory ends in an error, however many follow");
        let accepted = rtl.named("accepted", &u.valid_i & &u.ready_o);
        let room = rtl.named("room", u.count.e().lt(lit(arch.input_depth as u64, bits)));
        rtl.register(&u.count, 0).when(&u.ended, u.count.zero()).when(&accepted, u.count.plus(1));
        rtl.register(&u.overflows, 0).when(&u.ended, lit(0, 1)).when(&accepted & !&room, lit(1, 1));
        rtl.register(&u.ended, 0).set(&accepted & &u.last_i);
        let whole = rtl.named("whole", u.count.e().eq(&u.length_i) & !&u.overflows);
        rtl.assign(&u.ready_o, &u.enable_i & !&u.full_o & !&u.ended);
        rtl.register(&u.full_o, 0).when(&u.release_i, lit(0, 1)).when(&u.ended, &whole);
        rtl.register(&u.error_o, 0).when(&u.ended & !&whole, lit(1, 1));
        rtl.clock(&u.memory.clock);
        rtl.assign(&u.memory.write_i, &accepted & room);
        rtl.assign(&u.memory.write_address_i, u.count.e().slice(0, address_width(arch.input_depth)));
        rtl.assign(&u.memory.write_data_i, &u.data_i);
        rtl.assign(&u.memory.read_i, &u.read_i);
        rtl.assign(&u.memory.read_address_i, &u.read_address_i);
        rtl.assign(&u.code_o, &u.memory.read_data_o);
        u
    }
}

#[cfg(test)]
mod tests;
