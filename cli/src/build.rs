//! A compiled network in a folder; `docs/format.md` lists its files.

use crate::error::{Error, Result};
use crate::folder;
use empf_compiler::lower;
use empf_ir::{Network, Program, QuantNetwork, Shape, store};
use serde::Serialize;
use std::path::Path;

/// Name of the Verilog file.
pub(crate) const VERILOG: &str = "accel.v";
/// Name of the compiler's report.
const REPORT: &str = "report.json";
/// By this file a folder is known to be a build.
pub(crate) const MARKER: &str = "program.json";

/// A network, what the compiler made of it, and the accelerator it runs on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Build {
    /// The float network that all comes from.
    pub(crate) network: Network,
    /// What every engine computes.
    pub(crate) quant: QuantNetwork,
    /// What the accelerator reads.
    pub(crate) program: Program,
    /// The accelerator.
    pub(crate) verilog: String,
}

impl Build {
    /// Reads a build whose parts belong together. The report is not looked at.
    pub(crate) fn load(folder: &Path) -> Result<Self> {
        if !folder.join(MARKER).exists() {
            let message = format!("is no build, it has no {MARKER}; `empf compile` writes one");
            return Err(Error::file(folder, message));
        }
        let verilog = store::read(&folder.join(VERILOG))?;
        let build = Build {
            network: Network::load(folder)?,
            quant: QuantNetwork::load(folder)?,
            program: Program::load(folder)?,
            verilog: String::from_utf8(verilog).map_err(|e| Error::file(folder.join(VERILOG), e))?,
        };
        build.check().map_err(|message| Error::file(folder, message))?;
        Ok(build)
    }

    /// Writes the build and its report to `folder`, whole or not at all; an older build is replaced.
    pub(crate) fn write(&self, folder: &Path, report: &impl Serialize) -> Result<()> {
        self.check().map_err(|message| Error::file(folder, message))?;
        folder::write(folder, MARKER, |new| {
            self.network.save(new)?;
            self.quant.save(new)?;
            store::write(&new.join(VERILOG), self.verilog.as_bytes())?;
            store::write_json(&new.join(REPORT), report)?;
            Ok(self.program.save(new)?)
        })
    }

    /// Network, integer network and program are of one origin, or how they differ.
    fn check(&self) -> std::result::Result<(), String> {
        let Build { network, quant, program, .. } = self;
        let enters = |time_steps: usize, classes: usize, frames: usize, shape: Shape| {
            format!("T = {time_steps}, {classes} classes, input {frames}x{shape}")
        };
        let texts = [
            enters(network.time_steps, network.classes, network.input.frames, network.input.shape()),
            enters(quant.time_steps, quant.classes, quant.input.frames, quant.input.shape()),
            enters(program.time_steps, program.classes, program.input_frames, program.input),
        ];
        if let Some(other) = texts.iter().find(|text| **text != texts[0]) {
            return Err(format!("its parts differ: {} and {other}; compile again", texts[0]));
        }
        let made = lower(quant, &program.arch).map_err(|e| format!("quant.json cannot be compiled: {e}"))?;
        if made.build_id != program.build_id {
            return Err(format!(
                "program.json is of build {:08x}, quant.json gives {:08x}; compile again",
                program.build_id, made.build_id
            ));
        }
        Ok(())
    }
}
