//! The engines by name, and many samples on all cores.

use crate::activity;
use crate::build::{Build, Hardware, VERILOG};
use crate::error::Result;
use clap::ValueEnum;
use empf_sim::verilator::{Accelerator, CACHE_VARIABLE, Cache, Options, Purpose};
use empf_sim::{Engine, GoldenEngine, IntegerEngine, Interpreter};
use indicatif::ProgressBar;
use std::panic::resume_unwind;
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
    if *verilog != empf_hw::emit_accelerator(arch)? {
        let name = &build.quant.name;
        eprintln!("note: {VERILOG} of `{name}` is not what `empf compile` writes; it runs as it is");
    }
    let message =
        format!("Verilator model of the {}x{} array: from the cache, or built now", arch.rows, arch.cols);
    let purpose = if waves { Purpose::Waves } else { Purpose::Speed };
    Ok(activity::during(&message, || Accelerator::build(verilog, arch, purpose))?)
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
        (EngineName::Interpreter, _) => Box::new(Interpreter::new(&build.hardware("interpreter")?.program)?),
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
    use crate::error::Error;
    use std::sync::Barrier;

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
