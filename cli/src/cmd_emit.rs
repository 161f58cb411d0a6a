//! `empf emit`: the Verilog of an accelerator alone.

use crate::arch_args::ArchArgs;
use crate::error::Result;
use crate::folder::{self, Kind};
use crate::output::{grouped, print};
use crate::run_folder;
use empf_ir::store;
use std::path::PathBuf;

/// Name of the Verilog file.
const VERILOG: &str = "accel.v";
/// Name of the architecture's file.
const ARCH: &str = "arch.json";
const KIND: Kind = Kind { header: VERILOG, mark: "written by empf", files: &[ARCH] };

/// Write the Verilog of an accelerator without a network, for linters
///
/// The accelerator runs every network that fits its memories, so it depends on the
/// architecture alone. The folder holds accel.v (top module empf_top) and arch.json,
/// the architecture that it was made from. The ROMs are empty unless parameters name
/// images: it elaborates without any file, but synthesis would delete most of it.
/// `empf compile` writes the same modules with the images of a network.
///
/// Examples:
///   empf emit --arch 32x32 -o build/accel
///   empf emit --rows 16 --cols 16 --act-bits 8 --target ecp5 -o build/accel
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    #[command(flatten)]
    arch: ArchArgs,
    /// Folder to write
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

/// Writes the folder, whole or not at all.
pub(crate) fn run(args: &Args) -> Result<()> {
    let arch = args.arch.resolve()?;
    run_folder::check_outside(&args.output)?;
    let verilog = empf_hw::emit_without_images(&arch)?;
    folder::write(&args.output, KIND, |folder| {
        store::write_json(&folder.join(ARCH), &arch)?;
        Ok(store::write(&folder.join(VERILOG), verilog.as_bytes())?)
    })?;
    let modules = verilog.lines().filter(|line| line.starts_with("module ")).count();
    print(&format!(
        "{}x{} array, A = {}: {modules} modules, {} bytes in {}\n\
         for lint only: its ROMs are empty; `empf compile` writes one with the images of a network",
        arch.rows,
        arch.cols,
        arch.act_bits,
        grouped(verilog.len() as u64),
        args.output.join(VERILOG).display()
    ))
}
