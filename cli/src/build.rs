//! A compiled network in a folder; `docs/format.md` lists its files.

use crate::error::{Error, Result};
use crate::folder::{self, Kind};
use crate::report::Report;
use empf_compiler::lower;
use empf_ir::program::{PARAMETERS_MEM, SCHEDULE_MEM, WEIGHTS_MEM};
use empf_ir::{Network, Program, QuantNetwork, Shape, counted, store};
use empf_sim::bench::{self, Stimulus};
use empf_sim::{Engine, GoldenEngine};
use std::path::{Path, PathBuf};

/// Name of the Verilog file.
pub(crate) const VERILOG: &str = "accel.v";
/// Name of the program's file.
const PROGRAM: &str = "program.json";
/// Name of the compiler's report.
const REPORT: &str = "report.json";
/// By this file a folder is known to be a build.
pub(crate) const MARKER: &str = "quant.json";
/// All files of a build.
pub(crate) const KIND: Kind = Kind {
    header: MARKER,
    mark: "empf-quant-network",
    files: &[
        "network.json",
        "weights.safetensors",
        "quant.safetensors",
        PROGRAM,
        WEIGHTS_MEM,
        PARAMETERS_MEM,
        SCHEDULE_MEM,
        "weights.vh",
        "parameters.vh",
        "schedule.vh",
        VERILOG,
        REPORT,
        "tb/bench.v",
        "tb/stimuli.vh",
        "tb/input.mem",
        "tb/expected.mem",
        "tb/files.f",
    ],
};
/// Folder of the bench.
const BENCH: &str = "tb";

/// A network and what the compiler made of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Build {
    /// Where it is, or is to be.
    pub(crate) folder: PathBuf,
    /// The float network that all comes from.
    pub(crate) network: Network,
    /// What every engine computes.
    pub(crate) quant: QuantNetwork,
    /// What it runs on, unless it was compiled to integers only.
    pub(crate) hardware: Option<Hardware>,
}

/// An accelerator and what it reads.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Hardware {
    /// What the accelerator reads.
    pub(crate) program: Program,
    /// The accelerator.
    pub(crate) verilog: String,
}

impl Hardware {
    fn load(folder: &Path) -> Result<Self> {
        let verilog = store::read(&folder.join(VERILOG))?;
        let program = Program::load(folder)?;
        for (file, text) in included_images(&program) {
            if store::read(&folder.join(&file))? != text.as_bytes() {
                return Err(Error::file(
                    folder.join(file),
                    "is not the ROM image of the program; compile again",
                ));
            }
        }
        let verilog = String::from_utf8(verilog).map_err(|e| Error::file(folder.join(VERILOG), e))?;
        Ok(Hardware { program, verilog })
    }
}

/// Images that the Verilog includes for synthesis, as names of files and their texts.
fn included_images(program: &Program) -> Vec<(String, String)> {
    let words = [&program.weights[..], &program.parameters, &program.schedule()];
    empf_hw::included_images(&program.arch, words)
}

impl Build {
    /// Reads a build whose parts belong together. The report is not looked at.
    pub(crate) fn load(folder: &Path) -> Result<Self> {
        if !folder.join(MARKER).exists() {
            let message = format!("is no build, it has no {MARKER}; `empf compile` writes one");
            return Err(Error::file(folder, message));
        }
        // One file of an accelerator calls for the others.
        let has_hardware = [PROGRAM, VERILOG, REPORT].iter().any(|file| folder.join(file).exists());
        let build = Build {
            folder: folder.into(),
            network: Network::load(folder)?,
            quant: QuantNetwork::load(folder)?,
            hardware: has_hardware.then(|| Hardware::load(folder)).transpose()?,
        };
        build.check().map_err(|message| Error::file(folder, message))?;
        Ok(build)
    }

    /// The accelerator, which `what` needs.
    pub(crate) fn hardware(&self, what: &str) -> Result<&Hardware> {
        let message =
            format!("needs an accelerator, and `{}` was compiled to integers only", self.quant.name);
        self.hardware.as_ref().ok_or_else(|| Error::file(what, message))
    }

    /// Writes the build to its folder, with the report of one that has an accelerator and a bench that runs `inputs`,
    /// whole or not at all; an older build is replaced.
    pub(crate) fn write(&self, report: Option<&Report>, inputs: &[Vec<u8>]) -> Result<()> {
        self.check().map_err(|message| Error::file(&self.folder, message))?;
        folder::write(&self.folder, KIND, |new| {
            self.network.save(new)?;
            self.quant.save(new)?;
            if let Some(Hardware { program, verilog }) = &self.hardware {
                store::write(&new.join(VERILOG), verilog.as_bytes())?;
                program.save(new)?;
                for (file, text) in included_images(program) {
                    store::write(&new.join(file), text.as_bytes())?;
                }
                self.write_bench(&new.join(BENCH), program, inputs)?;
            }
            report.map_or(Ok(()), |report| Ok(store::write_json(&new.join(REPORT), report)?))
        })
    }

    /// Writes a bench that holds the accelerator to the golden model.
    fn write_bench(&self, folder: &Path, program: &Program, inputs: &[Vec<u8>]) -> Result<()> {
        let mut golden = GoldenEngine::new(&self.quant);
        let stimulus =
            |input: &Vec<u8>| Ok(Stimulus { input: input.clone(), logits: golden.run(input)?.logits });
        let stimuli = inputs.iter().map(stimulus).collect::<Result<Vec<_>>>()?;
        store::create_dir(folder)?;
        Ok(bench::write(folder, program, &stimuli)?)
    }

    /// Network, integer network and program, if any, are of one origin, or how they differ.
    fn check(&self) -> std::result::Result<(), String> {
        let Build { network, quant, hardware, .. } = self;
        let enters = |time_steps: usize, classes: usize, frames: usize, shape: Shape| {
            format!("T = {time_steps}, {}, input {frames}x{shape}", counted(classes, "class"))
        };
        let differ = |text: &str, other: &str| {
            let message = format!("its parts differ: {text} and {other}; compile again");
            if text == other { Ok(()) } else { Err(message) }
        };
        let whole = enters(network.time_steps, network.classes, network.input.frames, network.input.shape());
        differ(&whole, &enters(quant.time_steps, quant.classes, quant.input.frames, quant.input.shape()))?;
        if network.class_names != quant.class_names {
            return Err("network.json and quant.json give the classes other names; compile again".into());
        }
        let Some(Hardware { program, .. }) = hardware else { return Ok(()) };
        differ(&whole, &enters(program.time_steps, program.classes, program.input_frames, program.input))?;
        let made = lower(quant, &program.arch).map_err(|e| format!("quant.json cannot be compiled: {e}"))?;
        if made.build_id != program.build_id {
            return Err(format!(
                "program.json is of build {:08x}, quant.json gives {:08x}; compile again",
                program.build_id, made.build_id
            ));
        }
        if made != *program {
            return Err(
                "program.json or a ROM image is not what quant.json compiles to; compile again".into()
            );
        }
        Ok(())
    }
}
