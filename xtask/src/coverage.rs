//! Line and toggle coverage of the emitted Verilog under random networks on one accelerator.

use empf_ir::ArchConfig;
use empf_sim::Engine;
use empf_sim::verilator::{Accelerator, Options, Purpose};
use empf_tests::{Case, compile, fit, random_arch};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// Most vectors of a case.
const MOST_VECTORS: usize = 20_000;
/// Separators of a key in Verilator's file.
const NAME: char = '\u{1}';
const VALUE: char = '\u{2}';

/// Options of `coverage`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Networks, each with pauses of sender and receiver
    #[arg(long, default_value_t = 60)]
    cases: u64,
    /// Seed of the first network and of the accelerator
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Rows and columns of the array
    #[arg(long, num_args = 2, default_values_t = [4, 4])]
    array: Vec<usize>,
    /// Print every point that is never reached
    #[arg(long)]
    all: bool,
}

/// A line or a bit of a module.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Point {
    module: String,
    kind: String,
    /// Bit of a signal, or kind of branch.
    what: String,
    line: u32,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Point { module, kind, what, line } = self;
        write!(f, "{module} {kind} {what} (line {line})")
    }
}

/// Why points are not reached.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Gap {
    /// The module; `*` for all.
    module: String,
    /// What the points' names start with.
    what: String,
    /// How many points it explains at most.
    points: usize,
    reason: String,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Gaps {
    #[serde(default)]
    gap: Vec<Gap>,
}

impl Gap {
    fn explains(&self, point: &Point) -> bool {
        (self.module == "*" || self.module == point.module) && point.what.starts_with(&self.what)
    }
}

pub(crate) fn run(args: &Args) -> crate::error::Result {
    let gaps = std::fs::read_to_string("xtask/coverage/gaps.toml")?;
    let Gaps { gap: gaps } = toml::from_str(&gaps).map_err(|e| format!("xtask/coverage/gaps.toml: {e}"))?;
    let [rows, cols] = [args.array[0], args.array[1]];
    let arch = random_arch(args.seed, [rows, cols], 4);
    let mut cases: Vec<Case> =
        (0..args.cases).map(|index| Case::random(args.seed + index, &arch, MOST_VECTORS)).collect();
    fit(&mut cases)?;
    let arch = cases.first().ok_or("no cases")?.arch.clone();
    let hits = simulate(&cases, &arch)?;
    report(&hits, &gaps, args.all)
}

/// How often each point was reached in all of `cases`.
fn simulate(cases: &[Case], arch: &ArchConfig) -> crate::error::Result<BTreeMap<Point, u64>> {
    let verilog = empf_hw::emit_accelerator(arch)?;
    let accelerator = Accelerator::build(&verilog, arch, Purpose::Coverage)?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("coverage.dat");
    let mut hits = BTreeMap::new();
    for case in cases {
        let (_, program) = compile(case)?;
        let options =
            Options { stall_seed: case.seed + 1, power_up_seed: case.seed as u32, ..Options::default() };
        let mut engine = accelerator.engine(&program, options)?;
        for index in 0..2 {
            engine.run(&case.input(index))?;
        }
        engine.write_coverage(&file)?;
        add(&file, &mut hits)?;
    }
    Ok(hits)
}

/// Adds the counts in Verilator's `file`, whose lines are `C '<key>' <count>`.
fn add(file: &Path, hits: &mut BTreeMap<Point, u64>) -> crate::error::Result {
    for line in std::fs::read_to_string(file)?.lines() {
        let Some((key, count)) = line.strip_prefix("C '").and_then(|rest| rest.split_once("' ")) else {
            continue;
        };
        let values: BTreeMap<&str, &str> =
            key.split(NAME).filter_map(|pair| pair.split_once(VALUE)).collect();
        let of = |name: &str| values.get(name).copied().unwrap_or_default();
        let (kind, module) = of("page").split_once('/').unwrap_or_default();
        let point = Point {
            module: module.to_owned(),
            kind: kind.trim_start_matches("v_").to_owned(),
            what: of("o").to_owned(),
            line: of("l").parse().unwrap_or_default(),
        };
        *hits.entry(point).or_default() += count.trim().parse::<u64>().unwrap_or_default();
    }
    Ok(())
}

/// Prints shares by module; an error where a point is neither reached nor explained.
fn report(hits: &BTreeMap<Point, u64>, gaps: &[Gap], all: bool) -> crate::error::Result {
    let mut modules: BTreeMap<(&str, &str), [usize; 2]> = BTreeMap::new();
    let mut explained = vec![0; gaps.len()];
    let mut unexplained = Vec::new();
    for (point, hits) in hits {
        let [reached, points] = modules.entry((&point.kind, &point.module)).or_default();
        *points += 1;
        *reached += usize::from(*hits > 0);
        if *hits > 0 {
            continue;
        }
        let mut reasons = gaps.iter().zip(&mut explained);
        match reasons.find(|(gap, count)| gap.explains(point) && **count < gap.points) {
            Some((_, count)) => *count += 1,
            None => unexplained.push(point),
        }
        if all {
            println!("never  {point}");
        }
    }
    println!("{:<8} {:<32} {:>8} {:>8}", "kind", "module", "reached", "points");
    for ((kind, module), [reached, points]) in &modules {
        println!("{kind:<8} {module:<32} {reached:>8} {points:>8}");
    }
    for kind in ["line", "branch", "toggle"] {
        let of_kind = modules.iter().filter(|((of, _), _)| *of == kind);
        let [reached, points] =
            of_kind.fold([0, 0], |sum, (_, [reached, points])| [sum[0] + reached, sum[1] + points]);
        println!("all {kind}: {reached} of {points}");
    }
    for (gap, count) in gaps.iter().zip(&explained).filter(|(_, count)| **count > 0) {
        println!("explained: {count:>5} {} {}: {}", gap.module, gap.what, gap.reason);
    }
    for point in &unexplained {
        println!("unexplained: {point}");
    }
    if unexplained.is_empty() {
        Ok(())
    } else {
        Err(format!("{} points have no reason", unexplained.len()).into())
    }
}
