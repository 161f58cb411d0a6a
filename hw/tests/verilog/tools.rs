//! Outside tools for the integration tests; a missing tool fails the test with the way to install it.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

/// Runs `program` in `folder` and returns what it printed; panics with its output if it fails.
#[track_caller]
pub(crate) fn run(folder: &Path, program: impl AsRef<Path>, args: &[&str]) -> String {
    try_run(folder, program, args).unwrap_or_else(|output| panic!("{output}"))
}

/// Runs `program` in `folder`; what it printed is the error if it fails. Panics if there is no such program.
#[track_caller]
pub(crate) fn try_run(folder: &Path, program: impl AsRef<Path>, args: &[&str]) -> Result<String, String> {
    let program = program.as_ref();
    let output = Command::new(program).args(args).current_dir(folder).output().unwrap_or_else(|error| {
        match error.kind() {
            ErrorKind::NotFound => {
                panic!("{} is missing: apt-get install verilator iverilog yosys g++", program.display())
            }
            _ => panic!("{}: {error}", program.display()),
        }
    });
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!("{} {args:?} failed:\n{text}\n{errors}", program.display()))
}

/// The languages that the emitted text is: the names of Verilator and of Icarus Verilog.
const LANGUAGES: [(&str, &str); 2] = [("1364-2001", "-g2001"), ("1800-2017", "-g2012")];

/// Lints `file` in both languages with every warning on; any warning is a failure. `options` are Verilator's.
#[track_caller]
pub(crate) fn lint(folder: &Path, top: &str, options: &[&str], file: &str) {
    for (verilator, icarus) in LANGUAGES {
        let language = ["--lint-only", "-Wall", "--language", verilator, "--top-module", top];
        run(folder, "verilator", &[&language, options, &[file]].concat());
        run(folder, "iverilog", &[icarus, "-tnull", "-s", top, file]);
    }
}

/// Compiles `files` with Icarus Verilog and runs module `top`; returns what it printed.
#[track_caller]
pub(crate) fn icarus(folder: &Path, top: &str, files: &[&str]) -> String {
    run(folder, "iverilog", &[&["-g2001", "-o", "icarus.vvp", "-s", top], files].concat());
    run(folder, "vvp", &["-n", "icarus.vvp"])
}
