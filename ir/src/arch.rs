//! Every width and depth in which accelerators differ; the only source of them.

use crate::formats::{ACT_BITS, INPUT_BITS, MULTIPLIER_BITS};
use crate::{Error, Result, json, store};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::ops::{Range, RangeInclusive};
use std::path::Path;

/// The parts that an accelerator is written for: the form of its adders, multipliers and memories.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Target {
    /// Any part, by what its synthesis infers.
    #[default]
    Generic,
    /// Lattice ECP5: carry cells CCU2C, multipliers MULT18X18D and block RAM DP16KD with their own registers.
    Ecp5,
}

/// An accelerator. Written in TOML by people, in JSON inside a build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ArchConfig {
    /// R: rows of the array; input channels that enter in one cycle.
    pub rows: usize,
    /// C: columns of the array; output channels computed side by side.
    pub cols: usize,
    /// A: bits of a spike.
    pub act_bits: u32,
    /// Bits of an accumulator.
    pub acc_bits: u32,
    /// V: bits of a membrane potential.
    pub membrane_bits: u32,
    /// N: neuron lanes; divides `rows` and `cols`.
    pub lanes: usize,
    /// Words of `rows` spikes.
    pub activation_depth: usize,
    /// Sums of one column in each of the two accumulator banks.
    pub accumulator_depth: usize,
    /// Potentials of a lane, or more: those of a tile, as many as sums, have room, and where attention goes frame by frame,
    /// those of a whole map.
    pub potential_depth: usize,
    /// Currents of a lane that channel attention keeps; 0: an accelerator without attention.
    pub current_depth: usize,
    /// Sums of currents that attention keeps, one for each channel and step.
    pub sum_depth: usize,
    /// Words of `cols` weight bits.
    pub weight_depth: usize,
    /// Words of one neuron parameter.
    pub parameter_depth: usize,
    /// Bytes of the input buffer.
    pub input_depth: usize,
    /// Words of the schedule.
    pub schedule_depth: usize,
    /// Parts that it is written for. Files of before call this key `adder`.
    #[serde(alias = "adder")]
    pub target: Target,
}

/// Words of a memory.
const DEPTHS: RangeInclusive<usize> = 16..=1 << 24;

/// As a TOML file that [`ArchConfig::load`] reads.
impl fmt::Display for ArchConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&toml::to_string(self).map_err(|_| fmt::Error)?)
    }
}

/// A memory of the accelerator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// Tensors, in words of `rows` spikes.
    Activation,
    /// One of the two banks of a column's sums.
    Accumulator,
    /// Potentials of a lane.
    Potential,
    /// Currents of a lane.
    Current,
    /// Sums of currents.
    Sum,
    /// Words of `cols` weight bits.
    Weight,
    /// Parameters of neurons and biases of logits.
    Parameter,
    /// Bytes of one input.
    Input,
    /// Words of the schedule.
    Schedule,
}

impl Memory {
    /// All memories.
    pub const ALL: [Memory; 9] = [
        Memory::Activation,
        Memory::Accumulator,
        Memory::Potential,
        Memory::Current,
        Memory::Sum,
        Memory::Weight,
        Memory::Parameter,
        Memory::Input,
        Memory::Schedule,
    ];

    /// Words that it has in `arch`.
    pub fn depth(self, arch: &ArchConfig) -> usize {
        match self {
            Memory::Activation => arch.activation_depth,
            Memory::Accumulator => arch.accumulator_depth,
            Memory::Potential => arch.potential_depth.max(arch.accumulator_depth),
            Memory::Current => arch.current_depth,
            Memory::Sum => arch.sum_depth,
            Memory::Weight => arch.weight_depth,
            Memory::Parameter => arch.parameter_depth,
            Memory::Input => arch.input_depth,
            Memory::Schedule => arch.schedule_depth,
        }
    }

    /// Bits that a word of it takes in `arch`, in all lanes, columns and banks together.
    pub fn word_bits(self, arch: &ArchConfig) -> u32 {
        let (rows, cols, lanes) = (arch.rows as u32, arch.cols as u32, arch.lanes as u32);
        match self {
            Memory::Activation => rows * arch.act_bits,
            Memory::Accumulator => 2 * cols * arch.acc_bits,
            Memory::Potential | Memory::Current => lanes * arch.membrane_bits,
            Memory::Sum => arch.current_sum_bits(),
            Memory::Weight => cols,
            Memory::Parameter => arch.parameter_bits(),
            Memory::Input => INPUT_BITS,
            Memory::Schedule => u32::BITS,
        }
    }

    /// Key of [`ArchConfig`] that gives its depth.
    pub fn key(self) -> &'static str {
        match self {
            Memory::Activation => "activation_depth",
            Memory::Accumulator => "accumulator_depth",
            Memory::Potential => "potential_depth",
            Memory::Current => "current_depth",
            Memory::Sum => "sum_depth",
            Memory::Weight => "weight_depth",
            Memory::Parameter => "parameter_depth",
            Memory::Input => "input_depth",
            Memory::Schedule => "schedule_depth",
        }
    }

    /// In the middle of a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Memory::Activation => "activation memory",
            Memory::Accumulator => "accumulator bank",
            Memory::Potential => "potential memory",
            Memory::Current => "current memory",
            Memory::Sum => "memory of summed currents",
            Memory::Weight => "weight memory",
            Memory::Parameter => "parameter memory",
            Memory::Input => "input buffer",
            Memory::Schedule => "schedule",
        }
    }
}

impl Default for ArchConfig {
    fn default() -> Self {
        Self::sized(16, 16, 8)
    }
}

impl ArchConfig {
    /// Names of the presets.
    pub const PRESETS: [&'static str; 5] = ["4x4", "8x8", "16x16", "32x32", "24x40"];

    /// An array of `rows` x `cols` for `act_bits`-bit spikes, its memories sized to match.
    pub fn sized(rows: usize, cols: usize, act_bits: u32) -> Self {
        let lanes = (1..=8).rev().find(|n| rows.is_multiple_of(*n) && cols.is_multiple_of(*n)).unwrap_or(1);
        ArchConfig {
            rows,
            cols,
            act_bits,
            acc_bits: 28,
            membrane_bits: 16,
            lanes,
            activation_depth: (1 << 18) / rows.max(1).next_power_of_two(),
            accumulator_depth: 512,
            potential_depth: 1 << 12,
            current_depth: 1 << 12,
            sum_depth: 1 << 11,
            weight_depth: (1 << 20) / cols.max(1).next_power_of_two(),
            parameter_depth: 1 << 15,
            input_depth: 1 << 14,
            schedule_depth: 1 << 12,
            target: Target::Generic,
        }
    }

    /// The preset called `name`, with A = 8.
    pub fn preset(name: &str) -> Option<Self> {
        let (rows, cols) = Self::PRESETS.contains(&name).then(|| name.split_once('x'))??;
        Some(Self::sized(rows.parse().ok()?, cols.parse().ok()?, 8))
    }

    /// A preset's name or a TOML file.
    pub fn named(name: &str) -> Result<Self> {
        if let Some(arch) = Self::preset(name) {
            return Ok(arch);
        }
        if !Path::new(name).exists() {
            let message = format!("neither a preset ({}) nor a file", Self::PRESETS.join(", "));
            return Err(Error::invalid(format!("architecture `{name}`"), message));
        }
        Self::load(Path::new(name))
    }

    /// Reads a TOML file; keys left out keep the values of the 16x16 preset.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = store::read(path)?;
        let syntax = |message: String| Error::Syntax { path: path.into(), message };
        let arch: ArchConfig =
            toml::from_str(json::plain_text(path, &bytes)?).map_err(|e| syntax(e.to_string()))?;
        arch.validate().map_err(|error| error.of(path.into()))?;
        Ok(arch)
    }

    /// Every value is in the range that the hardware can be built for.
    pub fn validate(&self) -> Result<()> {
        let range = |name: &str, value: usize, range: RangeInclusive<usize>| match range.contains(&value) {
            true => Ok(()),
            false => Err(Error::invalid("architecture", format!("{name} = {value}, not {range:?}"))),
        };
        range("rows", self.rows, 1..=64)?;
        range("cols", self.cols, 1..=64)?;
        range("act_bits", self.act_bits as usize, *ACT_BITS.start() as usize..=*ACT_BITS.end() as usize)?;
        range("membrane_bits", self.membrane_bits as usize, 12..=24)?;
        range("acc_bits", self.acc_bits as usize, self.sum_bits() as usize..=32)?;
        range("lanes", self.lanes, 1..=16)?;
        for memory in Memory::ALL {
            match memory {
                Memory::Current | Memory::Sum if !self.has_attention() => {}
                Memory::Current if !DEPTHS.contains(&self.current_depth) => {
                    let message = format!(
                        "current_depth = {}, neither 0 (no attention) nor {DEPTHS:?}",
                        self.current_depth
                    );
                    return Err(Error::invalid("architecture", message));
                }
                // The memory is as deep as a tile needs in any case, but the key is a depth like the others.
                Memory::Potential => range(memory.key(), self.potential_depth, DEPTHS)?,
                _ => range(memory.key(), memory.depth(self), DEPTHS)?,
            }
        }
        range("lanes * act_bits", self.lanes * self.act_bits as usize, 1..=64)?;
        if !self.rows.is_multiple_of(self.lanes) || !self.cols.is_multiple_of(self.lanes) {
            let message =
                format!("lanes = {} must divide rows = {} and cols = {}", self.lanes, self.rows, self.cols);
            return Err(Error::invalid("architecture", message));
        }
        Ok(())
    }

    /// With memories as deep as `depth` says of each.
    pub fn with_depths(&self, depth: impl Fn(Memory) -> usize) -> Self {
        ArchConfig {
            activation_depth: depth(Memory::Activation),
            accumulator_depth: depth(Memory::Accumulator),
            potential_depth: depth(Memory::Potential),
            current_depth: depth(Memory::Current),
            sum_depth: depth(Memory::Sum),
            weight_depth: depth(Memory::Weight),
            parameter_depth: depth(Memory::Parameter),
            input_depth: depth(Memory::Input),
            schedule_depth: depth(Memory::Schedule),
            ..self.clone()
        }
    }

    /// It has channel attention (SECA).
    pub fn has_attention(&self) -> bool {
        self.current_depth > 0
    }

    /// Bits of a column's sum: `A + 1 + ceil(log2(rows))`.
    pub fn sum_bits(&self) -> u32 {
        self.act_bits + 1 + self.rows.next_power_of_two().ilog2()
    }

    /// Bits of a sum of all currents that are kept: they may be of one channel.
    pub fn current_sum_bits(&self) -> u32 {
        self.membrane_bits + self.current_depth.next_power_of_two().ilog2()
    }

    /// Bits of a parameter word: a multiplier or a membrane-format number.
    pub fn parameter_bits(&self) -> u32 {
        self.membrane_bits.max(MULTIPLIER_BITS)
    }

    /// Words of one activation word's banks: `rows / lanes`.
    pub fn banks(&self) -> usize {
        self.rows / self.lanes
    }

    /// Activation planes that an 8-bit input code is cut into: `ceil(8 / A)`.
    pub fn input_planes(&self) -> usize {
        (INPUT_BITS.div_ceil(self.act_bits)) as usize
    }

    /// Bits of an input code that plane `plane` holds; the last plane may reach beyond the code.
    pub fn plane_bits(&self, plane: usize) -> Range<usize> {
        let act_bits = self.act_bits as usize;
        plane * act_bits..(plane + 1) * act_bits
    }

    /// The part of an input code that plane `plane` holds.
    pub fn plane_of(&self, code: u8, plane: usize) -> u8 {
        let Range { start, end } = self.plane_bits(plane);
        (usize::from(code) >> start & ((1 << (end - start)) - 1)) as u8
    }

    /// Fewest cycles of one weight tile: its bits enter a row a cycle, and an accumulator's read,
    /// addition and write take [`ACCUMULATE_CYCLES`].
    pub fn min_tile_cycles(&self) -> usize {
        self.rows.max(ACCUMULATE_CYCLES)
    }
}

/// Cycles after which a written accumulator can be read again.
pub const ACCUMULATE_CYCLES: usize = 6;
