//! `empf compile`: from a trained network to a build.

use crate::arch_args::ArchArgs;
use crate::build::{self, Build, Hardware};
use crate::calibration::{self, Calibration};
use crate::cost_table::CostTable;
use crate::data::{Interface, ReadingArgs, SplitName};
use crate::error::{Error, Result};
use crate::folder::{self, Kind};
use crate::output::{grouped, print};
use crate::report::Report;
use crate::run_folder;
use crate::samples::{Count, Samples};
use clap::builder::PossibleValuesParser;
use empf_compiler::{Compilation, Pass};
use empf_ir::{Network, counted, store};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Samples to calibrate on where nobody says how many.
const SAMPLES: usize = 64;

/// The files of a dump.
const DUMP: Kind = Kind { header: DUMP_FILES[0], mark: "empf-dump", files: DUMP_FILES.split_at(1).1 };
/// A file for each of [`Pass::ALL`].
const DUMP_FILES: &[&str] = &[
    "01_resolve.json",
    "02_fold_bn.json",
    "03_reparameterize.json",
    "04_calibrate.json",
    "05_quantize.json",
    "06_lower.json",
    "07_tile.json",
    "08_prove.json",
    "09_allocate.json",
    "10_schedule.json",
    "11_emit.json",
];

/// What a pass left.
#[derive(Serialize)]
struct Dump {
    format: &'static str,
    left: serde_json::Value,
}

/// Compile a trained network for an accelerator
///
/// The build's folder holds the network, its integer form (quant.*), the program
/// (program.json and the ROM images *.mem), the Verilog (accel.v), a self-checking
/// bench of it for other simulators (tb/) and the costs of every layer (report.json).
///
/// A network that the hardware does not run, such as one with sums of three currents,
/// can be compiled to integers only, which the golden model and the trainer run.
///
/// Examples:
///   empf compile runs/tiny/network -o build/tiny
///   empf compile runs/fashion/network --data data/fashion_mnist --arch 32x32 -o build/vgg
///   empf compile runs/dense/network --data data/cifar10 --integers-only -o build/dense
///   empf compile runs/tiny/network --stop-after quantize --dump dump
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment, after_long_help = passes_help())]
pub(crate) struct Args {
    /// Folder with a network, or of a run, whose last network is taken
    #[arg(value_name = "RUN|NETWORK")]
    network: PathBuf,
    /// What to calibrate on: `glyphs`, a folder with a data set as for `empf train`, or a .npy or
    /// .npz file of inputs
    #[arg(long, default_value = "glyphs", value_name = "glyphs|DIR|FILE")]
    data: String,
    #[command(flatten)]
    reading: ReadingArgs,
    /// The first N training images, or samples of the file [default: 64, or all where there are fewer]
    #[arg(long, value_name = "N")]
    samples: Option<usize>,
    #[command(flatten)]
    arch: ArchArgs,
    /// Write what each pass leaves to DIR, as numbered JSON files; an older dump is replaced
    #[arg(long, value_name = "DIR")]
    dump: Option<PathBuf>,
    /// Stop behind this pass: dumps are written, but no build
    #[arg(long, value_name = "PASS", value_parser = PossibleValuesParser::new(Pass::ALL.map(Pass::name)))]
    #[arg(hide_possible_values = true, conflicts_with = "output", requires = "dump")]
    stop_after: Option<String>,
    /// Stop when all numbers are integers: the build has no accelerator, and runs on the engines
    /// golden and trainer
    #[arg(long, conflicts_with = "stop_after")]
    integers_only: bool,
    /// Folder of the build
    #[arg(short, long, value_name = "BUILD", required_unless_present = "stop_after")]
    output: Option<PathBuf>,
}

fn passes_help() -> String {
    let line = |pass: Pass| format!("  {:14}  {}\n", pass.name(), pass.about());
    format!("Passes:\n{}", Pass::ALL.map(line).concat())
}

/// Runs the passes, writes the build whole or not at all, and prints its costs.
pub(crate) fn run(args: &Args) -> Result<()> {
    let arch = args.arch.resolve()?;
    for (target, kind) in [(&args.output, build::KIND), (&args.dump, DUMP)] {
        if let Some(target) = target {
            folder::check_replaceable(target, kind)?;
            run_folder::check_outside(target)?;
        }
    }
    check_apart(args)?;
    let network = Network::load(&run_folder::network_of(&args.network)?)?;
    let images = calibration_images(args, &network)?;
    calibration::say_count(images.len());
    let mut compilation = Compilation::of_network(&network, images.frames(), &arch);
    let last = match &args.stop_after {
        _ if args.integers_only => Pass::Quantize,
        Some(name) => name.parse().map_err(empf_compiler::Error::from)?,
        None => Pass::Emit,
    };
    run_passes(&mut compilation, last, args.dump.as_deref())?;
    let Some(output) = &args.output else {
        return print(&format!("stopped after {last}"));
    };
    let calibration = Calibration::new(&compilation, last, images.frames())?;
    calibration.print()?;
    if args.integers_only {
        let quant = compilation.quantized(last)?.clone();
        let nodes = counted(quant.nodes.len(), "node");
        Build { folder: output.clone(), network, quant, hardware: None }.write(None, &[])?;
        return print(&format!("integer network of {nodes} in {}", output.display()));
    }
    let (quant, program) = compilation.finish()?;
    let verilog = empf_hw::emit_accelerator(&arch)?;
    let report = Report::new(&network, &quant, &program)?.with(calibration);
    let hardware = Some(Hardware { program, verilog });
    let build = Build { folder: output.clone(), network, quant, hardware };
    // The first without pauses, the second with.
    let inputs: Vec<Vec<u8>> = (0..2).map(|i| images.bytes(i % images.len())).collect();
    build.write(Some(&report), &inputs)?;
    print(&summary(&report, output))
}

/// A build and a dump each want a folder for themselves.
fn check_apart(args: &Args) -> Result<()> {
    let (Some(output), Some(dump)) = (&args.output, &args.dump) else { return Ok(()) };
    let [of_build, of_dump] = [folder::place_of(output)?, folder::place_of(dump)?];
    if of_build.starts_with(&of_dump) || of_dump.starts_with(&of_build) {
        let message = format!(
            "{} and {}, of the build, lie in each other; choose another",
            dump.display(),
            output.display()
        );
        return Err(Error::Option { option: "dump", message });
    }
    Ok(())
}

/// Images to calibrate on.
fn calibration_images(args: &Args, network: &Network) -> Result<Samples> {
    let count = Count::or_default(args.samples, SAMPLES);
    Samples::load(&args.data, SplitName::Train, args.reading, &Interface::from(network), count)
}

/// Runs the passes up to `last` under a spinner; dumps go into `dump`.
fn run_passes(compilation: &mut Compilation, last: Pass, dump: Option<&Path>) -> Result<()> {
    let _held = dump.map(|folder| folder::begin(folder, DUMP)).transpose()?;
    let spinner = ProgressBar::new_spinner();
    spinner.set_style(
        ProgressStyle::with_template("{spinner} {msg}").unwrap_or(ProgressStyle::default_spinner()),
    );
    spinner.enable_steady_tick(Duration::from_millis(100));
    for (pass, file) in Pass::ALL.into_iter().zip(DUMP_FILES).filter(|(pass, _)| *pass <= last) {
        spinner.set_message(format!("{pass}: {}", pass.about()));
        compilation.pass(pass).map_err(|error| with_advice(pass, error))?;
        if let Some(folder) = dump {
            let dump = Dump { format: DUMP.mark, left: compilation.dump(pass) };
            store::write_json(&folder.join(file), &dump)?;
        }
    }
    spinner.finish_and_clear();
    Ok(())
}

/// Says how a network that the hardware does not run, or this accelerator, can be run: it has integers by then.
fn with_advice(pass: Pass, error: empf_compiler::Error) -> Error {
    use empf_compiler::Error::{Limit, Memory, Overflow, Unsupported};
    match error {
        // Logits have 32 bits on every engine.
        Overflow { what: "the logit", .. } => error.into(),
        Unsupported { .. } | Limit { .. } | Memory(_) | Overflow { .. } if pass > Pass::Quantize => {
            Error::NoHardware(error)
        }
        _ => error.into(),
    }
}

/// A table of the layers' costs, and what the network takes.
fn summary(report: &Report, output: &Path) -> String {
    let mut table = CostTable::new(report.layers());
    table.row("+-1 convolutions", report.sign_layers());
    table.row("whole inference", report.total());
    let [packed, paper] = report.weight_bytes();
    let border = report.border().map_or(String::new(), |(codes, error)| {
        format!(
            "\nthe input's border holds the codes {codes:?}, at most {error:.2} of a code from the value 0"
        )
    });
    format!(
        "{table}\n\nweights take {} bytes packed (a bit for +-1, 8 bits for others); as the paper counts, {}{border}\n\
         build in {}",
        grouped(packed as u64),
        grouped(paper as u64),
        output.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pass_has_a_file() {
        let names: Vec<_> =
            (1..).zip(Pass::ALL).map(|(number, pass)| format!("{number:02}_{pass}.json")).collect();
        assert_eq!(DUMP_FILES, names);
    }
}
