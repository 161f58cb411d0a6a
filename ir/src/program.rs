//! What the compiler emits: a schedule of descriptors, ROM images and a memory map; plain data.
//!
//! The sequencer reads the schedule ROM: word 0 is the build id, word 1 the bytes of an input, then one
//! record a step: an opcode and a fixed number of 32-bit fields. Address fields are taken modulo the memory's size, so that a negative
//! step is its two's complement. `docs/architecture.md` gives the loops that each field drives.

use crate::document::{Content, Document};
use crate::formats::MAX_TIME_STEPS;
use crate::{ArchConfig, Error, Result, Shape, store};
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::path::Path;

/// Most passes (digit planes x activation planes) of a convolution.
pub const MAX_PASSES: usize = 32;

/// A pooling window has at most `2^POOL_WINDOW_BITS` positions.
pub const POOL_WINDOW_BITS: u32 = 10;

/// Declares a descriptor: a struct of `u32` fields that are written to the schedule in this order.
macro_rules! descriptor {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $($(#[$field_doc])* pub $field: u32,)+ }

        impl $name {
            /// Field names in schedule order.
            pub const FIELDS: &'static [&'static str] = &[$(stringify!($field)),+];

            /// Values in schedule order.
            pub fn words(&self) -> Vec<u32> {
                vec![$(self.$field),+]
            }
        }
    };
}

descriptor! {
    /// Cuts windows out of the input buffer and packs them, (ky, kx, channel) innermost last, into
    /// activation words, so that the first convolution fills the array's rows; a code wider than A bits
    /// becomes planes of A bits.
    ///
    /// ```text
    /// for frame, y, x:  for ky, kx, channel:  append input[...] or zero_point
    /// ```
    Unfold {
        /// Input address of frame 0, window (0, 0), tap (0, 0), channel 0.
        in_origin,
        /// Rows of the input.
        in_height,
        /// Columns of the input.
        in_width,
        /// Channels of the input.
        channels,
        /// Side of the window.
        kernel,
        /// Step of the window.
        stride,
        /// Border on each side.
        padding,
        /// Code of the border.
        zero_point,
        /// Address step from the last channel of a window's row to the first of its next row.
        ky_step,
        /// Address step from a window to the next of its row.
        x_step,
        /// Address step from the last window of a row to the first of the next row.
        row_step,
        /// Address step from the last window of a frame to the first of the next frame.
        frame_step,
        /// Rows of windows.
        out_height,
        /// Windows of a row.
        out_width,
        /// Frames.
        frames,
        /// First activation word of plane 0 (the least significant bits).
        out_base,
        /// Words of one plane.
        plane_words,
    }
}

descriptor! {
    /// One convolution or linear layer on the array, and what happens to its accumulators.
    ///
    /// ```text
    /// for tile of positions:  for column block:
    ///     for pass:  for summed frame:  for ky, kx, channel block:      one weight tile
    ///         for frame:  for position of the tile:                     one vector a cycle
    ///     drain the accumulators: neuron (for group, step, position) or logits (for group)
    /// ```
    Conv {
        /// Activation address of frame 0, position (0, 0), tap (0, 0), block 0.
        in_origin,
        /// Rows of the map read.
        in_height,
        /// Columns of the map read.
        in_width,
        /// Side of the window.
        kernel,
        /// Step of the window.
        stride,
        /// Border on each side.
        padding,
        /// Code of the border.
        zero_point,
        /// Activation words of one position: channel blocks of `rows` channels.
        blocks,
        /// Banks of the last block that hold channels; the others read as 0.
        last_banks,
        /// Address step from the last tap of a window's row to the first of its next row.
        ky_step,
        /// Address step from a position to the next of its row.
        x_step,
        /// Address step from the last position of a row to the first of the next row.
        row_step,
        /// Address step from a frame to the next.
        frame_step,
        /// Frames streamed side by side: T, or 1 where the input does not change.
        frames,
        /// Frames added into the same accumulators: T for logits, else 1.
        summed_frames,
        /// Positions of a row of the result.
        out_width,
        /// Tiles of positions.
        tiles,
        /// Positions of every tile but the last.
        tile_positions,
        /// Positions of the last tile.
        last_tile_positions,
        /// Column blocks of `cols` output channels.
        column_blocks,
        /// Passes over all taps: one for +-1 weights, digit planes x activation planes for integers.
        passes,
        /// Bit i: pass i doubles the accumulator before it adds.
        double_mask,
        /// Activation plane of passes 0..=15, two bits each.
        planes_low,
        /// Activation plane of passes 16..=31.
        planes_high,
        /// Address step from an activation plane to the next.
        plane_step,
        /// First weight word; tiles follow in the order of the loops, `rows` words each.
        weight_base,
        /// 0: neuron; 1: logits.
        logits,
        /// Steps that the neuron walks.
        time_steps,
        /// Groups of `lanes` channels that exist.
        groups,
        /// First parameter word; `5 * lanes` words for each (group, step).
        parameter_base,
        /// Right shift of the requantizer.
        requant_shift,
        /// Right shift from membrane to spike.
        spike_shift,
        /// First activation word of the result.
        out_base,
        /// Words of one step of the result.
        out_frame_step,
        /// Words of one position of the result.
        out_blocks,
        /// Outputs of a linear layer.
        classes,
    }
}

descriptor! {
    /// Sums windows of codes and shifts them right.
    ///
    /// ```text
    /// for frame, y, x, block:  for ky, kx:  add;  write round_shift(sum, shift), saturated
    /// ```
    Pool {
        /// First activation word read.
        in_base,
        /// Rows of the window.
        kernel_height,
        /// Columns of the window.
        kernel_width,
        /// Address step from a tap to the next of its row: the words of a position.
        kx_step,
        /// Address step from the last tap of a window's row to the first of its next row.
        ky_step,
        /// Address step from a window's last block to the next window's first.
        x_step,
        /// Address step from a row's last window's last block to the next row's first window.
        row_step,
        /// Address step from a frame's last window's last block to the next frame's first window.
        frame_step,
        /// Words of a position.
        blocks,
        /// Rows of the result.
        out_height,
        /// Columns of the result.
        out_width,
        /// Frames.
        frames,
        /// Right shift of the sum.
        shift,
        /// First activation word of the result; words follow in the order of the loops.
        out_base,
    }
}

/// A step's descriptor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "unit", rename_all = "snake_case")]
pub enum Descriptor {
    /// Window packing.
    Unfold(Unfold),
    /// Array and neuron unit.
    Conv(Box<Conv>),
    /// Pooling.
    Pool(Pool),
}

/// Words of the schedule before the first step: build id and input length.
pub const SCHEDULE_HEADER: usize = 2;
/// Opcode of the end of the schedule.
pub const OPCODE_END: u32 = 0;
/// Opcode of [`Unfold`].
pub const OPCODE_UNFOLD: u32 = 1;
/// Opcode of [`Conv`].
pub const OPCODE_CONV: u32 = 2;
/// Opcode of [`Pool`].
pub const OPCODE_POOL: u32 = 3;

impl Descriptor {
    /// Opcode and fields.
    pub fn words(&self) -> Vec<u32> {
        let (opcode, fields) = match self {
            Descriptor::Unfold(d) => (OPCODE_UNFOLD, d.words()),
            Descriptor::Conv(d) => (OPCODE_CONV, d.words()),
            Descriptor::Pool(d) => (OPCODE_POOL, d.words()),
        };
        std::iter::once(opcode).chain(fields).collect()
    }
}

/// One entry of the schedule, with what people and checks need to know about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Node of the integer network whose result the step writes; the input's unfolding writes `input`.
    pub node: String,
    /// What runs.
    pub descriptor: Descriptor,
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
        let steps = self.steps.iter().flat_map(|s| s.descriptor.words());
        let header = [self.build_id, self.input_bytes() as u32];
        let words = header.into_iter().chain(steps).chain([OPCODE_END]);
        words.map(u64::from).collect()
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
    const VERSION: u32 = 1;
    const FILE: &'static str = "program.json";

    /// The architecture can be built, and nothing that is computed from the sizes overflows.
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
            None => Ok(()),
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
        false => Err(bad(format!("has {} words, program.json says {count}; compile again", words.len()))),
    }
}
