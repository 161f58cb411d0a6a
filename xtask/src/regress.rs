//! Random networks on every engine.

use empf_tests::{ACT_BITS, ARRAYS, Case, Failure, Outcome, Suite, minimise};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::mem::discriminant;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::thread;
use std::time::Instant;

/// Options of `regress`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Number of cases, spread over arrays of 4x4, 8x8, 16x16, 32x32 and 24x40 and A of 4, 6 and 8
    #[arg(long, default_value_t = 500)]
    cases: u64,
    /// Seed of the first case; the others follow
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Only this array, such as 16x16
    #[arg(long)]
    array: Option<String>,
    /// Folder for failing cases, minimised; a file in tests/cases is run by every test run
    #[arg(long, default_value = "tests/cases")]
    save: PathBuf,
    /// Save all cases as they are and run none
    #[arg(long)]
    draw_only: bool,
}

pub(crate) fn run(args: Args) -> crate::Result {
    let groups = draw(&args);
    if groups.is_empty() {
        return Err("no case was drawn: is the array one of those in the help?".into());
    }
    if args.draw_only {
        for case in groups.values().flatten() {
            println!("{}", save(&args, case)?.display());
        }
        return Ok(());
    }
    let start = Instant::now();
    let (mut passed, mut elements, mut failed) = (0, 0, 0);
    for (name, cases) in &groups {
        let suite = Suite::new(&cases[0].arch())?;
        let results = run_group(&suite, cases);
        let mut of_group = Totals::default();
        for (case, result) in cases.iter().zip(results) {
            match result {
                Ok(outcome) => of_group.add(case, outcome),
                Err(failure) => report(&args, &suite, case, &failure)?,
            }
        }
        println!("{name:>12}  {of_group}");
        passed += of_group.cases;
        elements += of_group.elements;
        failed += cases.len() - of_group.cases;
    }
    let seconds = start.elapsed().as_secs();
    println!("{passed} cases passed, {failed} failed; {elements} tensor elements compared; {seconds} s");
    if failed == 0 { Ok(()) } else { Err(format!("{failed} cases failed").into()) }
}

/// The cases by accelerator.
fn draw(args: &Args) -> BTreeMap<String, Vec<Case>> {
    let mut groups: BTreeMap<String, Vec<Case>> = BTreeMap::new();
    let arrays: Vec<[usize; 2]> = ARRAYS
        .into_iter()
        .filter(|a| args.array.as_ref().is_none_or(|name| *name == array_name(a)))
        .collect();
    for index in 0..if arrays.is_empty() { 0 } else { args.cases } {
        let array = arrays[index as usize % arrays.len()];
        let act_bits = ACT_BITS[index as usize / arrays.len() % ACT_BITS.len()];
        let case = Case::random(args.seed + index, array, act_bits);
        groups.entry(format!("{} A={act_bits}", array_name(&array))).or_default().push(case);
    }
    groups
}

fn array_name(array: &[usize; 2]) -> String {
    format!("{}x{}", array[0], array[1])
}

/// Results of cases of one accelerator, in order, on all cores.
fn run_group(suite: &Suite, cases: &[Case]) -> Vec<Result<Outcome, Failure>> {
    let workers = thread::available_parallelism().map_or(1, |n| n.get());
    let share = |worker: usize| -> Vec<_> {
        let mine = cases.iter().enumerate().skip(worker).step_by(workers);
        mine.map(|(index, case)| (index, suite.run(case))).collect()
    };
    let mut results: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|worker| scope.spawn(move || share(worker))).collect();
        threads.into_iter().flat_map(|t| t.join().unwrap_or_else(|p| resume_unwind(p))).collect()
    });
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Prints a failure, makes its case small and saves it.
fn report(args: &Args, suite: &Suite, case: &Case, failure: &Failure) -> crate::Result {
    println!("FAILED seed {}: {failure}", case.seed);
    let kind = discriminant(failure);
    let fails = |case: &Case| suite.run(case).is_err_and(|failure| discriminant(&failure) == kind);
    let path = save(args, &minimise(case.clone(), fails))?;
    println!("       its minimised case is {}", path.display());
    Ok(())
}

/// Writes a case file; returns its path.
fn save(args: &Args, case: &Case) -> Result<PathBuf, empf_ir::Error> {
    empf_ir::store::create_dir(&args.save)?;
    let name = format!("{}-a{}-seed{}.json", array_name(&case.array), case.act_bits, case.seed);
    let path = args.save.join(name);
    case.save(&path)?;
    Ok(path)
}

/// Sums over the cases that passed on one accelerator.
#[derive(Default)]
struct Totals {
    cases: usize,
    elements: usize,
    cycles: u64,
    time_steps: BTreeSet<usize>,
}

impl Totals {
    fn add(&mut self, case: &Case, outcome: Outcome) {
        self.cases += 1;
        self.elements += outcome.elements;
        self.cycles += outcome.cycles;
        self.time_steps.insert(case.time_steps);
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Totals { cases, elements, cycles, time_steps } = self;
        write!(f, "{cases:3} cases with T in {time_steps:?}, {elements} elements and {cycles} cycles equal")
    }
}
