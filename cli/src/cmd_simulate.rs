//! `empf simulate`: one engine on many samples.

use crate::activity;
use crate::build::{Build, Hardware};
use crate::data::{Interface, ReadingArgs, SplitName};
use crate::engines::{EngineName, cores, engine, in_parallel, power_up, verilated};
use crate::error::{Error, Result, refuse};
use crate::folder;
use crate::output::{grouped, percent, print};
use crate::samples::{Count, Samples};
use crate::table::Table;
use crate::target;
use crate::waves::{self, WaveArgs};
use empf_ir::store::folder_of;
use empf_ir::{ClassNames, Trace, counted};
use empf_sim::cycles::Cycles;
use empf_sim::numpy::write_outputs;
use empf_sim::verilator::{Options, Progress};
use indicatif::ProgressBar;
use std::path::PathBuf;

/// With more samples than this, only totals are printed.
const LISTED: usize = 100;

/// Run a build on one engine
///
/// Prints the class of each sample (of up to 100), the accuracy where the classes
/// are known, and the cycles where the engine counts them. With --output, inputs and
/// every tensor are kept for NumPy; docs/format.md describes both files.
///
/// Examples:
///   empf simulate build/tiny --input glyphs --engine trainer
///   empf simulate build/tiny --input x.npy --engine golden --output out.npz
///   empf simulate build/tiny --input glyphs --samples 1 --engine verilator --trace waves.fst
///   empf simulate build/tiny --input glyphs --samples 1 --engine verilator --trace waves.fst \
///     --from 5000 --cycles 2000
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
    /// File for inputs, labels, logits, cycles and all tensors
    #[arg(long, value_name = "FILE.npz")]
    output: Option<PathBuf>,
    #[command(flatten)]
    waves: WaveArgs,
    /// Sender and receiver pause at random, as this seed decides, and no cycles are counted; only
    /// with Verilator
    #[arg(long, value_name = "SEED", value_parser = clap::value_parser!(u64).range(1..))]
    stalls: Option<u64>,
    /// Decides the random values at which registers and memories start; only with Verilator
    /// [default: 0]
    #[arg(long, value_name = "SEED")]
    power_up_seed: Option<u32>,
}

/// Runs the engine, prints its answers and writes the files.
pub(crate) fn run(args: &Args) -> Result<()> {
    check_options(args)?;
    if let Some(file) = args.waves.file() {
        return waves::in_process(file);
    }
    if args.waves.waves().is_some() {
        waves::end_with_parent()?;
    }
    let build = Build::load(&args.build)?;
    let network = Interface::from(&build.quant);
    let count = Count::or_default(args.samples, usize::MAX);
    let samples = Samples::load(&args.input, args.split, args.reading, &network, count)?;
    if args.engine == Some(EngineName::Verilator) {
        print(&power_up(args.power_up_seed.unwrap_or(0)))?;
    }
    let traces = simulate(args, &build, &samples)?;
    if let Some(path) = &args.output {
        write_outputs(path, samples.inputs(), &traces)?;
    }
    report(&build.quant.class_names, &samples, &traces)
}

fn check_options(args: &Args) -> Result<()> {
    let only_verilator = [
        ("trace", args.waves.trace.is_some()),
        ("stalls", args.stalls.is_some()),
        ("power-up-seed", args.power_up_seed.is_some()),
    ];
    if args.engine != Some(EngineName::Verilator) {
        refuse(&only_verilator, "needs --engine verilator")?;
    }
    let mut targets = vec![];
    for file in [&args.output, &args.waves.trace].into_iter().flatten() {
        targets.push(target::judge(file, &args.input, &args.build)?);
        folder::check_writable(folder_of(file))?;
    }
    if let [output, trace] = &targets[..]
        && output == trace
    {
        return Err(Error::Option {
            option: "trace",
            message: "names the file of --output; name another".into(),
        });
    }
    Ok(())
}

fn simulate(args: &Args, build: &Build, samples: &Samples) -> Result<Vec<Trace>> {
    let waves = args.waves.waves();
    let is_traced = waves.is_some();
    let samples_done = activity::bar(samples.len(), "Simulating");
    let cycles_done = activity::bar(samples.len() * expected_cycles(build), "Simulating, cycles");
    let bar = cycles_done.clone();
    let options = Options {
        progress: is_traced.then(|| Progress::new(move |cycles| bar.set_position(cycles))),
        waves,
        logits_only: args.output.is_none(),
        probe: false,
        stall_seed: args.stalls.unwrap_or(0),
        power_up_seed: args.power_up_seed.unwrap_or(0),
    };
    let without = if build.hardware.is_some() { EngineName::Interpreter } else { EngineName::Golden };
    let name = args.engine.unwrap_or(without);
    let accelerator = match name {
        EngineName::Verilator => Some(verilated(build, is_traced)?),
        _ => None,
    };
    // A file of waves shows one accelerator, and its samples take long.
    let (workers, bar) = if is_traced { (1, ProgressBar::hidden()) } else { (cores(), samples_done) };
    let traces = in_parallel(
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
    )?;
    if is_traced {
        args.waves.check(cycles_done.position())?;
        cycles_done.finish_and_clear();
    }
    Ok(traces)
}

/// Clock cycles of an inference and of the sending of its input.
fn expected_cycles(build: &Build) -> usize {
    let Some(Hardware { program, .. }) = &build.hardware else { return 0 };
    let inference = Cycles::of(program.steps.iter().map(|step| &step.task), &program.arch).total;
    inference as usize + program.input_bytes()
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
