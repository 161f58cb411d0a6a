//! Programs that commands run.

use std::path::Path;
use std::process::Command;

/// Runs `program` with `arguments` in `folder`; an error says how to get it, by `package`, or what it said.
pub(crate) fn run(folder: &Path, program: &str, arguments: &[&str], package: &str) -> crate::error::Result {
    let output = Command::new(program)
        .current_dir(folder)
        .args(arguments)
        .output()
        .map_err(|e| format!("cannot run {program}: {e}; install {package}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{program} failed:\n{}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}
