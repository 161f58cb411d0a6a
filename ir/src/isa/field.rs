//! A field of a descriptor: what it holds, how many bits its register has, and which numbers it takes.

use super::limit::{Limit, LimitError};
use crate::ArchConfig;
use crate::arch::Memory;
use std::ops::RangeInclusive;

/// Bits of a word of the schedule; a field has at most as many.
pub const WORD_BITS: u32 = 32;

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Address of a word that exists.
    Address(Memory),
    /// An address, or a distance between two, modulo `2^bits`: the address registers of a memory wrap, so that
    /// a negative distance is its two's complement, and the corner of a border has an address too.
    Offset(Memory),
    /// 1 to a limit.
    Count(Limit),
    /// 0 to a limit.
    Number(Limit),
    /// So many bits, of a layout of their own.
    Bits(u32),
}

/// A field of a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Name in the descriptor, in `program.json` and of the register.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// What it means, in one line.
    pub meaning: &'static str,
}

/// Address of the last word of a memory; 0 of one that the accelerator does not have.
fn last_word(memory: Memory, arch: &ArchConfig) -> u32 {
    (memory.depth(arch) as u32).saturating_sub(1)
}

/// Bits of a register that holds `0..=max`.
fn bits_to_hold(max: u32) -> u32 {
    (u32::BITS - max.leading_zeros()).max(1)
}

impl Field {
    /// Bits of its register.
    pub fn bits(&self, arch: &ArchConfig) -> u32 {
        match self.kind {
            Kind::Address(memory) | Kind::Offset(memory) => bits_to_hold(last_word(memory, arch)),
            Kind::Count(limit) | Kind::Number(limit) => bits_to_hold(limit.max(arch)),
            Kind::Bits(bits) => bits,
        }
    }

    /// Values that the register may hold.
    pub fn range(&self, arch: &ArchConfig) -> RangeInclusive<u32> {
        match self.kind {
            Kind::Address(memory) => 0..=last_word(memory, arch),
            Kind::Count(limit) => 1..=limit.max(arch),
            Kind::Number(limit) => 0..=limit.max(arch),
            Kind::Offset(_) | Kind::Bits(_) => 0..=self.mask(arch),
        }
    }

    /// The register's value for the number `exact`.
    ///
    /// # Errors
    /// The number is not in the field's range; every number has an offset.
    pub fn encode(&self, exact: i64, arch: &ArchConfig) -> Result<u32, LimitError> {
        if let Kind::Offset(_) = self.kind {
            return Ok(exact as u32 & self.mask(arch));
        }
        let range = self.range(arch);
        match u32::try_from(exact) {
            Ok(value) if range.contains(&value) => Ok(value),
            _ => Err(self.refuse(exact, arch)),
        }
    }

    /// The register's value is one that the field may have.
    ///
    /// # Errors
    /// It is not.
    pub fn check(&self, value: u32, arch: &ArchConfig) -> Result<(), LimitError> {
        if self.range(arch).contains(&value) { Ok(()) } else { Err(self.refuse(value.into(), arch)) }
    }

    /// What the register keeps of a word of the schedule.
    pub fn decode(&self, word: u32, arch: &ArchConfig) -> u32 {
        word & self.mask(arch)
    }

    fn mask(&self, arch: &ArchConfig) -> u32 {
        u32::MAX >> (WORD_BITS - self.bits(arch))
    }

    fn refuse(&self, value: i64, arch: &ArchConfig) -> LimitError {
        let range = self.range(arch);
        let advice = match self.kind {
            Kind::Address(memory) | Kind::Offset(memory) => format!("raise `{}`", memory.key()),
            Kind::Count(limit) | Kind::Number(limit) => limit.advice().into(),
            Kind::Bits(_) => "a limit of the hardware".into(),
        };
        let what = self.meaning.trim_end_matches('.').into();
        LimitError { what, value, min: (*range.start()).into(), max: (*range.end()).into(), advice }
    }
}
