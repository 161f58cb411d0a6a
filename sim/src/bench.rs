//! A self-checking bench of a program's accelerator in plain Verilog, for simulators without this toolkit.
//!
//! The engine [`crate::Icarus`] runs the same bench, which then prints what happens.

use crate::{Interpreter, Result};
use empf_ir::rom::write_mem;
use empf_ir::{Program, store};
use std::path::Path;

/// The files of a bench.
pub const FILES: [&str; 5] = [BENCH, STIMULI, INPUT, EXPECTED, LIST];
/// Name of the module.
pub(crate) const MODULE: &str = "empf_bench";
/// Name of the file that holds the module.
pub(crate) const BENCH: &str = "bench.v";
/// Inputs, one after the other.
pub(crate) const INPUT: &str = "input.mem";
const STIMULI: &str = "stimuli.vh";
const EXPECTED: &str = "expected.mem";
const LIST: &str = "files.f";

/// Cycles of patience beyond what is expected.
const PATIENCE: u64 = 10_000;
/// By how much pauses may lengthen an inference.
const PAUSED: u64 = 8;

/// An input and its logits.
pub struct Stimulus {
    /// Codes, `[frame][y][x][channel]`.
    pub input: Vec<u8>,
    /// What the accelerator must give.
    pub logits: Vec<i32>,
}

/// Writes the bench of `program` with `stimuli` into `folder`, beside whose parent's `accel.v` and images it runs.
///
/// # Errors
/// A file cannot be written, or the program has no schedule.
pub fn write(folder: &Path, program: &Program, stimuli: &[Stimulus]) -> Result<()> {
    let logits = stimuli.iter().flat_map(|s| &s.logits).map(|logit| u64::from(*logit as u32));
    write_module(folder, &Settings::new(program, stimuli.len())?)?;
    write_inputs(folder, stimuli.iter().map(|s| &s.input[..]))?;
    write_mem(&folder.join(EXPECTED), &logits.collect::<Vec<_>>(), u32::BITS)?;
    store::write(&folder.join(LIST), format!("../accel.v\n{BENCH}\n").as_bytes())?;
    Ok(())
}

/// Writes `inputs` as the bench reads them.
pub(crate) fn write_inputs<'a>(folder: &Path, inputs: impl IntoIterator<Item = &'a [u8]>) -> Result<()> {
    let codes: Vec<u64> = inputs.into_iter().flatten().copied().map(u64::from).collect();
    Ok(write_mem(&folder.join(INPUT), &codes, u8::BITS)?)
}

/// Writes the module and its constants.
pub(crate) fn write_module(folder: &Path, settings: &Settings) -> Result<()> {
    store::write(&folder.join(BENCH), include_bytes!("bench/bench.v"))?;
    Ok(store::write(&folder.join(STIMULI), settings.text().as_bytes())?)
}

/// The bench's constants.
pub(crate) struct Settings<'p> {
    program: &'p Program,
    inferences: usize,
    predicted: u64,
    /// Folder of the ROM images.
    images: &'static str,
    trace: bool,
}

impl<'p> Settings<'p> {
    /// A bench that checks `inferences` inferences of `program`.
    pub(crate) fn new(program: &'p Program, inferences: usize) -> Result<Self> {
        let predicted = Interpreter::new(program)?.predicted_cycles();
        Ok(Settings { program, inferences, predicted, images: "../", trace: false })
    }

    /// A bench that prints what happens in one inference of `program`, whose images plusargs name.
    pub(crate) fn trace(program: &'p Program) -> Result<Self> {
        Ok(Settings { images: "./", trace: true, ..Self::new(program, 1)? })
    }

    /// Most cycles of an inference, its input included.
    pub(crate) fn limit(&self) -> u64 {
        let expected = self.predicted + self.program.input_bytes() as u64;
        (PATIENCE + PAUSED * expected).min(i32::MAX as u64)
    }

    fn text(&self) -> String {
        let (program, limit) = (self.program, self.limit());
        format!(
            "localparam BYTES = {}, LOGITS = {}, INFERENCES = {};\n\
             localparam [31:0] PREDICTED = 32'd{}, LIMIT = 32'd{limit}, BUILD_ID = 32'h{:08x};\n\
             localparam TRACE = 1'd{};\n\
             localparam MEM_PATH = \"{}\";\n",
            program.input_bytes(),
            program.classes,
            self.inferences,
            self.predicted,
            program.build_id,
            u8::from(self.trace),
            self.images,
        )
    }
}
