//! The accelerator's instruction set: one description of every field of every descriptor.
//!
//! The sequencer reads the schedule, a sequence of 32-bit words: a header, then records of an opcode and its
//! unit's descriptor, a word a field; a unit starts when it has its descriptor. What is described here is used by all who meet it:
//!
//! | who | what |
//! |---|---|
//! | compiler | [`encode`](Pool::encode) makes registers' values of exact numbers, or says which one does not fit |
//! | [`Program`](crate::Program) | writes the schedule, and checks what it reads |
//! | hardware | has a register of [`Field::bits`] for each field |
//! | interpreter | keeps of each word what the register keeps, and predicts the cycles of reading them |
//! | `docs/isa.md` | [`page`](page()) |

mod drain;
mod field;
mod lane;
mod limit;
mod page;
mod passes;
mod pool;
mod record;
mod schedule;
mod stream;
mod task;
mod unfold;

pub use drain::Drain;
pub use field::{Field, Kind, WORD_BITS};
pub use lane::{BIAS_HALF_BITS, LaneParameters};
pub use limit::{Limit, LimitError, MAX_EXTENT, MAX_PASSES, POOL_WINDOW};
pub use page::page;
pub use passes::{PLANE_BITS, Pass, PassFields};
pub use pool::Pool;
pub use record::Record;
pub use schedule::{HEADER, OPCODE_END, Schedule, ScheduleError, check_input};
pub use stream::Stream;
pub use task::{Array, Task};
pub use unfold::Unfold;

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

    /// Word that comes before its descriptor in the schedule; [`OPCODE_END`] is none of them.
    pub const fn opcode(self) -> u32 {
        self as u32
    }

    /// The unit of an opcode.
    pub fn of_opcode(opcode: u32) -> Option<Unit> {
        Unit::ALL.into_iter().find(|unit| unit.opcode() == opcode)
    }

    /// Bits that tell the opcodes, [`OPCODE_END`] among them.
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
    const fn about(self) -> &'static [&'static str] {
        match self {
            Unit::Unfold => unfold::ABOUT,
            Unit::Stream => stream::ABOUT,
            Unit::Drain => drain::ABOUT,
            Unit::Pool => pool::ABOUT,
        }
    }
}
