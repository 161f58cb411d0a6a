//! The emitted Verilog in Icarus Verilog: an event-driven simulator, slow, with unknown values.

use crate::activation::ActivationMemory;
use crate::bench::{self, Settings};
use crate::capture::{Write, replay};
use crate::roms::Roms;
use crate::tool::execute;
use crate::{Engine, Error, Promise, Result, check_input};
use empf_ir::{Program, Trace, store};
use std::process::Command;
use tempfile::TempDir;

/// Debian package of the simulator.
const PACKAGE: &str = "iverilog";

/// An accelerator with a program. Every inference starts at power-up.
pub struct Icarus<'p> {
    program: &'p Program,
    roms: Roms,
    folder: TempDir,
    limit: u64,
}

impl<'p> Icarus<'p> {
    /// Compiles `verilog`, the accelerator of `program`'s architecture.
    ///
    /// # Errors
    /// [`Error::Missing`] without Icarus Verilog, [`Error::Tool`] where it refuses the Verilog.
    pub fn new(verilog: &str, program: &'p Program) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("empf-icarus-").tempdir();
        let folder = folder.map_err(|e| empf_ir::Error::io("create", std::env::temp_dir(), e))?;
        store::write(&folder.path().join("accel.v"), verilog.as_bytes())?;
        let settings = Settings::trace(program)?;
        bench::write_module(folder.path(), &settings)?;
        let mut compiler = Command::new("iverilog");
        compiler.current_dir(folder.path()).args(["-g2001", "-s", bench::MODULE, "-o", "bench.vvp"]);
        execute(compiler.args(["accel.v", bench::BENCH]), PACKAGE)?;
        Ok(Icarus { program, roms: Roms::new(program)?, limit: settings.limit(), folder })
    }

    /// What the bench prints for `input`.
    fn simulate(&self, input: &[u8]) -> Result<String> {
        bench::write_inputs(self.folder.path(), [input])?;
        let mut simulator = Command::new("vvp");
        simulator.current_dir(self.folder.path()).args(["-n", "bench.vvp"]).args(self.roms.plusargs());
        execute(&mut simulator, PACKAGE)
    }
}

impl Engine for Icarus<'_> {
    fn name(&self) -> &str {
        "icarus"
    }

    fn promise(&self) -> Promise {
        Promise::of_program(self.program)
    }

    fn run(&mut self, input: &[u8]) -> Result<Trace> {
        check_input(self.program, input)?;
        let printed = Printed::parse(&self.simulate(input)?, self.limit)?;
        let mut trace = Trace { logits: printed.logits, cycles: printed.cycles, ..Trace::default() };
        let mut memory = ActivationMemory::new(&self.program.arch);
        replay("icarus", self.program, &mut memory, printed.writes.into_iter(), &mut trace)?;
        Ok(trace)
    }
}

/// What the bench says of an inference.
#[derive(Debug, Default, PartialEq, Eq)]
struct Printed {
    logits: Vec<i32>,
    cycles: Option<u64>,
    writes: Vec<Write>,
}

impl Printed {
    /// Reads the bench's lines; `limit` is what it was told.
    fn parse(text: &str, limit: u64) -> Result<Self> {
        let mut printed = Printed::default();
        for line in text.lines() {
            let (kind, rest) = line.split_once(' ').unwrap_or((line, ""));
            let understood = match kind {
                "write" => printed.write(rest),
                "logit" => rest.parse().ok().map(|logit| printed.logits.push(logit)),
                "cycles" => rest.parse().ok().map(|cycles| printed.cycles = Some(cycles)),
                "FAIL:" => {
                    let (engine, message) = ("icarus".into(), rest.into());
                    return Err(Error::Stuck { engine, message, cycles: limit });
                }
                // Warnings of the simulator, such as a ROM image shorter than its memory.
                _ => Some(()),
            };
            understood.ok_or_else(|| {
                let message = format!("a signal has an unknown value: `{line}`");
                Error::Engine { engine: "icarus".into(), message }
            })?;
        }
        Ok(printed)
    }

    /// `step enables address data`, one write for each bank enabled; `None` where a bit is unknown.
    fn write(&mut self, fields: &str) -> Option<()> {
        let fields: Vec<&str> = fields.split(' ').collect();
        let [step, enables, address, data] = fields[..] else { return None };
        let (step, address) = (step.parse().ok()?, address.parse().ok()?);
        let enables = u64::from_str_radix(enables, 16).ok()?;
        let data = u64::from_str_radix(data, 16).ok()?;
        self.writes.extend(Write::of_banks(enables, Write { step, bank: 0, address, data, cycle: None }));
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_writes_logits_and_cycles() {
        let text = "WARNING: dut: $readmemh: Not enough words\nwrite 2 5 17 0a0b\nlogit -7\ncycles 90\n";
        let printed = Printed::parse(text, 0).unwrap();
        let write = |bank| Write { step: 2, bank, address: 17, data: 0xa0b, cycle: None };
        let expected = Printed { logits: vec![-7], cycles: Some(90), writes: vec![write(0), write(2)] };
        assert_eq!(printed, expected);
    }

    #[test]
    fn unknown_values_and_endless_runs_are_errors() {
        let message = |text| Printed::parse(text, 5).unwrap_err().to_string();
        assert!(message("write 2 5 17 xxxx").contains("unknown value"));
        assert!(message("FAIL: not all logits came").contains("not all logits came after 5 cycles"));
    }
}
