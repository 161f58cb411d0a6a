//! The schedule: a header, then a record for each step, and the end.

use super::field::{Field, Kind};
use super::limit::{Limit, LimitError};
use super::record::Record;
use super::{Array, Task, Unit};
use crate::ArchConfig;

/// Words before the first step.
pub const HEADER: &[Field] = &[
    Field {
        name: "build_id",
        kind: Kind::Bits(32),
        meaning: "Hash of network and architecture; the register BUILD_ID shows it.",
    },
    Field { name: "input_length", kind: Kind::Count(Limit::InputBytes), meaning: "Bytes of an input." },
];

/// An input of so many bytes can be announced and kept.
///
/// # Errors
/// It cannot.
pub fn check_input(bytes: usize, arch: &ArchConfig) -> Result<(), LimitError> {
    HEADER[1].encode(i64::try_from(bytes).unwrap_or(i64::MAX), arch).map(|_| ())
}

/// Word that ends the schedule.
pub const OPCODE_END: u32 = 0;

/// What the sequencer finds in a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Hash of network and architecture.
    pub build_id: u32,
    /// Bytes of an input.
    pub input_length: u32,
    /// In execution order.
    pub steps: Vec<Task>,
}

impl Schedule {
    /// The words of the schedule ROM.
    pub fn words(&self) -> Vec<u32> {
        let steps = self.steps.iter().flat_map(Task::words);
        [self.build_id, self.input_length].into_iter().chain(steps).chain([OPCODE_END]).collect()
    }

    /// Reads `words` as the hardware of `arch` does: of each field it keeps what its register holds.
    ///
    /// # Errors
    /// An opcode that no unit has, a stream without its drain, or an end before the last descriptor's.
    pub fn decode(words: &[u32], arch: &ArchConfig) -> Result<Self, ScheduleError> {
        let mut reader = Reader { words, at: 0, arch };
        let build_id = reader.field(&HEADER[0])?;
        let input_length = reader.field(&HEADER[1])?;
        let mut steps = Vec::new();
        loop {
            steps.push(match reader.unit()? {
                None => return Ok(Schedule { build_id, input_length, steps }),
                Some(Unit::Unfold) => Task::Unfold(reader.record()?),
                Some(Unit::Stream) => Task::Array(Box::new(reader.array()?)),
                Some(Unit::Drain) => Task::Drain(Box::new(reader.record()?)),
                Some(Unit::Pool) => Task::Pool(reader.record()?),
            });
        }
    }
}

struct Reader<'a> {
    words: &'a [u32],
    at: usize,
    arch: &'a ArchConfig,
}

impl Reader<'_> {
    /// A fault of the word read last.
    fn refuse(&self, message: impl Into<String>) -> ScheduleError {
        ScheduleError { at: self.at.saturating_sub(1), message: message.into() }
    }

    fn word(&mut self) -> Result<u32, ScheduleError> {
        let word = self.words.get(self.at).copied();
        self.at += 1;
        word.ok_or_else(|| self.refuse("the schedule has no end"))
    }

    fn field(&mut self, field: &Field) -> Result<u32, ScheduleError> {
        Ok(field.decode(self.word()?, self.arch))
    }

    /// The unit of the next opcode; `None` at the end.
    fn unit(&mut self) -> Result<Option<Unit>, ScheduleError> {
        let opcode = self.word()? & (u32::MAX >> (u32::BITS - Unit::opcode_bits()));
        match Unit::of_opcode(opcode) {
            None if opcode != OPCODE_END => Err(self.refuse(format!("opcode {opcode} is unknown"))),
            unit => Ok(unit),
        }
    }

    fn record<R: Record<u32>>(&mut self) -> Result<R, ScheduleError> {
        R::try_new(|field| self.field(field))
    }

    /// The rest of a layer on the array whose first opcode has been read.
    fn array(&mut self) -> Result<Array, ScheduleError> {
        let stream = self.record()?;
        match self.unit()? {
            Some(Unit::Drain) => Ok(Array { stream, drain: self.record()? }),
            _ => Err(self.refuse("a stream without its drain")),
        }
    }
}

/// Words that are no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("schedule word {at}: {message}; compile the network again")]
pub struct ScheduleError {
    /// Index of the word.
    pub at: usize,
    /// What is wrong with it.
    pub message: String,
}
