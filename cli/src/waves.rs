//! Waves of a simulation, written by a process of their own.
//!
//! The library that writes them maps files into memory, so that a full disk ends its process by a signal, and it does
//! not look at what the system answers to a write. So the command runs itself once more; whatever comes of that process,
//! this one sees whether the file is whole, and says what is wrong.

use crate::error::{Error, Result};
use empf_ir::store::temporary::{TemporaryFolder, remove_unfinished};
use empf_ir::store::{self, folder_of};
use empf_sim::verilator::{Waves, check_waves};
use rustix::process::{Signal, set_parent_process_death_signal};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Options of a simulation whose waves are kept.
#[derive(Debug, clap::Args)]
pub(crate) struct WaveArgs {
    /// File for waves; only with Verilator
    #[arg(long, value_name = "FILE.fst")]
    pub(crate) trace: Option<PathBuf>,
    /// First clock cycle of the waves; the run starts with cycle 0, in reset [default: 0]
    #[arg(long, value_name = "CYCLE", requires = "trace")]
    from: Option<u64>,
    /// How many cycles the waves show [default: all]
    #[arg(long, value_name = "N", requires = "trace", value_parser = clap::value_parser!(u64).range(1..))]
    cycles: Option<u64>,
    /// The process that writes the waves writes them there
    #[arg(long, hide = true, requires = "trace")]
    waves_into: Option<PathBuf>,
}

impl WaveArgs {
    /// The file that another process has to write.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.trace.as_deref().filter(|_| self.waves_into.is_none())
    }

    /// The waves that this process has to write.
    pub(crate) fn waves(&self) -> Option<Waves> {
        let from = self.from.unwrap_or(0);
        let until = self.cycles.map_or(u64::MAX, |cycles| from.saturating_add(cycles));
        self.waves_into.clone().map(|path| Waves { path, cycles: from..until })
    }

    /// The run, which took so many `cycles`, has come to the first cycle of the waves; else they are removed.
    pub(crate) fn check(&self, cycles: u64) -> Result<()> {
        match self.from {
            Some(from) if from >= cycles => {
                if let Some(empty) = &self.waves_into {
                    std::fs::remove_file(empty).map_err(|e| Error::file(empty, e))?;
                }
                let message = format!("the run has only the cycles 0 to {}", cycles.saturating_sub(1));
                Err(Error::Option { option: "from", message })
            }
            _ => Ok(()),
        }
    }
}

/// Runs this command with its arguments in another process, which writes the waves, and gives them the name `file` when
/// they are whole; those of a run that hangs end where it does.
pub(crate) fn in_process(file: &Path) -> Result<()> {
    let failed = |e: std::io::Error| Error::Data(empf_ir::Error::io("write", file, e));
    let (target, _) = store::destination(file).map_err(failed)?;
    let folder = folder_of(&target);
    remove_unfinished(folder);
    let temporary = TemporaryFolder::new_in(folder).map_err(failed)?;
    let waves = temporary.path().join("waves.fst");
    let command = std::env::current_exe().map_err(|e| Error::file("empf", e))?;
    let arguments = std::env::args_os().skip(1);
    let mut process = Command::new(command);
    process.args(arguments).arg("--waves-into").arg(&waves);
    let status = process.status().map_err(|e| Error::file("empf", e))?;
    match (status.success(), status.signal()) {
        (true, _) => {}
        (false, Some(signal)) => {
            let message = format!("signal {signal} ended the process that wrote it: is the disk full?");
            return Err(Error::file(file, message));
        }
        (false, None) => {
            if check_waves(&waves).is_ok() {
                store::rename(&waves, file)?;
                eprintln!("note: waves up to there: {}", file.display());
            }
            return Err(Error::Told);
        }
    }
    check_waves(&waves).map_err(|_| Error::file(file, "the waves were cut: is the disk full?"))?;
    Ok(store::rename(&waves, file)?)
}

/// The process that writes waves does not outlive the one that waits for them.
pub(crate) fn end_with_parent() -> Result<()> {
    set_parent_process_death_signal(Some(Signal::TERM)).map_err(|e| Error::file("empf", e))
}
