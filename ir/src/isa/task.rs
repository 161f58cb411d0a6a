//! What a step of the schedule runs.

use super::limit::LimitError;
use super::record::Record;
use super::{Drain, Pool, Stream, Unfold, Unit};
use crate::ArchConfig;
use serde::{Deserialize, Serialize};

/// What a step runs: one unit, or stream and drain together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "unit", rename_all = "snake_case")]
pub enum Task {
    /// Window packing.
    Unfold(Unfold),
    /// A layer on the array.
    Array(Box<Array>),
    /// Attention: a drain of currents that were kept.
    Drain(Box<Drain>),
    /// Pooling.
    Pool(Pool),
}

/// A layer on the array.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Array {
    /// What goes through the array.
    pub stream: Stream,
    /// What happens to its sums.
    pub drain: Drain,
}

impl Task {
    /// The units of its records, in the order of the schedule; the last one writes the result.
    pub fn units(&self) -> &'static [Unit] {
        match self {
            Task::Unfold(_) => &[Unit::Unfold],
            Task::Array(_) => &[Unit::Stream, Unit::Drain],
            Task::Drain(_) => &[Unit::Drain],
            Task::Pool(_) => &[Unit::Pool],
        }
    }

    /// Its records as they stand in the schedule: opcodes and fields.
    pub fn words(&self) -> Vec<u32> {
        match self {
            Task::Unfold(d) => words(d),
            Task::Array(d) => [words(&d.stream), words(&d.drain)].concat(),
            Task::Drain(d) => words(&**d),
            Task::Pool(d) => words(d),
        }
    }

    /// The hardware can run it.
    ///
    /// # Errors
    /// The first number that is beyond a limit.
    pub fn check(&self, arch: &ArchConfig) -> Result<(), LimitError> {
        match self {
            Task::Unfold(d) => d.check(arch),
            Task::Array(d) => d.check(arch),
            Task::Drain(d) => {
                d.check(arch)?;
                LimitError::equal("sums of a drain without a stream", d.takes_banks().into(), 0)
            }
            Task::Pool(d) => d.check(arch),
        }
    }
}

impl Array {
    /// Both units can run it, and they agree on the banks that one fills and the other empties.
    fn check(&self, arch: &ArchConfig) -> Result<(), LimitError> {
        let (s, d) = (&self.stream, &self.drain);
        s.check(arch)?;
        d.check(arch)?;
        // The frames of logits are positions to the drain.
        let (frames, of_logits) = if d.logits == 1 { (1, s.frames) } else { (s.frames, 1) };
        let [positions, last_positions] =
            [s.tile_positions, s.last_tile_positions].map(|positions| positions.saturating_mul(of_logits));
        let column_blocks = d.groups.div_ceil((arch.cols / arch.lanes) as u32);
        for (what, stream, drain) in [
            ("frames of the drain", frames, d.frames),
            ("tiles of the drain", s.tiles, d.tiles),
            ("positions of the drain's tiles", positions, d.tile_positions),
            ("positions of the drain's last tile", last_positions, d.last_tile_positions),
            ("blocks of columns of the drain's groups", s.column_blocks, column_blocks),
            ("sums that the drain takes", d.takes_banks().into(), 1),
            (
                "sums of a shortcut in the drain",
                s.shortcut,
                (d.has_shortcut_sums() && !d.scales_currents()).into(),
            ),
            (
                "first entry of the drain's shortcut",
                s.shortcut * s.shortcut_entry,
                s.shortcut * d.shortcut_entry,
            ),
        ] {
            LimitError::equal(what, drain, stream)?;
        }
        Ok(())
    }
}

/// Opcode and values of a record.
fn words<R: Record<u32>>(record: &R) -> Vec<u32> {
    let values = record.values().into_iter().map(|(_, value)| *value);
    std::iter::once(R::UNIT.opcode()).chain(values).collect()
}
