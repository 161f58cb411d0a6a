//! `empf demo`: the whole way once, on the generated data.

use crate::error::{Error, Result};
use crate::output::print;
use crate::samples::Count;
use empf_data::{GLYPHS, Reading, Split};
use std::path::{Path, PathBuf};

/// Train, compile, emit and co-simulate a small network on generated data
///
/// Runs the verbs that a user would, and prints each command line before it runs. A
/// second run goes on where the first one was interrupted.
///
/// Example:
///   empf demo -o build/demo
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Test images to co-simulate
    #[arg(long, default_value_t = 64, value_name = "N")]
    samples: usize,
    /// Folder of the demonstration
    #[arg(short, long, value_name = "DIR", default_value = "build/demo")]
    output: PathBuf,
}

/// Runs the verbs one after the other; `command` runs the line of one.
pub(crate) fn run(args: &Args, command: impl Fn(&[&str]) -> Result<()>) -> Result<()> {
    let step = |arguments: &[&str]| {
        print(&format!("\n$ empf {}", arguments.join(" ")))?;
        command(arguments)
    };
    let place = |name: &str| text(&args.output.join(name));
    let (run, network, build) = (place("run")?, place("run/network")?, place("build")?);
    let images = Split::load(GLYPHS, &Reading::default())?.test;
    let samples = Count::Exactly(args.samples).of(GLYPHS, images.len())?.to_string();
    step(&["train", "--data", "glyphs", "--network", "tiny", "--resume", "-o", &run])?;
    step(&["compile", &network, "--data", "glyphs", "--rows", "16", "--cols", "16", "-o", &build])?;
    step(&["check", &build, "--data", "glyphs", "--samples", &samples])
}

/// A path as an argument on a command line.
fn text(path: &Path) -> Result<String> {
    let text = path.to_str().ok_or_else(|| Error::file(path, "is not Unicode; choose another output"))?;
    Ok(text.to_owned())
}
