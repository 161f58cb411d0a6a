//! Outside tools.

use crate::{Error, Result};
use std::io::ErrorKind;
use std::process::Command;

/// Runs a tool of the Debian package `package`; returns what it printed. The end of that goes into the error.
pub(crate) fn execute(command: &mut Command, package: &'static str) -> Result<String> {
    const KEPT_LINES: usize = 30;
    let tool = command.get_program().to_string_lossy().into_owned();
    let output = match command.output() {
        Ok(output) => output,
        Err(e) if e.kind() == ErrorKind::NotFound => return Err(Error::Missing { tool, package }),
        Err(e) => return Err(empf_ir::Error::io("run", &tool, e).into()),
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().collect();
    let output_end = lines[lines.len().saturating_sub(KEPT_LINES)..].join("\n");
    Err(Error::Tool { tool, status: output.status.to_string(), output: output_end })
}
