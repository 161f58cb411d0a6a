//! What the compiler emits: a schedule of descriptors, ROM images and a memory map; plain data.
//!
//! [`crate::isa`] describes the schedule, and `docs/architecture.md` the loops that it drives.

use crate::arch::Memory;
use crate::document::{Content, Document};
use crate::formats::MAX_TIME_STEPS;
use crate::isa::{self, Drain, LimitError, Schedule, Task};
use crate::name::check_name;
use crate::rom::{crc, read_mem, write_mem};
use crate::{ArchConfig, Error, Result, Shape};
use serde::{Deserialize, Serialize};
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
    /// What its lanes compute, where it is no linear layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currents: Option<Currents>,
}

/// Currents that a drain computes. They exist in the lanes alone: checks look there for them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Currents {
    /// Shape of one frame.
    pub shape: Shape,
    /// The time-step of its first run.
    pub first_step: usize,
    /// Node whose currents are those of the sums, or those that were kept, scaled.
    pub sums: String,
    /// What is added to them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added: Option<Added>,
}

/// A shortcut's part in the currents of a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Added {
    /// Node of the shortcut's currents.
    pub shortcut: String,
    /// Node that adds them.
    pub sum: String,
}

impl Step {
    /// The descriptor of its drain.
    pub fn drain(&self) -> Option<&Drain> {
        match &self.task {
            Task::Array(array) => Some(&array.drain),
            Task::Drain(drain) => Some(drain),
            Task::Unfold(_) | Task::Pool(_) => None,
        }
    }
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
    /// Indices of the first and the last step that write it.
    pub written_by: [usize; 2],
}

/// Words that a program takes of each memory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemoryUse {
    /// Activation words.
    pub activation: usize,
    /// Entries of an accumulator bank.
    pub accumulator: usize,
    /// Potentials of a lane.
    pub potential: usize,
    /// Currents of a lane.
    pub current: usize,
    /// Sums of currents.
    pub sum: usize,
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
            Memory::Potential => self.potential,
            Memory::Current => self.current,
            Memory::Sum => self.sum,
            Memory::Weight => self.weight,
            Memory::Parameter => self.parameter,
            Memory::Input => self.input,
            Memory::Schedule => self.schedule,
        }
    }
}

/// CRC-32C of the files of the ROM images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checksums {
    /// Of [`WEIGHTS_MEM`].
    pub weights: u32,
    /// Of [`PARAMETERS_MEM`].
    pub parameters: u32,
    /// Of [`SCHEDULE_MEM`].
    pub schedule: u32,
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
    /// Of the ROM images; [`Program::sealed`] computes them.
    pub checksums: Checksums,
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
            if !self.has_currents(step) {
                let message = "`currents` are not those of its drain; compile again";
                return Err(Error::invalid(format!("node `{}`", step.node), message));
            }
        }
        Ok(())
    }

    /// With the checksums of its ROM images.
    pub fn sealed(mut self) -> Self {
        self.checksums = Checksums {
            weights: crc(&self.weights, self.arch.cols as u32),
            parameters: crc(&self.parameters, self.arch.parameter_bits()),
            schedule: crc(&self.schedule(), 32),
        };
        self
    }

    /// The currents of `step` are those of its drain's runs.
    fn has_currents(&self, step: &Step) -> bool {
        match (&step.currents, step.drain()) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(Currents { shape, first_step, added, .. }), Some(drain)) => {
                shape.is_sensible()
                    && *first_step < self.time_steps
                    && drain.time_steps as usize <= self.time_steps - first_step
                    && shape.positions() as u64 == drain.positions()
                    && added.is_some() == drain.has_shortcut()
            }
        }
    }

    /// Bytes of one input.
    pub fn input_bytes(&self) -> usize {
        self.input_frames * self.input.elements()
    }

    /// Writes `program.json` and the ROM images into `folder`, `program.json` last.
    pub fn save(&self, folder: &Path) -> Result<()> {
        Document::save(self, folder)
    }

    /// Reads what [`Program::save`] writes. The ROM images must have their checksums, and the schedule ROM be the one
    /// of `program.json`.
    pub fn load(folder: &Path) -> Result<Self> {
        Document::load(folder)
    }
}

impl Content for Program {
    const FORMAT: &'static str = "empf-program";
    const VERSION: u32 = 7;
    const FILE: &'static str = "program.json";
    const AGAIN: &'static str = "compile again";

    /// The architecture can be built and runs every step, and nothing that is computed from the sizes overflows.
    fn validate(&self) -> Result<()> {
        self.arch.validate()?;
        check_name(&self.name)?;
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
        self.validate_files(folder)?;
        let Program { arch, memory, checksums, .. } = &*self;
        let read = |name, bits, count, crc| read_mem(&folder.join(name), bits, count, crc);
        let weights = read(WEIGHTS_MEM, arch.cols as u32, memory.weight, checksums.weights)?;
        let parameters = read(PARAMETERS_MEM, arch.parameter_bits(), memory.parameter, checksums.parameters)?;
        let schedule = read(SCHEDULE_MEM, 32, memory.schedule, checksums.schedule)?;
        if schedule != self.schedule() {
            let context = folder.join(SCHEDULE_MEM).display().to_string();
            return Err(Error::invalid(context, "is not the schedule of program.json; compile again"));
        }
        (self.weights, self.parameters) = (weights, parameters);
        Ok(())
    }
}
