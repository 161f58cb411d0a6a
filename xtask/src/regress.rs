//! Random networks on random accelerators, on every engine.

mod drawn;

use drawn::Drawn;
use empf_ir::ArchConfig;
use empf_tests::{Case, Failure, Outcome, Suite, fit, minimise, pooled_arch, run_description, tiny_arch};
use std::collections::BTreeSet;
use std::fmt;
use std::mem::discriminant;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::thread;
use std::time::Instant;

/// One case of so many has a tiny accelerator of its own in RustHDL's simulator.
const TINY: u64 = 10;
/// Most vectors of a case in Verilator and in RustHDL's simulator.
const MOST_VECTORS: [usize; 2] = [60_000, 1_000];

/// Options of `regress`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Number of cases; one in ten has a tiny accelerator of its own and runs in RustHDL's simulator, the others share
    /// accelerators in Verilator
    #[arg(long, default_value_t = 500)]
    cases: u64,
    /// Seed of the first case and of the accelerators
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Number of accelerators in Verilator, each a C++ compilation
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u64).range(1..))]
    arrays: u64,
    /// Only this accelerator, in Verilator: a preset such as 16x16, or a TOML file
    #[arg(long, conflicts_with = "arrays")]
    array: Option<String>,
    /// Folder for failing cases, minimised; a file in tests/cases is run by every test run
    #[arg(long, default_value = "tests/cases")]
    save: PathBuf,
    /// Save all cases as they are and run none
    #[arg(long)]
    draw_only: bool,
}

pub(crate) fn run(args: Args) -> crate::error::Result {
    let start = Instant::now();
    let groups = draw(&args)?;
    if args.draw_only {
        for case in groups.iter().flat_map(|group| &group.cases) {
            println!("{}", save(&args, case)?.display());
        }
        return Ok(());
    }
    let (mut drawn, mut all) = (Drawn::default(), Totals::default());
    for group in &groups {
        group.cases.iter().for_each(|case| drawn.add(case));
        let of_group = group.run(&args)?;
        println!("{:>24}  {of_group}", group.name());
        all.merge(of_group);
    }
    print!("\nDrawn:\n{drawn}\n");
    let Totals { passed, failed, elements, in_lanes, .. } = all;
    let seconds = start.elapsed().as_secs();
    print!("{passed} cases passed, {failed} failed; {elements} tensor elements compared, ");
    println!("{in_lanes} of them in the neuron lanes; {seconds} s");
    if failed == 0 { Ok(()) } else { Err(format!("{failed} cases failed").into()) }
}

/// Cases of one accelerator.
struct Group {
    /// The accelerator is simulated by RustHDL, else by Verilator.
    is_tiny: bool,
    cases: Vec<Case>,
}

fn draw(args: &Args) -> crate::error::Result<Vec<Group>> {
    let archs: Vec<ArchConfig> = match &args.array {
        Some(name) => vec![ArchConfig::named(name)?],
        None => (0..args.arrays).map(|index| pooled_arch(args.seed, index)).collect(),
    };
    let mut groups: Vec<Group> = archs.iter().map(|_| Group { is_tiny: false, cases: vec![] }).collect();
    for index in 0..args.cases {
        let seed = args.seed + index;
        if args.array.is_none() && index % TINY == TINY - 1 {
            let cases = vec![Case::random(seed, &tiny_arch(seed), MOST_VECTORS[1])];
            groups.push(Group { is_tiny: true, cases });
        } else {
            let of_pool = index as usize % archs.len();
            groups[of_pool].cases.push(Case::random(seed, &archs[of_pool], MOST_VECTORS[0]));
        }
    }
    groups.retain(|group| !group.cases.is_empty());
    groups.iter_mut().try_for_each(|group| fit(&mut group.cases))?;
    Ok(groups)
}

impl Group {
    fn name(&self) -> String {
        let ArchConfig { rows, cols, act_bits, lanes, membrane_bits, acc_bits, .. } = self.cases[0].arch;
        format!("{rows}x{cols} A={act_bits} N={lanes} V={membrane_bits} acc={acc_bits}")
    }

    fn run(&self, args: &Args) -> crate::error::Result<Totals> {
        let suite = if self.is_tiny { None } else { Some(Suite::new(&self.cases[0].arch)?) };
        let run = |case: &Case| match &suite {
            Some(suite) => suite.run(case),
            None => run_description(case),
        };
        let mut totals = Totals::default();
        for (case, result) in self.cases.iter().zip(in_parallel(&self.cases, run)) {
            match result {
                Ok(outcome) => totals.add(case, outcome),
                Err(failure) => {
                    totals.failed += 1;
                    report(args, run, case, &failure)?;
                }
            }
        }
        Ok(totals)
    }
}

type Ran = Result<Outcome, Failure>;

/// Results of `cases`, in order, on all cores.
fn in_parallel(cases: &[Case], run: impl Fn(&Case) -> Ran + Sync) -> Vec<Ran> {
    let workers = thread::available_parallelism().map_or(1, |n| n.get());
    let share = |worker: usize| -> Vec<_> {
        let mine = cases.iter().enumerate().skip(worker).step_by(workers);
        mine.map(|(index, case)| (index, run(case))).collect()
    };
    let mut results: Vec<_> = thread::scope(|scope| {
        let share = &share;
        let threads: Vec<_> = (0..workers).map(|worker| scope.spawn(move || share(worker))).collect();
        threads.into_iter().flat_map(|t| t.join().unwrap_or_else(|p| resume_unwind(p))).collect()
    });
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Prints a failure, makes its case small and saves it.
fn report(args: &Args, run: impl Fn(&Case) -> Ran, case: &Case, failure: &Failure) -> crate::error::Result {
    println!("FAILED seed {}: {failure}", case.seed);
    let kind = discriminant(failure);
    let fails = |case: &Case| run(case).is_err_and(|failure| discriminant(&failure) == kind);
    let path = save(args, &minimise(case.clone(), fails))?;
    println!("       its minimised case is {}", path.display());
    Ok(())
}

/// Writes a case file; returns its path.
fn save(args: &Args, case: &Case) -> Result<PathBuf, empf_ir::Error> {
    empf_ir::store::create_dir(&args.save)?;
    let ArchConfig { rows, cols, act_bits, .. } = case.arch;
    let path = args.save.join(format!("{rows}x{cols}-a{act_bits}-seed{}.json", case.seed));
    case.save(&path)?;
    Ok(path)
}

/// Sums over cases.
#[derive(Default)]
struct Totals {
    passed: usize,
    failed: usize,
    elements: usize,
    in_lanes: usize,
    cycles: u64,
    time_steps: BTreeSet<usize>,
}

impl Totals {
    fn add(&mut self, case: &Case, outcome: Outcome) {
        self.passed += 1;
        self.elements += outcome.elements;
        self.in_lanes += outcome.in_lanes;
        self.cycles += outcome.cycles;
        self.time_steps.insert(case.time_steps);
    }

    fn merge(&mut self, other: Totals) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.elements += other.elements;
        self.in_lanes += other.in_lanes;
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Totals { passed, elements, cycles, time_steps, .. } = self;
        write!(f, "{passed:3} cases with T in {time_steps:?}, {elements} elements and {cycles} cycles equal")
    }
}
