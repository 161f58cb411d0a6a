//! The accelerator's top module as an engine.

use super::build::Purpose;
use super::model::{Instance, Object, Port};
use super::progress::Progress;
use super::record::{Record, control, lanes_show};
use super::waves::Waves;
use crate::activation::ActivationMemory;
use crate::capture::{self, replay};
use crate::compare::{LOGITS, Mismatch, Seen};
use crate::lanes::{self, Lanes};
use crate::origin::{Origin, RESET_CYCLES};
use crate::roms::Roms;
use crate::writer::writer;
use crate::{Engine, Error, Interpreter, Promise, Result, check_input};
use empf_ir::{ArchConfig, Program, Trace};
use std::ffi::{CString, c_char, c_int, c_void};
use std::path::Path;
use std::sync::Arc;

/// Name of the accelerator's module.
const TOP: &str = "empf_top";

type Run = unsafe extern "C" fn(
    *mut c_void,
    *const u8,
    usize,
    *mut i32,
    usize,
    u64,
    u64,
    c_int,
    *mut u32,
    *mut u64,
    *mut c_void,
) -> c_int;

/// Cycles of patience beyond twice what is expected.
const PATIENCE: u64 = 10_000;

/// A built accelerator, from which engines for different programs are made.
#[derive(Clone)]
pub struct Accelerator {
    object: Arc<Object>,
    arch: ArchConfig,
    purpose: Purpose,
}

/// How an engine runs.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Needs an accelerator built with waves.
    pub waves: Option<Waves>,
    /// Is told the cycles of the simulation.
    pub progress: Option<Progress>,
    /// Only logits and cycles: the traces have no tensors.
    pub logits_only: bool,
    /// The traces have what the neuron lanes give, where they have tensors.
    pub probe: bool,
    /// Not 0: sender and receiver pause at random, and the cycles are not those of the prediction.
    pub stall_seed: u64,
    /// Of the random values at which registers and memories start.
    pub power_up_seed: u32,
}

impl Accelerator {
    /// The accelerator of `arch` as `verilog` describes it. Its engines can write waves where that is its `purpose`.
    pub fn build(verilog: &str, arch: &ArchConfig, purpose: Purpose) -> Result<Self> {
        let ports = [Port::new("aclk", 1)];
        let extension = lanes_show(arch) + include_str!("accelerator.cpp");
        let object = Object::new(verilog, TOP, ("aclk", &ports), (&extension, &control()), purpose)?;
        Ok(Accelerator { object, arch: arch.clone(), purpose })
    }

    /// An accelerator of its own, after reset, with `program` in its ROMs.
    pub fn engine<'p>(&self, program: &'p Program, options: Options) -> Result<Verilator<'p>> {
        if program.arch != self.arch {
            return Err(failure("the program was compiled for another architecture than the Verilog"));
        }
        if options.waves.is_some() && self.purpose != Purpose::Waves {
            return Err(failure("this accelerator was built without waves"));
        }
        let roms = Roms::new(program)?;
        let arguments: Vec<String> =
            roms.plusargs().into_iter().chain(power_up(options.power_up_seed)).collect();
        let mut instance = self.object.instance(&arguments, options.waves.as_ref())?;
        if let Some(progress) = options.progress.clone() {
            instance.watch(progress)?;
        }
        let expected = Interpreter::new(program)?.predicted_cycles();
        let mut engine = Verilator {
            record: Record::new(&self.object)?,
            lanes: Lanes::default(),
            memory: ActivationMemory::new(&self.arch),
            limit: PATIENCE
                + (expected + program.input_bytes() as u64) * if options.stall_seed == 0 { 2 } else { 8 },
            simulated: 0,
            program,
            options,
            instance,
            _roms: roms,
        };
        engine.reset(RESET_CYCLES as u32)?;
        Ok(engine)
    }
}

/// Arguments of a model whose registers and memories start at random values.
fn power_up(seed: u32) -> [String; 2] {
    // Verilator takes 0 for "choose one".
    let seed = 1 + seed % (i32::MAX as u32);
    ["+verilator+rand+reset+2".into(), format!("+verilator+seed+{seed}")]
}

fn failure(message: impl Into<String>) -> Error {
    Error::Engine { engine: "verilator".into(), message: message.into() }
}

/// The verilated accelerator with a program.
pub struct Verilator<'p> {
    pub(super) program: &'p Program,
    options: Options,
    memory: ActivationMemory,
    pub(super) limit: u64,
    simulated: u64,
    record: Record,
    lanes: Lanes,
    pub(super) instance: Instance,
    _roms: Roms,
}

// SAFETY: the record is touched by this engine's calls alone.
unsafe impl Send for Verilator<'_> {}

impl Verilator<'_> {
    /// Writes Verilator's account of lines and bits to `path`; the accelerator must be built with
    /// [`Purpose::Coverage`].
    pub fn write_coverage(&self, path: &Path) -> Result<()> {
        let path = CString::new(path.to_string_lossy().as_bytes()).map_err(|e| failure(e.to_string()))?;
        // SAFETY: the type is that of the shim, and the path outlives the call.
        let is_written = unsafe {
            let write: unsafe extern "C" fn(*mut c_void, *const c_char) -> c_int =
                self.instance.object.function("empf_write_coverage")?;
            write(self.instance.handle, path.as_ptr()) == 1
        };
        if is_written { Ok(()) } else { Err(failure("this accelerator was built without coverage")) }
    }

    /// Clock cycles simulated by the last inference, input and control included.
    pub fn simulated_cycles(&self) -> u64 {
        self.simulated
    }

    pub(super) fn check(&self, status: c_int) -> Result<()> {
        let message = match status {
            0 => return Ok(()),
            1 => "the input was not taken",
            2 => return Err(self.stuck(format!("not all logits came{}", self.last_written()))),
            3 => "the control port did not answer",
            5 => "an offered logit was withdrawn or changed before it was taken (AXI4-Stream)",
            6 => "the answer to a write was withdrawn or changed before it was taken (AXI4-Lite)",
            7 => "the answer to a read was withdrawn or changed before it was taken (AXI4-Lite)",
            8 => "something was offered during reset",
            9 => "the control port was not ready, and had nothing to answer (AXI4-Lite)",
            _ => "m_axis_tlast was not with the last logit",
        };
        Err(self.stuck(message.into()))
    }

    fn stuck(&self, message: String) -> Error {
        Error::Stuck { engine: "verilator".into(), message, cycles: self.simulated }
    }

    /// How far an inference has come, for people.
    fn last_written(&self) -> String {
        let last = self.record.writes().next_back();
        let origin = last.and_then(|write| Origin::of_step(self.program, write.step as usize, write.cycle));
        origin.map_or_else(String::new, |origin| format!(" ({origin}, wrote last)"))
    }

    fn tensors(&mut self, trace: &mut Trace) -> Result<()> {
        replay("verilator", self.program, &mut self.memory, self.record.writes(), trace)?;
        if self.options.probe {
            self.lanes = self.record.lanes(&self.program.arch);
            lanes::replay("verilator", self.program, &mut self.lanes, trace)?;
        }
        Ok(())
    }
}

impl Engine for Verilator<'_> {
    fn name(&self) -> &str {
        "verilator"
    }

    fn promise(&self) -> Promise {
        let cycles = self.options.stall_seed == 0;
        if self.options.logits_only {
            return Promise { cycles, ..Promise::default() };
        }
        let lanes = if self.options.probe { lanes::nodes(self.program) } else { Default::default() };
        Promise { cycles, lanes, ..Promise::of_program(self.program) }
    }

    fn run(&mut self, input: &[u8]) -> Result<Trace> {
        check_input(self.program, input)?;
        let mut logits = vec![0; self.program.classes];
        let mut counted = 0;
        // SAFETY: the type is that of the shim; the buffers live as long as the call.
        let status = unsafe {
            let run: Run = self.instance.object.function("empf_run")?;
            run(
                self.instance.handle,
                input.as_ptr(),
                input.len(),
                logits.as_mut_ptr(),
                logits.len(),
                self.limit,
                self.options.stall_seed,
                c_int::from(self.options.probe),
                &mut counted,
                &mut self.simulated,
                if self.options.logits_only { std::ptr::null_mut() } else { self.record.handle },
            )
        };
        self.check(status)?;
        let cycles = (self.options.stall_seed == 0).then_some(u64::from(counted));
        let mut trace = Trace { logits, cycles, ..Trace::default() };
        if !self.options.logits_only {
            self.tensors(&mut trace)?;
        }
        Ok(trace)
    }
    fn origin(&self, mismatch: &Mismatch) -> Option<Origin> {
        let step = writer(self.program, mismatch)?;
        let cycle = match mismatch.seen {
            Seen::Lanes => self.lanes.cycle(self.program, step, mismatch),
            Seen::Result if mismatch.layer == LOGITS => self.record.logit_cycle(mismatch.channel),
            Seen::Result => capture::cycle(self.program, step, mismatch, self.record.writes()),
        };
        Origin::of_step(self.program, step, cycle)
    }
}
