//! Tensors out of the writes to the activation memory that a simulation of the accelerator shows.

use crate::activation::ActivationMemory;
use crate::{Error, Result};
use empf_ir::{Program, Trace};

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
}

impl Write {
    /// The same word of each bank whose bit in `banks` is set.
    pub(crate) fn of_banks(step: u32, banks: u64, address: u32, data: u64) -> impl Iterator<Item = Write> {
        let written = (0..u64::BITS).filter(move |bank| banks >> bank & 1 == 1);
        written.map(move |bank| Write { step, bank, address, data })
    }
}

/// Replays `writes`, step by step, and puts each tensor of `program` into `trace` when its step has ended.
/// `engine` is named in errors.
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
    for step in 0..program.steps.len() {
        while let Some(write) = writes.next_if(|write| write.step as usize == step) {
            let bank = memory.bank_mut(write.address as usize, write.bank as usize);
            let bank =
                bank.ok_or_else(|| failure(format!("step {step} writes beyond the activation memory")))?;
            for (lane, code) in bank.iter_mut().enumerate() {
                *code = (write.data >> (lane as u32 * act_bits) & mask) as u8;
            }
        }
        for place in program.placements.iter().filter(|p| p.written_by == step) {
            let tensor = memory.tensor(place);
            let tensor =
                tensor.ok_or_else(|| failure(format!("tensor `{}` leaves the memory", place.node)))?;
            trace.tensors.insert(place.node.clone(), tensor);
        }
    }
    match writes.next() {
        Some(write) => Err(failure(format!("a write of step {} came out of order", write.step))),
        None => Ok(()),
    }
}
