//! The units that take descriptors.

use super::field::Field;
use super::{drain, pool, stream, unfold};

/// A unit that takes a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// Packs the windows of the input.
    Unfold = 1,
    /// Generates the array's addresses.
    Stream,
    /// Takes sums through the neurons.
    Drain,
    /// Pooling.
    Pool,
}

impl Unit {
    /// In the order of their opcodes.
    pub const ALL: [Unit; 4] = [Unit::Unfold, Unit::Stream, Unit::Drain, Unit::Pool];

    /// Word that comes before its descriptor in the schedule; [`OPCODE_END`](super::OPCODE_END) is none of them.
    pub const fn opcode(self) -> u32 {
        self as u32
    }

    /// The unit of an opcode.
    pub fn of_opcode(opcode: u32) -> Option<Unit> {
        Unit::ALL.into_iter().find(|unit| unit.opcode() == opcode)
    }

    /// Bits that tell the opcodes, [`OPCODE_END`](super::OPCODE_END) among them.
    pub const fn opcode_bits() -> u32 {
        u32::BITS - (Unit::ALL.len() as u32).leading_zeros()
    }

    /// Bits that number the fields of a descriptor.
    pub fn index_bits() -> u32 {
        let most = Unit::ALL.iter().map(|unit| unit.fields().len()).max().unwrap_or(1);
        u32::BITS - (most as u32 - 1).leading_zeros()
    }

    /// Name in `program.json`, reports and Verilog.
    pub const fn name(self) -> &'static str {
        match self {
            Unit::Unfold => "unfold",
            Unit::Stream => "stream",
            Unit::Drain => "drain",
            Unit::Pool => "pool",
        }
    }

    /// The fields of its descriptor, in the order of the schedule.
    pub const fn fields(self) -> &'static [Field] {
        match self {
            Unit::Unfold => unfold::FIELDS,
            Unit::Stream => stream::FIELDS,
            Unit::Drain => drain::FIELDS,
            Unit::Pool => pool::FIELDS,
        }
    }

    /// Units that must be idle before the sequencer hands it a descriptor. A drain gets its own while its stream
    /// runs; whatever else is next waits for all.
    pub const fn waits_for(self) -> &'static [Unit] {
        match self {
            Unit::Drain => &[Unit::Drain],
            Unit::Unfold | Unit::Stream | Unit::Pool => &Unit::ALL,
        }
    }

    /// Words of its record in the schedule: opcode and descriptor.
    pub const fn words(self) -> usize {
        1 + self.fields().len()
    }

    /// What it does: lines of Markdown.
    pub(super) const fn about(self) -> &'static [&'static str] {
        match self {
            Unit::Unfold => unfold::ABOUT,
            Unit::Stream => stream::ABOUT,
            Unit::Drain => drain::ABOUT,
            Unit::Pool => pool::ABOUT,
        }
    }
}
