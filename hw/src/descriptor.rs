//! The descriptor bus: the sequencer sends a descriptor field by field, and its unit keeps them.

use crate::rtl::prelude::*;
use empf_ir::ArchConfig;
use empf_ir::isa::{Record, Unit, WORD_BITS};
use rust_hdl_core::prelude::Probe;
use std::convert::Infallible;
use std::ops::Deref;

/// Bits of an opcode on the bus.
pub(crate) fn opcode_bits() -> usize {
    Unit::opcode_bits() as usize
}

/// Bits of a field's position in its descriptor.
pub(crate) fn index_bits() -> usize {
    Unit::index_bits() as usize
}

/// Bits of a field on the bus.
pub(crate) const FIELD_BITS: usize = WORD_BITS as usize;

/// The bits of each field's register.
pub(crate) fn widths<R: Record<usize>>(arch: &ArchConfig) -> R {
    let Ok(widths) = R::try_new(|field| Ok::<_, Infallible>(field.bits(arch) as usize));
    widths
}

/// A register for each field of a descriptor, of just the bits that the field has.
pub(crate) struct Registers<R>(R);

impl<R: Record<Wire<Local>>> Registers<R> {
    /// The registers in `arch`.
    pub(crate) fn new(arch: &ArchConfig) -> Self {
        let Ok(registers) = R::try_new(|field| Ok::<_, Infallible>(Wire::new(field.bits(arch) as usize)));
        Registers(registers)
    }

    /// Makes each register keep its field when it is on the bus.
    pub(crate) fn keep(&self, rtl: &mut Rtl, bus: &Bus) {
        rtl.section("The descriptor, from the bus");
        let mine = rtl.named("for_this_unit", bus.valid & bus.opcode.is(R::UNIT.opcode().into()));
        for (index, (_, register)) in self.0.values().into_iter().enumerate() {
            let here = &mine & bus.index.is(index as u64);
            let value = bus.data.e().slice(0, register.width());
            rtl.register(register, 0).when(here, value).without_reset();
        }
        rtl.discard(bus.data);
    }
}

impl<R> Deref for Registers<R> {
    type Target = R;
    fn deref(&self) -> &R {
        &self.0
    }
}

impl<R> Logic for Registers<R> {
    fn update(&mut self) {}
}

/// Not a block of its own: its registers are the unit's, under the fields' names.
impl<R: Record<Wire<Local>>> Block for Registers<R> {
    fn connect_all(&mut self) {}
    fn update_all(&mut self) {
        self.0.values_mut().into_iter().for_each(|(_, register)| register.update_all());
    }
    fn has_changed(&self) -> bool {
        self.0.values().into_iter().any(|(_, register)| register.has_changed())
    }
    fn accept(&self, _: &str, probe: &mut dyn Probe) {
        self.0.values().into_iter().for_each(|(field, register)| register.accept(field.name, probe));
    }
}

/// A unit's view of the bus.
pub(crate) struct Bus<'a> {
    /// A field is on the bus.
    pub(crate) valid: &'a Wire<In>,
    /// Opcode of its unit.
    pub(crate) opcode: &'a Wire<In>,
    /// The field's position in the descriptor.
    pub(crate) index: &'a Wire<In>,
    /// The field.
    pub(crate) data: &'a Wire<In>,
}

/// Makes the unit's field `descriptor` keep what is for it on the bus.
macro_rules! keep_descriptor {
    ($unit:ident) => {{
        let bus = crate::descriptor::Bus {
            valid: &$unit.field_valid_i,
            opcode: &$unit.field_opcode_i,
            index: &$unit.field_index_i,
            data: &$unit.field_data_i,
        };
        $unit.descriptor.keep(&mut $unit._rtl, &bus);
    }};
}
pub(crate) use keep_descriptor;
