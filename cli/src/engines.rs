//! The engines by name, and many samples on all cores.

use crate::activity;
use crate::build::{Build, Hardware, VERILOG};
use crate::error::{Error, Result};
use clap::ValueEnum;
use empf_sim::verilator::{Accelerator, CACHE_VARIABLE, Cache, Options, Purpose};
use empf_sim::{Engine, GoldenEngine, IntegerEngine, Interpreter};
use indicatif::ProgressBar;
use std::collections::BTreeSet;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// An execution of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EngineName {
    /// What the integer network means
    Golden,
    /// The trainer's integer forward
    Trainer,
    /// The schedule and the ROM images; counts cycles
    Interpreter,
    /// The emitted Verilog; counts cycles
    Verilator,
}

/// The accelerator of `build` in Verilator.
pub(crate) fn verilated(build: &Build, waves: bool) -> Result<Accelerator> {
    let Hardware { program, verilog } = build.hardware("verilator")?;
    if let Some(note) = Cache::find()?.note {
        eprintln!("note: {note}; {CACHE_VARIABLE} names another folder");
    }
    let arch = &program.arch;
    let file = build.folder.join(VERILOG);
    let own = empf_hw::emit_accelerator(arch)?;
    let is_own = *verilog == own;
    if !is_own {
        check_endings(&file, verilog)?;
        check_calls(&file, verilog, &own)?;
        let other = "is not what `empf compile` writes; it runs as it is, unless you compile again";
        eprintln!("note: {} {other}", file.display());
    }
    let message =
        format!("Verilator model of the {}x{} array: from the cache, or built now", arch.rows, arch.cols);
    let purpose = if waves { Purpose::Waves } else { Purpose::Speed };
    activity::during(&message, || Accelerator::build(verilog, arch, purpose)).map_err(|error| match error {
        empf_sim::Error::Tool { .. } if !is_own => {
            Error::file(file, format!("is no Verilog of an accelerator; compile again: {error}"))
        }
        _ => error.into(),
    })
}

/// Every cycle of `verilog`, which somebody wrote into `file`, comes to its end: only loops could run on, and
/// the accelerator has none.
fn check_endings(file: &Path, verilog: &str) -> Result<()> {
    let code = verilog.lines().map(|line| line.split("//").next().unwrap_or_default());
    let mut words = code.flat_map(|code| code.split(|c: char| !c.is_alphanumeric() && !"_$`".contains(c)));
    match words.find(|word| ["for", "forever", "repeat", "while"].contains(word)) {
        Some(word) => {
            let message = format!("has a loop, `{word}`, that may never end; compile again, or take it out");
            Err(Error::file(file, message))
        }
        None => Ok(()),
    }
}

/// `verilog`, which somebody wrote into `file`, asks nothing of this machine that `own`, the accelerator, does not:
/// system tasks run programs and write files, and includes read them.
fn check_calls(file: &Path, verilog: &str, own: &str) -> Result<()> {
    let tasks = |text: &'_ str| -> BTreeSet<String> {
        let words = text.split(|c: char| !c.is_alphanumeric() && !"_$".contains(c));
        words.filter(|word| word.contains('$')).map(str::to_owned).collect()
    };
    let includes = |text: &'_ str| -> BTreeSet<String> {
        text.lines().filter(|line| line.contains("`include")).map(|line| line.trim().to_owned()).collect()
    };
    let foreign = [(tasks(verilog), tasks(own)), (includes(verilog), includes(own))];
    match foreign.iter().find_map(|(theirs, ours)| theirs.difference(ours).next()) {
        Some(call) => {
            let message =
                format!("has `{call}`, which the accelerator has not; compile again, or take it out");
            Err(Error::file(file, message))
        }
        None => Ok(()),
    }
}

/// The engine called `name` for the network of `build`; [`EngineName::Verilator`] runs on `accelerator`.
pub(crate) fn engine<'b>(
    name: EngineName,
    build: &'b Build,
    accelerator: Option<&Accelerator>,
    options: Options,
) -> Result<Box<dyn Engine + 'b>> {
    Ok(match (name, accelerator) {
        (EngineName::Golden, _) => Box::new(GoldenEngine::new(&build.quant)),
        (EngineName::Trainer, _) => Box::new(IntegerEngine::new(&build.quant)?),
        (EngineName::Interpreter, _) => {
            let interpreter = Interpreter::new(&build.hardware("interpreter")?.program)?;
            Box::new(if options.probe { interpreter.probed() } else { interpreter })
        }
        (EngineName::Verilator, accelerator) => {
            let program = &build.hardware("verilator")?.program;
            match accelerator {
                Some(accelerator) => Box::new(accelerator.engine(program, options)?),
                None => Box::new(verilated(build, options.waves.is_some())?.engine(program, options)?),
            }
        }
    })
}

/// How simulated hardware starts, so that a failure can be seen again.
pub(crate) fn power_up(seed: u32) -> String {
    format!("registers and memories start at random values of --power-up-seed {seed}")
}

/// How many samples are worked on at a time: one a core.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, |n| n.get())
}

/// `run(worker, sample)` of each sample below `count`, in order, by `workers` threads with a worker of their
/// own each. The first failure ends it.
pub(crate) fn in_parallel<W, R: Send>(
    (workers, count): (usize, usize),
    bar: &ProgressBar,
    worker: impl Fn() -> Result<W> + Sync,
    run: impl Fn(&mut W, usize) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let share = || -> Result<Vec<(usize, R)>> {
        let mut worker = worker()?;
        let mut results = Vec::new();
        loop {
            let sample = next.fetch_add(1, Ordering::Relaxed);
            if sample >= count {
                return Ok(results);
            }
            let result = run(&mut worker, sample).inspect_err(|_| next.store(count, Ordering::Relaxed))?;
            results.push((sample, result));
            bar.inc(1);
        }
    };
    let shares: Vec<Result<_>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..workers.min(count)).map(|_| scope.spawn(share)).collect();
        threads.into_iter().map(|t| t.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    bar.finish_and_clear();
    let mut results = Vec::with_capacity(count);
    for share in shares {
        results.extend(share?);
    }
    results.sort_by_key(|(sample, _)| *sample);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    #[test]
    fn the_emitted_verilog_has_no_loops() {
        let verilog = empf_hw::emit_accelerator(&empf_ir::ArchConfig {
            target: empf_ir::Target::Ecp5,
            ..empf_ir::ArchConfig::sized(4, 4, 4)
        });
        let verilog = verilog.unwrap();
        let check = |text: &str| check_endings(Path::new("accel.v"), text).map_err(|error| error.to_string());
        check(&verilog).unwrap();
        check("// while\nreg forever_, \\repeat_; // for\n").unwrap();
        for word in ["for", "forever", "repeat", "while"] {
            let planted = verilog.replacen("endmodule", &format!("initial\n  {word}(1) ;\nendmodule"), 1);
            let error = check(&planted).unwrap_err();
            assert!(error.contains("accel.v: has a loop") && error.contains(word), "{error}");
        }
    }

    #[test]
    fn foreign_verilog_calls_nothing() {
        let own = "$readmemh(f, m);\n  `include \"weights.vh\"\n";
        let check = |text: &str| check_calls(Path::new("accel.v"), &format!("{own}{text}"), own);
        check("assign x = ~y; // $readmemh").unwrap();
        for text in ["initial $system(\"touch x\");", "x = \"//\"; $fopen(f)", "`include \"/etc/passwd\""] {
            let error = check(text).unwrap_err().to_string();
            assert!(error.contains("which the accelerator has not"), "{error}");
        }
    }

    #[test]
    fn results_are_in_order_and_a_failure_is_given() {
        let bar = ProgressBar::hidden();
        // Samples meet in pairs, so that both threads get half of them.
        let pair = Barrier::new(2);
        let square = |(): &mut (), i| {
            pair.wait();
            Ok(i * i)
        };
        let squares = in_parallel((2, 50), &bar, || Ok(()), square).unwrap();
        assert_eq!(squares, (0..50).map(|i| i * i).collect::<Vec<_>>());
        let fail = |_: &mut (), i| if i == 7 { Err(Error::file("seven", "no")) } else { Ok(()) };
        assert_eq!(in_parallel((3, 50), &bar, || Ok(()), fail).unwrap_err().to_string(), "seven: no");
        assert!(in_parallel((3, 0), &bar, || Ok(()), |(), i| Ok(i)).unwrap().is_empty());
    }
}
