//! Tensors out of the writes to the activation memory that a simulation of the accelerator shows.

use crate::activation::ActivationMemory;
use crate::compare::Mismatch;
use crate::{Error, Result};
use empf_ir::{Program, Trace};
use std::collections::HashMap;

/// One bank written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Write {
    /// Step that runs.
    pub(crate) step: u32,
    /// The bank.
    pub(crate) bank: u32,
    /// Word of the bank.
    pub(crate) address: u32,
    /// Its `lanes` codes, the first in the low bits.
    pub(crate) data: u64,
    /// The clock cycle, where it is known.
    pub(crate) cycle: Option<u64>,
}

impl Write {
    /// The same word of each bank whose bit in `banks` is set.
    pub(crate) fn of_banks(banks: u64, write: Write) -> impl Iterator<Item = Write> {
        let written = (0..u64::BITS).filter(move |bank| banks >> bank & 1 == 1);
        written.map(move |bank| Write { bank, ..write })
    }
}

/// The cycle of the last write by `step` to the element of `mismatch`.
pub(crate) fn cycle(
    program: &Program,
    step: usize,
    mismatch: &Mismatch,
    writes: impl DoubleEndedIterator<Item = Write>,
) -> Option<u64> {
    let place = program.placements.iter().find(|place| place.node == mismatch.layer)?;
    let Mismatch { time_step, channel, y, x, .. } = *mismatch;
    let wanted = ActivationMemory::bank_of(&program.arch, place, [time_step, channel, y, x]);
    let mut of_step = writes.rev().filter(|write| write.step as usize == step);
    of_step.find(|write| (write.address as usize, write.bank as usize) == wanted)?.cycle
}

/// Replays `writes`, step by step, and puts each tensor of `program` into `trace` when its step has ended.
/// `engine` is named in errors.
///
/// # Errors
/// A tensor whose steps leave a bank of it as it was, writes beyond the memory, writes of a step after a later one's.
pub(crate) fn replay(
    engine: &str,
    program: &Program,
    memory: &mut ActivationMemory,
    writes: impl Iterator<Item = Write>,
    trace: &mut Trace,
) -> Result<()> {
    let failure = |message: String| Error::Engine { engine: engine.into(), message };
    let act_bits = program.arch.act_bits;
    let mask = (1u64 << act_bits) - 1;
    let mut writes = writes.peekable();
    // The step that wrote a bank last.
    let mut written = HashMap::new();
    for step in 0..program.steps.len() {
        while let Some(write) = writes.next_if(|write| write.step as usize == step) {
            let (address, bank) = (write.address as usize, write.bank as usize);
            written.insert((address, bank), step);
            let bank = memory.bank_mut(address, bank);
            let bank =
                bank.ok_or_else(|| failure(format!("step {step} writes beyond the activation memory")))?;
            for (lane, code) in bank.iter_mut().enumerate() {
                *code = (write.data >> (lane as u32 * act_bits) & mask) as u8;
            }
        }
        for place in program.placements.iter().filter(|p| p.written_by[1] == step) {
            let tensor = memory.tensor(place);
            let tensor =
                tensor.ok_or_else(|| failure(format!("tensor `{}` leaves the memory", place.node)))?;
            let is_old =
                |bank: &(usize, usize)| written.get(bank).is_none_or(|step| *step < place.written_by[0]);
            if let Some((word, bank)) = memory.banks_of(place).find(is_old) {
                let message =
                    format!("bank {bank} of word {word} of tensor `{}` was not written", place.node);
                return Err(failure(message));
            }
            trace.tensors.insert(place.node.clone(), tensor);
        }
    }
    match writes.next() {
        Some(write) => Err(failure(format!("a write of step {} came out of order", write.step))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Seen;
    use empf_ir::isa::{Pool, Task};
    use empf_ir::program::{Placement, Step};
    use empf_ir::{ArchConfig, Shape};

    /// Three steps, of which the last two write a tensor of two blocks of channels at each of two positions: 4 and 1
    /// channels, in banks of 2.
    fn program() -> Program {
        let step = Step { node: "a".into(), task: Task::Pool(Pool::default()), additions: 0, currents: None };
        let shape = Shape::new(5, 1, 2);
        let place = Placement { node: "a".into(), base: 3, words: 4, frames: 1, shape, written_by: [1, 2] };
        Program {
            name: "replayed".into(),
            arch: ArchConfig { lanes: 2, activation_depth: 16, ..ArchConfig::sized(4, 4, 8) },
            build_id: 0,
            time_steps: 1,
            classes: 1,
            input: shape,
            input_frames: 1,
            steps: vec![step; 3],
            placements: vec![place],
            memory: Default::default(),
            checksums: Default::default(),
            weights: vec![],
            parameters: vec![],
        }
    }

    fn replayed(writes: &[Write]) -> Result<Trace> {
        let program = program();
        let mut memory = ActivationMemory::new(&program.arch);
        let mut trace = Trace::default();
        replay("any", &program, &mut memory, writes.iter().copied(), &mut trace).map(|()| trace)
    }

    #[test]
    fn a_tensor_is_what_its_steps_wrote_whole() {
        let write = |address, bank, data| Write { step: address / 5 + 1, bank, address, data, cycle: None };
        let whole = [
            write(3, 0, 0x201),
            write(3, 1, 0x403),
            write(4, 0, 5),
            write(5, 0, 0),
            write(5, 1, 0),
            write(6, 0, 9),
        ];
        let trace = replayed(&whole).unwrap();
        assert_eq!(trace.tensors["a"].iter().copied().collect::<Vec<_>>(), [1, 0, 2, 0, 3, 0, 4, 0, 5, 9]);
        for missing in 0..whole.len() {
            let mut writes = whole.to_vec();
            let left_out = writes.remove(missing);
            let Write { bank, address, .. } = left_out;
            // What a step before those of the tensor has written there is none of it.
            for older in [None, Some(Write { step: 0, ..left_out })] {
                let writes: Vec<Write> = older.into_iter().chain(writes.iter().copied()).collect();
                let text = replayed(&writes).unwrap_err().to_string();
                assert_eq!(text, format!("any: bank {bank} of word {address} of tensor `a` was not written"));
            }
        }
        let late = Write { step: 3, ..whole[0] };
        assert!(replayed(&[&whole[..], &[late]].concat()).unwrap_err().to_string().contains("out of order"));
        let far = Write { address: 16, ..whole[0] };
        assert!(replayed(&[far]).unwrap_err().to_string().contains("beyond the activation memory"));
    }

    #[test]
    fn a_value_is_of_the_last_write_of_its_step() {
        let write = |step, bank, address, cycle| Write { step, bank, address, data: 0, cycle: Some(cycle) };
        // Channels 2 and 3 of the second position are bank 1 of word 5; another bank, word and step lie around.
        let writes = [(0, 1, 5, 10), (0, 1, 5, 20), (0, 0, 5, 30), (0, 1, 3, 40), (1, 1, 5, 50)];
        let element = |channel| Mismatch {
            layer: "a".into(),
            seen: Seen::Result,
            time_step: 0,
            channel,
            y: 0,
            x: 1,
            expected: 0,
            got: 0,
            origin: None,
        };
        let at = |channel| {
            let writes = writes.into_iter().map(|(step, bank, address, at)| write(step, bank, address, at));
            cycle(&program(), 0, &element(channel), writes)
        };
        assert_eq!([1, 3, 4].map(at), [Some(30), Some(20), None]);
    }
}
