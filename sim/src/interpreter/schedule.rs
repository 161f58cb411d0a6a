//! The sequencer: reads descriptors back from the words of the schedule ROM.

use crate::{Error, Result};
use empf_ir::program::{
    Conv, Descriptor, OPCODE_CONV, OPCODE_END, OPCODE_POOL, OPCODE_UNFOLD, Pool, SCHEDULE_HEADER, Unfold,
};
use serde::de::DeserializeOwned;

/// Steps of a schedule ROM; opcode 0 ends it.
pub(super) fn decode(rom: &[u64]) -> Result<Vec<Descriptor>> {
    let mut steps = Vec::new();
    let mut at = SCHEDULE_HEADER;
    loop {
        let bad = |message: String| Error::Schedule { at, message };
        let opcode = *rom.get(at).ok_or_else(|| bad("the schedule has no end".into()))? as u32;
        let rest = &rom[at + 1..];
        let (step, fields) = match opcode {
            OPCODE_END => return Ok(steps),
            OPCODE_UNFOLD => (record(Unfold::FIELDS, rest).map(Descriptor::Unfold), Unfold::FIELDS.len()),
            OPCODE_CONV => {
                let conv = record::<Conv>(Conv::FIELDS, rest);
                (conv.map(|d| Descriptor::Conv(Box::new(d))), Conv::FIELDS.len())
            }
            OPCODE_POOL => (record(Pool::FIELDS, rest).map(Descriptor::Pool), Pool::FIELDS.len()),
            other => return Err(bad(format!("opcode {other} is unknown"))),
        };
        steps.push(step.ok_or_else(|| bad("the descriptor is cut short".into()))?);
        at += 1 + fields;
    }
}

/// The descriptor whose `fields` stand at the start of `words`; `None` where words are missing.
fn record<D: DeserializeOwned>(fields: &[&str], words: &[u64]) -> Option<D> {
    let words = words.get(..fields.len())?;
    let values = fields.iter().zip(words).map(|(name, word)| ((*name).to_owned(), (*word as u32).into()));
    serde_json::from_value(serde_json::Value::Object(values.collect())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rom(steps: &[Descriptor]) -> Vec<u64> {
        let words = steps.iter().flat_map(Descriptor::words).map(u64::from);
        [0xcafe, 12].into_iter().chain(words).chain([0]).collect()
    }

    #[test]
    fn descriptors_come_back() {
        let steps = [
            Descriptor::Unfold(Unfold { in_origin: u32::MAX, plane_words: 3, ..Unfold::default() }),
            Descriptor::Conv(Box::new(Conv { in_origin: 1, classes: 10, ..Conv::default() })),
            Descriptor::Pool(Pool { in_base: 5, out_base: 9, ..Pool::default() }),
        ];
        assert_eq!(decode(&rom(&steps)).unwrap(), steps);
    }

    #[test]
    fn broken_schedules_are_errors() {
        let mut words = rom(&[Descriptor::Pool(Pool::default())]);
        words[2] = 9;
        assert!(decode(&words).unwrap_err().to_string().contains("opcode 9"));
        words[2] = 3;
        assert!(decode(&words[..7]).unwrap_err().to_string().contains("cut short"));
        assert!(decode(&words[..words.len() - 1]).unwrap_err().to_string().contains("no end"));
    }
}
