//! The memories of the accelerator and the checks of their addresses.

use super::attention::Attention;
use crate::accesses::Accesses;
use crate::activation::ActivationMemory;
use crate::lanes::{Lanes, Passed};
use crate::{Error, Result};
use empf_hw::Tap;
use empf_ir::arch::Memory;
use empf_ir::formats::INPUT_BITS;
use empf_ir::{ArchConfig, Program};
use std::cell::RefCell;

/// State of an accelerator that runs `program`.
pub(super) struct Machine<'p> {
    pub(super) program: &'p Program,
    pub(super) input: Vec<u8>,
    pub(super) activations: ActivationMemory,
    pub(super) logits: Vec<i32>,
    /// Of each lane; a step of attention finds what the one before has left.
    pub(super) potentials: Vec<i64>,
    /// Word of the potentials of the next run's first position.
    pub(super) first_potential: usize,
    pub(super) attention: Attention,
    /// What goes through the lanes, where somebody wants to see it.
    pub(super) lanes: Option<Lanes>,
    /// Index of the step that runs.
    pub(super) step: usize,
    /// What this inference has read and written.
    pub(super) accesses: RefCell<Accesses>,
}

impl<'p> Machine<'p> {
    pub(super) fn new(program: &'p Program) -> Self {
        Machine {
            program,
            input: Vec::new(),
            activations: ActivationMemory::new(&program.arch),
            logits: Vec::new(),
            potentials: vec![0; Memory::Potential.depth(&program.arch) * program.arch.lanes],
            first_potential: 0,
            attention: Attention::new(&program.arch),
            lanes: None,
            step: 0,
            accesses: RefCell::default(),
        }
    }

    /// `count` reads of so many bits.
    pub(super) fn reads(&self, memory: Memory, count: usize, bits: u32) {
        self.accesses.borrow_mut().read(memory, count as u64, bits);
    }

    /// `count` writes of so many bits.
    pub(super) fn writes(&self, memory: Memory, count: usize, bits: u32) {
        self.accesses.borrow_mut().write(memory, count as u64, bits);
    }

    pub(super) fn arch(&self) -> &'p ArchConfig {
        &self.program.arch
    }

    /// A drain starts.
    pub(super) fn start_drain(&mut self) {
        self.first_potential = 0;
        self.attention.start();
    }

    /// A position comes by `tap` of the lanes.
    pub(super) fn show(&mut self, tap: Tap, values: impl IntoIterator<Item = i64>) {
        if let Some(lanes) = &mut self.lanes {
            let passed = Passed { step: self.step as u32, cycle: 0 };
            lanes.pass(tap, passed, values.into_iter().map(|value| value as i32));
        }
    }

    fn beyond(&self, action: &'static str, memory: &'static str, address: usize, depth: usize) -> Error {
        let node = self.program.steps.get(self.step).map_or("", |s| &s.node).to_owned();
        Error::Address { step: self.step, node, action, memory, address, depth }
    }

    /// The input byte at `address`, modulo the buffer's size.
    pub(super) fn input_byte(&self, address: u32) -> Result<u8> {
        let depth = self.arch().input_depth;
        let address = wrap(address, depth);
        self.reads(Memory::Input, 1, INPUT_BITS);
        let byte = self.input.get(address).copied();
        byte.ok_or_else(|| self.beyond("reads", "input", address, self.input.len()))
    }

    /// The activation word at `address`, modulo the memory's size.
    pub(super) fn word(&self, address: u32) -> Result<&[u8]> {
        self.reads(Memory::Activation, self.arch().rows, self.arch().act_bits);
        self.at(address)
    }

    fn at(&self, address: u32) -> Result<&[u8]> {
        let depth = self.activations.depth();
        let address = wrap(address, depth);
        self.activations.word(address).ok_or_else(|| self.beyond("reads", "activation", address, depth))
    }

    /// The `lanes` codes of a bank of an activation word.
    pub(super) fn bank(&self, address: u32, bank: usize) -> Result<Vec<u8>> {
        let lanes = self.arch().lanes;
        self.reads(Memory::Activation, lanes, self.arch().act_bits);
        Ok(self.at(address)?[bank * lanes..(bank + 1) * lanes].to_vec())
    }

    /// Writes the `lanes` codes of a bank of an activation word.
    pub(super) fn write_bank(&mut self, address: u32, bank: usize, codes: &[u8]) -> Result<()> {
        let depth = self.activations.depth();
        let address = wrap(address, depth);
        self.writes(Memory::Activation, codes.len(), self.arch().act_bits);
        match self.activations.bank_mut(address, bank) {
            Some(place) => place.copy_from_slice(codes),
            None => return Err(self.beyond("writes", "activation", address, depth)),
        }
        Ok(())
    }

    /// Words `first..first + count` of the weight ROM.
    pub(super) fn weights(&self, first: usize, count: usize) -> Result<&'p [u64]> {
        let rom = &self.program.weights;
        self.reads(Memory::Weight, count, self.arch().cols as u32);
        rom.get(first..first + count)
            .ok_or_else(|| self.beyond("reads", "weight", first + count - 1, rom.len()))
    }

    /// Words `first..first + count` of the parameter ROM.
    pub(super) fn parameters(&self, first: usize, count: usize) -> Result<&'p [u64]> {
        let rom = &self.program.parameters;
        self.reads(Memory::Parameter, count, self.arch().parameter_bits());
        let last = first + count - 1;
        rom.get(first..first + count).ok_or_else(|| self.beyond("reads", "parameter", last, rom.len()))
    }

    /// Checks an entry of an accumulator bank.
    pub(super) fn check_accumulator(&self, entries: usize) -> Result<()> {
        let depth = self.arch().accumulator_depth;
        if entries > depth { Err(self.beyond("writes", "accumulator", entries - 1, depth)) } else { Ok(()) }
    }
}

/// An address register of a memory of `depth` words has no more bits than it needs.
fn wrap(address: u32, depth: usize) -> usize {
    address as usize & (depth.next_power_of_two() - 1)
}
