//! Wrong code that the tests must see: mutants that are kept as files, and others drawn by a seed.

mod draw;
mod list;
mod mutant;
mod site;
mod suites;
mod tree;
mod verdict;
mod verilog;

use empf_ir::ArchConfig;
use empf_tests::{Case, crowd};
use list::Equivalent;
use mutant::Mutant;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use suites::{End, Place, Suites};
use tree::{Snapshot, Tree};
use verdict::{Report, Verdict};

/// Suites that must see a drawn mutant of a crate, quick ones first.
fn suites_of(file: &str) -> &'static [&'static str] {
    match file.split('/').next() {
        Some("golden") => &[
            "golden/lib",
            "golden/networks",
            "tests/operators",
            "tests/schedules",
            "tests/presets",
            "compiler/passes",
        ],
        Some("integer") => &["integer/lib", "tests/operators", "tests/schedules", "tests/presets"],
        Some("compiler") => {
            &["compiler/lib", "compiler/passes", "tests/schedules", "tests/operators", "tests/presets"]
        }
        Some("sim") => &[
            "sim/lib",
            "sim/compare",
            "sim/verilator_model",
            "tests/schedules",
            "tests/simulators",
            "tests/control",
            "tests/reset",
            "tests/cases 4x4",
        ],
        _ => &["hw/lib", "tests/simulators", "tests/control", "tests/reset", "tests/cases 4x4", "hw/verilog"],
    }
}

/// An accelerator whose Verilog is mutated.
struct Target {
    arch: ArchConfig,
    /// Modules in which mutants are drawn.
    modules: &'static [&'static str],
    /// Suites that must see them.
    suites: &'static [&'static str],
}

/// Control and its ports are mutated in an accelerator whose ports are tested, arithmetic and memories in one whose
/// memories are full. The test that breaks rules changes the emitted text, and mutants are not in it.
fn targets() -> crate::error::Result<[Target; 2]> {
    let ports = Target {
        arch: Case::kept("ports")?.arch,
        modules: &["empf_axi_lite", "empf_input_buffer", "empf_input_memory", "empf_sequencer", "empf_top"],
        suites: &["tests/cases ports", "tests/control --skip broken_rules", "tests/reset verilator"],
    };
    let crowd = Target {
        arch: crowd()?[0].arch.clone(),
        modules: &[
            "empf_accumulator",
            "empf_accumulator_bank",
            "empf_accumulators",
            "empf_activation_bank",
            "empf_activation_memory",
            "empf_array",
            "empf_attention",
            "empf_current_memory",
            "empf_drain",
            "empf_factor",
            "empf_neuron_lane",
            "empf_pool",
            "empf_potential_memory",
            "empf_skew",
            "empf_stream",
            "empf_sum_memory",
            "empf_unfold",
        ],
        suites: &["tests/crowd"],
    };
    Ok([ports, crowd])
}

/// Options of `mutants`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Seed of what is drawn
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Mutants drawn: two thirds in Rust, a third in Verilog
    #[arg(long, default_value_t = 300)]
    drawn: usize,
    /// Only mutants whose description holds one of these texts
    #[arg(long)]
    only: Vec<String>,
    /// Leave the mutants of the Verilog out
    #[arg(long)]
    rust_only: bool,
    /// Mutants that run at a time
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Folder of the copies and of what they are built to
    #[arg(long, default_value = "target/mutants")]
    folder: PathBuf,
}

pub(crate) fn run(args: Args) -> crate::error::Result {
    let root = std::env::current_dir()?;
    let folder = std::path::absolute(&args.folder)?;
    let args = &Args { folder: folder.clone(), ..args };
    std::fs::create_dir_all(&folder)?;
    let snapshot = Snapshot::new(&root)?;
    let (mut mutants, equivalent) = lists(&root, &snapshot)?;
    let kept = mutants.len();
    let drawn = args.drawn - args.drawn / 3;
    mutants.extend(draw::draw(&snapshot, args.seed, drawn / draw::CRATES.len(), &mutants)?);
    println!("{kept} mutants kept, {} drawn in Rust; building them", mutants.len() - kept);
    let tree = Tree::new(&snapshot, &folder)?;
    let mut suites = tree.build(&mut mutants)?;
    check_kept(&mutants)?;
    let mut report = Report::default();
    rust(args, &mutants, &equivalent, &mut suites, &mut report)?;
    if !args.rust_only {
        let targets = targets()?;
        let count = args.drawn / 3 / targets.len();
        for (index, target) in targets.iter().enumerate() {
            let place = folder.join(format!("verilog{index}"));
            std::fs::create_dir_all(&place)?;
            let mutated = verilog::mutate(&target.arch, target.modules, count, args.seed, &place)?;
            of_verilog(args, &mutated, target, &equivalent, &mut suites, &mut report)?;
        }
    }
    report.finish()
}

/// The kept mutants of `snapshot`, and what is said to be equivalent in it.
fn lists(root: &Path, snapshot: &Snapshot) -> crate::error::Result<(Vec<Mutant>, Vec<Equivalent>)> {
    let (kept, equivalent) = list::read(&root.join("xtask/mutants"))?;
    let kept = kept
        .iter()
        .map(|kept| Mutant::kept(kept, snapshot.text(&kept.file)?))
        .collect::<Result<Vec<_>, _>>()?;
    check_lists(snapshot, &kept, &equivalent)?;
    Ok((kept, equivalent))
}

/// Kept mutants lie apart from each other, and what is said to be equivalent is in the code.
fn check_lists(snapshot: &Snapshot, kept: &[Mutant], equivalent: &[Equivalent]) -> crate::error::Result {
    for (index, mutant) in kept.iter().enumerate() {
        if let Some(other) = kept[..index].iter().find(|other| other.overlaps(mutant)) {
            let [one, two] = [mutant, other].map(Mutant::description);
            return Err(format!("kept mutants overlap: {one}; {two}").into());
        }
    }
    for known in equivalent.iter().filter(|known| known.file.ends_with(".rs")) {
        if !known.is_there(snapshot.text(&known.file)?) {
            let Equivalent { file, function, original, .. } = known;
            return Err(format!("equivalent.toml: {file} has no `{original}` in {function}").into());
        }
    }
    Ok(())
}

/// A kept mutant that the compiler refuses says nothing.
fn check_kept(mutants: &[Mutant]) -> crate::error::Result {
    let refused = mutants.iter().filter(|mutant| mutant.killed_by.is_some() && !mutant.compiles);
    let refused: Vec<String> = refused.map(Mutant::description).collect();
    if refused.is_empty() { Ok(()) } else { Err(format!("kept, but refused: {}", refused.join("; ")).into()) }
}

/// Judges `count` mutants on `workers` threads, and prints each as it ends.
fn in_parallel(
    workers: usize,
    count: usize,
    report: &mut Report,
    judge: impl Fn(usize, usize) -> crate::error::Result<Option<(String, Verdict)>> + Sync,
) -> crate::error::Result {
    let (next, shared) = (AtomicUsize::new(0), Mutex::new(report));
    let work = |worker: usize| -> crate::error::Result {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                return Ok(());
            }
            if let Some((description, verdict)) = judge(worker, index)? {
                shared.lock().map_err(|_| "a judge panicked")?.add(description, verdict);
            }
        }
    };
    std::thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..workers).map(|worker| scope.spawn(move || work(worker))).collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a judge panicked")?)
    })
}

fn is_wanted(args: &Args, description: &str) -> bool {
    args.only.is_empty() || args.only.iter().any(|only| description.contains(only))
}

fn rust(
    args: &Args,
    mutants: &[Mutant],
    equivalent: &[Equivalent],
    suites: &mut Suites,
    report: &mut Report,
) -> crate::error::Result {
    let names_of = |mutant: &Mutant| -> Vec<String> {
        match &mutant.killed_by {
            Some(suite) => vec![suite.clone()],
            None => suites_of(&mutant.file).iter().map(|name| (*name).to_owned()).collect(),
        }
    };
    let cache = args.folder.join("cache");
    let wanted = |mutant: &&Mutant| is_wanted(args, &mutant.description());
    let names: Vec<String> = mutants.iter().filter(wanted).flat_map(names_of).collect();
    suites.measure(&names, &Place::of_rust(&cache, 0))?;
    let suites = &*suites;
    in_parallel(args.workers, mutants.len(), report, |_, index| {
        let mutant = &mutants[index];
        let description = mutant.description();
        if !is_wanted(args, &description) {
            return Ok(None);
        }
        let verdict = if !mutant.compiles {
            Verdict::Refused
        } else if let Some(known) = equivalent.iter().find(|known| known.is_of(&mutant.file, &mutant.site)) {
            Verdict::Equivalent(known.reason.clone())
        } else {
            judge(suites, &names_of(mutant), &Place::of_rust(&cache, index + 1))?
        };
        Ok(Some((description, verdict)))
    })
}

/// The first of `names` that fails kills the mutant.
fn judge(suites: &Suites, names: &[String], place: &Place) -> crate::error::Result<Verdict> {
    for name in names {
        if let End::Failed(test) = suites.run(name, place)? {
            return Ok(Verdict::Killed { suite: name.clone(), test });
        }
    }
    Ok(Verdict::Survived)
}

fn of_verilog(
    args: &Args,
    mutated: &verilog::Mutated,
    target: &Target,
    equivalent: &[Equivalent],
    suites: &mut Suites,
    report: &mut Report,
) -> crate::error::Result {
    let folder = tempfile::tempdir()?;
    std::fs::write(
        folder.path().join(tree::verilog_name(&empf_hw::emit_accelerator(&target.arch)?)),
        &mutated.text,
    )?;
    let places = (0..args.workers)
        .map(|_| Place::of_verilog(&args.folder.join("cache"), folder.path()))
        .collect::<crate::error::Result<Vec<_>>>()?;
    let names: Vec<String> = target.suites.iter().map(|name| (*name).to_owned()).collect();
    suites.measure(&names, &places[0])?;
    let suites = &*suites;
    in_parallel(args.workers, mutated.mutants.len(), report, |worker, index| {
        let verilog::Description { module, place, change, is_void } = &mutated.mutants[index];
        let description = format!("{module} {place}: {change}");
        if !is_wanted(args, &description) {
            return Ok(None);
        }
        let known = equivalent
            .iter()
            .find(|known| known.file == *module && known.original == *place && known.mutated == *change);
        let verdict = match known {
            Some(known) => Verdict::Equivalent(known.reason.clone()),
            None if *is_void => Verdict::Equivalent("the number has that bit already".into()),
            None => {
                places[worker].set_verilog(index + 1)?;
                judge(suites, &names, &places[worker])?
            }
        };
        Ok(Some((description, verdict)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever changes code that a list names sees it now, and not an hour into a run.
    #[test]
    fn the_lists_are_of_the_code_that_is_there() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        lists(&root, &Snapshot::new(&root).unwrap()).unwrap();
    }
}
