//! What the units' tests share.

use crate::rtl::prelude::*;
use empf_ir::isa::Record;

/// A unit that takes a descriptor from the bus.
pub(crate) trait Described: Block {
    /// Valid, opcode, index and data of the bus.
    fn bus(&self) -> [&Wire<In>; 4];
    /// The start pulse.
    fn start(&self) -> &Wire<In>;
}

/// Puts the fields of a descriptor on the bus, one a cycle, then starts the unit.
pub(crate) fn launch<U: Described, R: Record<u32>>(bench: &mut Bench<U>, descriptor: &R) {
    let set = |bench: &Bench<U>, values: [u64; 4]| {
        for (wire, value) in bench.bus().into_iter().zip(values) {
            wire.set(value);
        }
    };
    for (index, (_, value)) in descriptor.values().into_iter().enumerate() {
        set(bench, [1, R::UNIT.opcode().into(), index as u64, u64::from(*value)]);
        bench.tick();
    }
    set(bench, [0; 4]);
    bench.start().set(1);
    bench.tick();
    bench.start().set(0);
}

/// Implements [`Described`] by the field names that all units use.
macro_rules! described {
    ($unit:ty) => {
        impl crate::bench_support::Described for $unit {
            fn bus(&self) -> [&Wire<In>; 4] {
                [&self.field_valid_i, &self.field_opcode_i, &self.field_index_i, &self.field_data_i]
            }
            fn start(&self) -> &Wire<In> {
                &self.start_i
            }
        }
    };
}
pub(crate) use described;
