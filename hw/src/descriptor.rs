//! The descriptor bus: the sequencer streams a step's fields, and units keep those they need.

use crate::rtl::prelude::*;

/// Bits of an opcode on the bus.
pub(crate) const OPCODE_BITS: usize = 2;
/// Bits of a field's index.
pub(crate) const INDEX_BITS: usize = 6;
/// Bits of a field.
pub(crate) const FIELD_BITS: usize = 32;

/// A unit's view of the bus.
pub(crate) struct Bus<'a> {
    /// A field is on the bus.
    pub(crate) valid: &'a Wire<In>,
    /// The step's opcode.
    pub(crate) opcode: &'a Wire<In>,
    /// The field's position in the descriptor.
    pub(crate) index: &'a Wire<In>,
    /// The field.
    pub(crate) data: &'a Wire<In>,
}

impl Bus<'_> {
    /// Makes `register` keep the low bits of the field called like one of `fields` of opcode `opcode`.
    #[track_caller]
    pub(crate) fn keep(
        &self,
        rtl: &mut Rtl,
        opcode: u32,
        fields: &[&str],
        name: &str,
        register: &Wire<Local>,
    ) {
        let position = fields.iter().position(|field| *field == name);
        let position = position.unwrap_or_else(|| panic!("no descriptor field is called {name}"));
        let here = self.valid
            & self.opcode.e().eq(lit(u64::from(opcode), OPCODE_BITS))
            & self.index.e().eq(lit(position as u64, INDEX_BITS));
        rtl.register(register, 0).when(here, self.data.e().slice(0, register.width())).without_reset();
    }
}

/// Keeps the listed descriptor fields in the unit's registers of the same names.
macro_rules! keep_fields {
    ($unit:ident, $opcode:expr, $descriptor:ty: $($field:ident),+ $(,)?) => {{
        let bus = crate::descriptor::Bus {
            valid: &$unit.field_valid_i,
            opcode: &$unit.field_opcode_i,
            index: &$unit.field_index_i,
            data: &$unit.field_data_i,
        };
        $unit._rtl.discard(bus.data);
        $(bus.keep(&mut $unit._rtl, $opcode, <$descriptor>::FIELDS, stringify!($field), &$unit.$field);)+
    }};
}
pub(crate) use keep_fields;
