//! What the compiler emits: a schedule of descriptors, ROM images and a memory map; plain data.
//!
//! [`crate::isa`] describes the schedule, and `docs/architecture.md` the loops that it drives.

use crate::arch::Memory;
use crate::document::{Content, Document};
use crate::formats::MAX_TIME_STEPS;
use crate::isa::{self, LimitError, Schedule, Task};
use crate::{ArchConfig, Error, Result, Shape, counted, store};
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::path::Path;

/// One entry of the schedule, with what people and checks need to know about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Node of the integer network whose result the step writes; the input's unfolding writes `input`.
    pub node: String,
    /// What runs.
    pub task: Task,
    /// Useful additions: one for each weight digit that meets an activation, borders included.
    pub additions: u64,
}

/// Where a tensor lies in the activation memory, `[frame][y][x][block]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Placement {
    /// Node whose result it is.
    pub node: String,
    /// First word.
    pub base: u32,
    /// Words.
    pub words: u32,
    /// Frames.
    pub frames: u32,
    /// Shape of one frame.
    pub shape: Shape,
    /// Index of the step that writes it.
    pub written_by: usize,
}

/// Words that a program takes of each memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryUse {
    /// Activation words.
    pub activation: usize,
    /// Entries of an accumulator bank.
    pub accumulator: usize,
    /// Weight words.
    pub weight: usize,
    /// Parameter words.
    pub parameter: usize,
    /// Input bytes.
    pub input: usize,
    /// Schedule words.
    pub schedule: usize,
}

impl MemoryUse {
    /// Words of `memory`.
    pub fn of(&self, memory: Memory) -> usize {
        match memory {
            Memory::Activation => self.activation,
            Memory::Accumulator => self.accumulator,
            Memory::Weight => self.weight,
            Memory::Parameter => self.parameter,
            Memory::Input => self.input,
            Memory::Schedule => self.schedule,
        }
    }
}

/// A compiled network; its fields are the keys of `program.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// The network's name.
    pub name: String,
    /// The accelerator it was compiled for.
    pub arch: ArchConfig,
    /// First 32 bits of a hash of network and architecture.
    pub build_id: u32,
    /// T.
    pub time_steps: usize,
    /// Number of logits.
    pub classes: usize,
    /// Shape of an input frame; the stream's order is `[frame][y][x][channel]`, a byte each.
    pub input: Shape,
    /// Input frames.
    pub input_frames: usize,
    /// In execution order.
    pub steps: Vec<Step>,
    /// Tensors in the activation memory.
    pub placements: Vec<Placement>,
    /// Memory needed.
    pub memory: MemoryUse,
    /// Weight ROM: bit c of a word is column c's weight, 1 for +1.
    #[serde(skip)]
    pub weights: Vec<u64>,
    /// Parameter ROM, two's complement in `ArchConfig::parameter_bits` bits.
    #[serde(skip)]
    pub parameters: Vec<u64>,
}

/// File names of the ROM images, as the emitted Verilog reads them.
pub const WEIGHTS_MEM: &str = "weights.mem";
/// See [`WEIGHTS_MEM`].
pub const PARAMETERS_MEM: &str = "parameters.mem";
/// See [`WEIGHTS_MEM`].
pub const SCHEDULE_MEM: &str = "schedule.mem";

impl Program {
    /// Words of the schedule ROM.
    pub fn schedule(&self) -> Vec<u64> {
        let steps = self.steps.iter().map(|step| step.task.clone()).collect();
        let (build_id, input_length) = (self.build_id, self.input_bytes() as u32);
        let words = Schedule { build_id, input_length, steps }.words();
        words.into_iter().map(u64::from).collect()
    }

    /// The accelerator takes the input and can run every step.
    ///
    /// # Errors
    /// The first number that is beyond a limit, with the step's node.
    pub fn check(&self) -> Result<()> {
        let program = |e: LimitError| Error::invalid(format!("program `{}`", self.name), e.to_string());
        isa::check_input(self.input_bytes(), &self.arch).map_err(program)?;
        for step in &self.steps {
            let refused = |e: LimitError| Error::invalid(format!("node `{}`", step.node), e.to_string());
            step.task.check(&self.arch).map_err(refused)?;
        }
        Ok(())
    }

    /// Bytes of one input.
    pub fn input_bytes(&self) -> usize {
        self.input_frames * self.input.elements()
    }

    /// Writes `program.json` and the ROM images into `folder`, `program.json` last.
    pub fn save(&self, folder: &Path) -> Result<()> {
        Document::save(self, folder)
    }

    /// Reads what [`Program::save`] writes. The schedule ROM must be the one of `program.json`.
    pub fn load(folder: &Path) -> Result<Self> {
        Document::load(folder)
    }
}

impl Content for Program {
    const FORMAT: &'static str = "empf-program";
    const VERSION: u32 = 2;
    const FILE: &'static str = "program.json";
    const AGAIN: &'static str = "compile again";

    /// The architecture can be built and runs every step, and nothing that is computed from the sizes overflows.
    fn validate(&self) -> Result<()> {
        self.arch.validate()?;
        let steps = 1..=MAX_TIME_STEPS;
        let tensors =
            self.placements.iter().all(|p| p.shape.is_sensible() && steps.contains(&(p.frames as usize)));
        let sizes = [
            ("time_steps", steps.contains(&self.time_steps)),
            ("input_frames", steps.contains(&self.input_frames)),
            ("input", self.input.is_sensible()),
            ("placements", tensors),
        ];
        match sizes.iter().find(|(_, sensible)| !sensible) {
            Some((key, _)) => {
                let message = format!("`{key}` of program.json has no sensible size; compile again");
                Err(Error::invalid(format!("program `{}`", self.name), message))
            }
            None => self.check(),
        }
    }

    fn write_beside(&self, folder: &Path) -> Result<()> {
        write_mem(&folder.join(WEIGHTS_MEM), &self.weights, self.arch.cols as u32)?;
        write_mem(&folder.join(PARAMETERS_MEM), &self.parameters, self.arch.parameter_bits())?;
        write_mem(&folder.join(SCHEDULE_MEM), &self.schedule(), 32)
    }

    fn read_beside(&mut self, folder: &Path) -> Result<()> {
        self.validate()?;
        let Program { arch, memory, .. } = &*self;
        let weights = read_mem(&folder.join(WEIGHTS_MEM), arch.cols as u32, memory.weight)?;
        let parameters = read_mem(&folder.join(PARAMETERS_MEM), arch.parameter_bits(), memory.parameter)?;
        let schedule = read_mem(&folder.join(SCHEDULE_MEM), 32, memory.schedule)?;
        if schedule != self.schedule() {
            let context = folder.join(SCHEDULE_MEM).display().to_string();
            return Err(Error::invalid(context, "is not the schedule of program.json; compile again"));
        }
        (self.weights, self.parameters) = (weights, parameters);
        Ok(())
    }
}

/// Writes a `$readmemh` image, one word of `bits` bits a line.
pub fn write_mem(path: &Path, words: &[u64], bits: u32) -> Result<()> {
    let digits = bits.div_ceil(4) as usize;
    let mut text = String::with_capacity(words.len() * (digits + 1));
    for word in words {
        writeln!(text, "{word:0digits$x}").expect("writing to a string");
    }
    store::write(path, text.as_bytes())
}

/// Reads a `$readmemh` image of exactly `count` words of `bits` bits.
pub fn read_mem(path: &Path, bits: u32, count: usize) -> Result<Vec<u64>> {
    let bytes = store::read(path)?;
    let bad = |message: String| Error::invalid(path.display().to_string(), message);
    let text = std::str::from_utf8(&bytes).map_err(|e| bad(e.to_string()))?;
    let words = (text.lines().enumerate())
        .map(|(i, line)| match u64::from_str_radix(line, 16) {
            Ok(word) if bits >= 64 || word >> bits == 0 => Ok(word),
            _ => Err(bad(format!("line {}: `{line}` is not a hexadecimal word of {bits} bits", i + 1))),
        })
        .collect::<Result<Vec<u64>>>()?;
    match words.len() == count {
        true => Ok(words),
        false => Err(bad(format!(
            "has {}, program.json says {count}; compile again",
            counted(words.len(), "word")
        ))),
    }
}
