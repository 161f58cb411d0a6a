//! `empf check`: all engines on the same samples, every tensor compared.

use crate::activity;
use crate::build::Build;
use crate::data::{Interface, ReadingArgs, SplitName};
use crate::engines::{EngineName, cores, engine, in_parallel, power_up, verilated};
use crate::error::{Error, Result, refuse};
use crate::mismatch_waves;
use crate::output::{grouped, percent, print};
use crate::samples::{Count, Samples};
use crate::table::Table;
use crate::target;
use empf_golden::float::classify;
use empf_ir::counted;
use empf_ir::graph::is_of_input;
use empf_sim::compare::LOGITS;
use empf_sim::verilator::{Accelerator, Options};
use empf_sim::{Comparison, Engine, adopt, examine};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// An engine and the heading of its column.
type Held = (EngineName, &'static str);

/// Samples that are compared where nobody says how many.
const SAMPLES: usize = 16;

/// What is held to the golden model, in this order: the interpreter's cycles are what Verilator's are compared
/// with. A build of integers only has the first.
const HELD: [Held; 3] = [
    (EngineName::Trainer, "trainer"),
    (EngineName::Interpreter, "interpreter"),
    (EngineName::Verilator, "verilator"),
];

/// Compare all engines, bit by bit
///
/// Runs the golden model, the trainer's integer forward, the schedule interpreter
/// and the emitted Verilog on the same samples, and compares every layer's tensor,
/// the logits, and predicted with counted cycles. Where something differs, it names
/// the first difference in the order of samples and layers, with the record of the
/// schedule and the clock cycle that it came from, and fails. If it is the Verilog
/// that differs, that sample is simulated again by itself, and the waves from 200
/// cycles before to 50 after are kept beside the build, as BUILD.mismatch.fst. A
/// build of integers only runs on the golden model and the trainer.
///
/// Examples:
///   empf check build/tiny --samples 64
///   empf check build/tiny --probe --waves wrong.fst
///   empf check build/vgg --data data/fashion_mnist --samples 200
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Folder that `empf compile` wrote
    #[arg(value_name = "BUILD")]
    build: PathBuf,
    /// `glyphs`, a folder with a data set as for `empf train`, or a .npy or
    /// .npz file of inputs
    #[arg(long, default_value = "glyphs", value_name = "glyphs|DIR|FILE")]
    data: String,
    /// Part of the data set
    #[arg(long, value_enum, default_value = "test")]
    split: SplitName,
    #[command(flatten)]
    reading: ReadingArgs,
    /// The first N samples [default: 16, or all where there are fewer]
    #[arg(long, value_name = "N")]
    samples: Option<usize>,
    /// Compares the currents and spikes in the neuron lanes too, which no memory holds: those of
    /// every convolution, shortcut, sum and attention, and spikes on their way to the memory
    #[arg(long)]
    probe: bool,
    /// File for the waves around a difference of the Verilog [default: BUILD.mismatch.fst]
    #[arg(long, value_name = "FILE.fst")]
    waves: Option<PathBuf>,
    /// Decides the random values at which registers and memories of the Verilog start [default: 0]
    #[arg(long, value_name = "SEED")]
    power_up_seed: Option<u32>,
}

/// Runs all engines and prints the closing table.
pub(crate) fn run(args: &Args) -> Result<()> {
    let build = Build::load(&args.build)?;
    let waves = args.waves.clone().map_or_else(|| mismatch_waves::beside(&args.build), Ok)?;
    if build.hardware.is_some() {
        target::judge(&waves, &args.data, &args.build)?;
    } else {
        check_options(args)?;
    }
    let count = Count::or_default(args.samples, SAMPLES);
    let network = Interface::from(&build.quant);
    let samples = Samples::load(&args.data, args.split, args.reading, &network, count)?;
    let held = if build.hardware.is_some() { &HELD[..] } else { &HELD[..1] };
    let accelerator = build.hardware.as_ref().map(|_| verilated(&build, false)).transpose()?;
    let power_up_seed = args.power_up_seed.unwrap_or(0);
    let options = Options { power_up_seed, probe: args.probe, ..Options::default() };
    if accelerator.is_some() {
        print(&power_up(power_up_seed))?;
    }
    let checked = check(&build, held, &samples, (accelerator.as_ref(), options.clone()))?;
    let float = activity::during("Float network", || classify(&build.network, samples.frames()))?;
    let summary = Summary::new(held, checked);
    summary.print(&build, &samples, &float)?;
    let Some(sample) = summary.first_sample() else { return Ok(()) };
    if let (Some(EngineName::Verilator), Some(accelerator)) = (summary.first_engine(), &accelerator) {
        match keep_waves(args, (&build, accelerator, options), (&samples, sample), &waves) {
            Ok(()) => {}
            Err(Error::Told) => eprintln!("note: so there are no waves of the difference"),
            Err(error) => eprintln!("note: no waves of the difference: {error}"),
        }
    }
    Err(Error::Disagreement)
}

/// Nothing is asked for that only an accelerator has.
fn check_options(args: &Args) -> Result<()> {
    let of_accelerators = [
        ("probe", args.probe),
        ("waves", args.waves.is_some()),
        ("power-up-seed", args.power_up_seed.is_some()),
    ];
    let message = format!("needs an accelerator, and {} was compiled to integers only", args.build.display());
    refuse(&of_accelerators, message)
}

/// Keeps the waves around the first mismatch of a sample that is simulated by itself.
fn keep_waves(
    args: &Args,
    (build, accelerator, options): (&Build, &Accelerator, Options),
    (samples, sample): (&Samples, usize),
    file: &Path,
) -> Result<()> {
    let bytes = samples.bytes(sample);
    let open = |name| engine(name, build, Some(accelerator), options.clone());
    let mut golden = open(EngineName::Golden)?;
    let mut held = HELD.into_iter().map(|(name, _)| open(name)).collect::<Result<Vec<_>>>()?;
    let checked = check_sample(&order(build), golden.as_mut(), &mut held, &bytes)?;
    let first = checked.comparisons.into_iter().find_map(|comparison| comparison.first);
    let Some(cycle) = first.and_then(|first| first.origin).and_then(|origin| origin.cycle) else {
        let alone = format!(
            "sample {sample} by itself has no mismatch with a clock cycle; `empf simulate --trace` keeps waves of all"
        );
        return print(&alone);
    };
    let shown = mismatch_waves::write(&args.build, (samples, sample), options.power_up_seed, cycle, file)?;
    print(&format!(
        "waves of sample {sample} by itself, cycles {} to {}, around cycle {cycle}: {}",
        shown.start,
        shown.end - 1,
        file.display()
    ))
}

/// Nodes in the order of the network.
fn order(build: &Build) -> Vec<&str> {
    build.quant.nodes.iter().map(|node| node.name.as_str()).collect()
}

/// What the engines gave for one sample.
struct Checked {
    /// Of each engine with the golden model.
    comparisons: Vec<Comparison>,
    class: usize,
    predicted_cycles: Option<u64>,
    counted_cycles: Option<u64>,
}

fn check(
    build: &Build,
    held: &[Held],
    samples: &Samples,
    (accelerator, options): (Option<&Accelerator>, Options),
) -> Result<Vec<Checked>> {
    let order = order(build);
    let bar = activity::bar(samples.len(), "Comparing");
    in_parallel(
        (cores(), samples.len()),
        &bar,
        || {
            let open = |name| engine(name, build, accelerator, options.clone());
            Ok((
                open(EngineName::Golden)?,
                held.iter().map(|(name, _)| open(*name)).collect::<Result<Vec<_>>>()?,
            ))
        },
        |(golden, held), index| check_sample(&order, golden.as_mut(), held, &samples.bytes(index)),
    )
}

fn check_sample(
    order: &[&str],
    golden: &mut dyn Engine,
    held: &mut [Box<dyn Engine + '_>],
    input: &[u8],
) -> Result<Checked> {
    let mut expected = golden.run(input)?;
    let mut checked = Checked {
        comparisons: vec![],
        class: expected.class(),
        predicted_cycles: None,
        counted_cycles: None,
    };
    for engine in held {
        let (comparison, got) = examine(engine.as_mut(), input, order, &expected)?;
        checked.comparisons.push(comparison);
        checked.predicted_cycles = expected.cycles;
        checked.counted_cycles = got.cycles;
        adopt(&mut expected, got);
    }
    Ok(checked)
}

/// All samples together.
struct Summary {
    held: &'static [Held],
    /// Of each engine.
    totals: Vec<Comparison>,
    /// The first engine and sample that differ, and how.
    first: Option<(usize, usize, Comparison)>,
    classes: Vec<usize>,
    /// Predicted and counted cycles of one inference; those of the first sample that differ, if some do.
    cycles: Option<(u64, u64)>,
}

impl Summary {
    fn new(held: &'static [Held], checked: Vec<Checked>) -> Self {
        let totals = vec![Comparison::default(); held.len()];
        let mut summary = Summary { held, totals, first: None, classes: vec![], cycles: None };
        for (sample, checked) in checked.into_iter().enumerate() {
            summary.classes.push(checked.class);
            let cycles = checked.predicted_cycles.zip(checked.counted_cycles);
            if summary.cycles.is_none_or(|(predicted, counted)| predicted == counted) {
                summary.cycles = cycles;
            }
            for (engine, comparison) in checked.comparisons.into_iter().enumerate() {
                if !comparison.is_equal() && summary.first.is_none() {
                    summary.first = Some((engine, sample, comparison.clone()));
                }
                summary.totals[engine].merge(comparison);
            }
        }
        summary
    }

    fn print(&self, build: &Build, samples: &Samples, float: &[usize]) -> Result<()> {
        print(&self.table(build).to_string())?;
        if let Some((predicted, counted)) = self.cycles {
            let (predicted, counted) = (grouped(predicted), grouped(counted));
            print(&format!("\ncycles of an inference  {predicted} predicted, {counted} in Verilog"))?;
        }
        let of = counted(samples.len(), "sample");
        for (name, answers) in [("float", float), ("integer", &self.classes)] {
            if let Some(correct) = samples.correct(answers) {
                let share = percent(correct as f64 / samples.len() as f64);
                print(&format!("{:24}{share} ({correct} of {})", format!("{name} accuracy"), samples.len()))?;
            }
        }
        let compared: usize = self.totals.iter().map(Comparison::compared).sum();
        let in_lanes: usize = self.totals.iter().map(Comparison::in_lanes).sum();
        if in_lanes > 0 {
            print(&format!(
                "{:24}{} currents and spikes compared",
                "neuron lanes",
                grouped(in_lanes as u64)
            ))?;
        }
        let Some((engine, sample, comparison)) = &self.first else {
            return print(&format!("0 mismatches in {} elements of {of}", grouped(compared as u64)));
        };
        let mismatches: usize = self.totals.iter().map(Comparison::mismatches).sum();
        let place = match (&comparison.first, &comparison.cycles) {
            (Some(first), _) => first.to_string(),
            (None, Some([expected, got])) => format!("{expected} cycles expected, got {got}"),
            (None, None) => comparison.incomparable.join("; "),
        };
        print(&format!(
            "{} mismatches in {} elements; first: {}, sample {sample}, {place}",
            grouped(mismatches as u64),
            grouped(compared as u64),
            self.held[*engine].1
        ))
    }

    /// The first sample that differs.
    fn first_sample(&self) -> Option<usize> {
        self.first.as_ref().map(|(_, sample, _)| *sample)
    }

    /// The engine that differs in it.
    fn first_engine(&self) -> Option<EngineName> {
        self.first.as_ref().map(|(engine, ..)| self.held[*engine].0)
    }

    fn table(&self, build: &Build) -> Table {
        let headings: Vec<&str> = self.held.iter().map(|(_, heading)| *heading).collect();
        let is_probed = self.totals.iter().any(|total| !total.lanes.is_empty());
        let lanes = if is_probed { &["lanes"][..] } else { &[] };
        let mut table = Table::new(&[&["layer", "elements"], &headings[..], lanes].concat());
        let nodes = build.quant.nodes.iter().map(|node| node.name.as_str());
        let compared: BTreeSet<&String> = self.totals.iter().flat_map(|total| total.layers.keys()).collect();
        let windows = compared.into_iter().map(String::as_str).filter(|layer| is_of_input(layer));
        for layer in windows.chain(nodes).chain([LOGITS]) {
            let counts: Vec<_> = self.totals.iter().map(|total| total.layers.get(layer)).collect();
            let Some(compared) = counts.iter().flatten().map(|count| count.compared).max() else { continue };
            let mismatches = counts.iter().map(|c| c.map_or("-".into(), |c| grouped(c.mismatches as u64)));
            let in_lanes = is_probed.then(|| self.in_lanes(layer));
            table.row(
                [layer.to_owned(), grouped(compared as u64)].into_iter().chain(mismatches).chain(in_lanes),
            );
        }
        table
    }

    /// Mismatches of a layer in the neuron lanes of all engines that show them.
    fn in_lanes(&self, layer: &str) -> String {
        let counts = self.totals.iter().filter_map(|total| total.lanes.get(layer));
        let mismatches = counts.map(|count| count.mismatches).reduce(|sum, more| sum + more);
        mismatches.map_or("-".into(), |mismatches| grouped(mismatches as u64))
    }
}
