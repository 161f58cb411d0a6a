//! `empf simulate`: one engine on many samples.

use crate::activity;
use crate::build::Build;
use crate::data::{Interface, ReadingArgs, SplitName};
use crate::engines::{EngineName, cores, engine, in_parallel, verilated};
use crate::error::{Error, Result};
use crate::output::{grouped, percent, print};
use crate::samples::{Count, Samples};
use crate::table::Table;
use crate::waves;
use empf_ir::store::{self, folder_of};
use empf_ir::{ClassNames, Trace, counted};
use empf_sim::numpy::write_outputs;
use empf_sim::verilator::Options;
use std::path::PathBuf;

/// With more samples than this, only totals are printed.
const LISTED: usize = 100;

/// Run a build on one engine
///
/// Prints the class of each sample (of up to 100), the accuracy where the classes
/// are known, and the cycles where the engine counts them. With --output, every
/// tensor is kept for NumPy; docs/format.md describes both files.
///
/// Examples:
///   empf simulate build/tiny --input glyphs --engine trainer
///   empf simulate build/tiny --input x.npy --engine golden --output out.npz
///   empf simulate build/tiny --input glyphs --samples 1 --engine verilator --trace waves.fst
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Folder that `empf compile` wrote
    #[arg(value_name = "BUILD")]
    build: PathBuf,
    /// `glyphs`, a folder with a data set as for `empf train`, or a .npy or .npz file of inputs
    #[arg(long, value_name = "glyphs|DIR|FILE")]
    input: String,
    /// Part of the data set
    #[arg(long, value_enum, default_value = "test")]
    split: SplitName,
    #[command(flatten)]
    reading: ReadingArgs,
    /// Only the first N samples [default: all]
    #[arg(long, value_name = "N")]
    samples: Option<usize>,
    /// What runs [default: interpreter, or golden where the build has no accelerator]
    #[arg(long, value_enum)]
    engine: Option<EngineName>,
    /// File for logits, cycles and all tensors
    #[arg(long, value_name = "FILE.npz")]
    output: Option<PathBuf>,
    /// File for the waves of the whole run; only with Verilator
    #[arg(long, value_name = "FILE.fst")]
    trace: Option<PathBuf>,
    /// Sender and receiver pause at random, as this seed decides, and no cycles are counted; only
    /// with Verilator
    #[arg(long, value_name = "SEED", value_parser = clap::value_parser!(u64).range(1..))]
    stalls: Option<u64>,
    /// The process that writes the waves of --trace writes them there
    #[arg(long, hide = true, requires = "trace")]
    waves_into: Option<PathBuf>,
}

/// Runs the engine, prints its answers and writes the files.
pub(crate) fn run(args: &Args) -> Result<()> {
    check_options(args)?;
    if let (Some(file), None) = (&args.trace, &args.waves_into) {
        return waves::in_process(file);
    }
    if args.waves_into.is_some() {
        waves::end_with_parent()?;
    }
    let build = Build::load(&args.build)?;
    let network = Interface::from(&build.quant);
    let count = Count::or_default(args.samples, usize::MAX);
    let samples = Samples::load(&args.input, args.split, args.reading, &network, count)?;
    let traces = simulate(args, &build, &samples)?;
    if let Some(path) = &args.output {
        write_outputs(path, samples.inputs(), &traces)?;
    }
    report(&build.quant.class_names, &samples, &traces)
}

fn check_options(args: &Args) -> Result<()> {
    let only_verilator = [("trace", args.trace.is_some()), ("stalls", args.stalls.is_some())];
    if let Some((option, _)) =
        only_verilator.iter().find(|(_, given)| *given && args.engine != Some(EngineName::Verilator))
    {
        return Err(Error::Option { option, message: "needs --engine verilator".into() });
    }
    for file in [&args.output, &args.trace].into_iter().flatten() {
        if !folder_of(file).is_dir() {
            return Err(Error::file(folder_of(file), "is no folder; create it first"));
        }
        store::destination(file).map_err(|e| Error::file(file, e))?;
    }
    Ok(())
}

fn simulate(args: &Args, build: &Build, samples: &Samples) -> Result<Vec<Trace>> {
    let waves = &args.waves_into;
    let options = Options {
        waves: waves.clone(),
        logits_only: args.output.is_none(),
        stall_seed: args.stalls.unwrap_or(0),
        ..Options::default()
    };
    let without = if build.hardware.is_some() { EngineName::Interpreter } else { EngineName::Golden };
    let name = args.engine.unwrap_or(without);
    let accelerator = match name {
        EngineName::Verilator => Some(verilated(build, waves.is_some())?),
        _ => None,
    };
    // A file of waves shows one accelerator.
    let workers = if waves.is_some() { 1 } else { cores() };
    let bar = activity::bar(samples.len(), "Simulating");
    in_parallel(
        (workers, samples.len()),
        &bar,
        || engine(name, build, accelerator.as_ref(), options.clone()),
        |engine, index| {
            let mut trace = engine.run(&samples.bytes(index))?;
            if args.output.is_none() {
                trace.tensors.clear();
            }
            Ok(trace)
        },
    )
}

fn report(names: &ClassNames, samples: &Samples, traces: &[Trace]) -> Result<()> {
    let answers: Vec<usize> = traces.iter().map(Trace::class).collect();
    if traces.len() <= LISTED {
        let mut table = Table::new(&["sample", "class", "label", "cycles"]);
        for (index, trace) in traces.iter().enumerate() {
            table.row([
                index.to_string(),
                names.name(answers[index]).into_owned(),
                samples.label(index).map_or("-".into(), |label| names.name(label).into_owned()),
                trace.cycles.map_or("-".into(), grouped),
            ]);
        }
        print(&table.to_string())?;
    }
    if let Some(correct) = samples.correct(&answers) {
        let share = percent(correct as f64 / answers.len() as f64);
        print(&format!("accuracy {share} ({correct} of {})", answers.len()))?;
    }
    if let Some(cycles) = traces.iter().map(|trace| trace.cycles).sum::<Option<u64>>() {
        print(&format!("{} cycles for {}", grouped(cycles), counted(traces.len(), "sample")))?;
    }
    Ok(())
}
