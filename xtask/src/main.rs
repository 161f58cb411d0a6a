//! Named commands for long checks and benchmarks: `cargo xtask COMMAND`.

mod bench_array;
mod bench_neurons;
mod bench_train;
mod cells;
mod coverage;
mod crates;
mod error;
mod faults;
mod killed;
mod mutants;
mod networks;
mod regress;
mod study;
mod timing;
mod tool;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Speed of the emitted array in Verilator against hand-written Verilog, same run and same drive
    BenchArray(bench_array::Args),
    /// What random back-propagation and parallel neurons save, beside the paper's ratios
    BenchNeurons(bench_neurons::Args),
    /// Images a second in training, beside PyTorch
    BenchTrain(bench_train::Args),
    /// ECP5 cells of the array a processing element, held to its limits
    Cells(cells::Args),
    /// Lines and bits of the emitted Verilog that random networks reach; what is never reached needs a reason
    Coverage(coverage::Args),
    /// The folder picture: lines of each crate, and circles among its files, of which there must be none
    Crates(crates::Args),
    /// Plants faults in ROM images, Verilog and golden model; each must be seen and located
    Faults,
    /// Training that is killed at any moment ends with the weights of a run that nobody disturbed
    Killed(killed::Args),
    /// Wrong code that the tests must see: kept mutants and drawn ones, of the Rust code and of the emitted Verilog
    Mutants(mutants::Args),
    /// The paper's networks, whole, in Verilator: every tensor and every cycle
    Networks(networks::Args),
    /// Random networks on every engine: exact equality of all tensors, logits and cycles
    Regress(regress::Args),
    /// A table of training runs, which can be stopped and started again at any time
    Study(study::Args),
    /// The clock that each unit reaches alone on an ECP5, with its longest path
    Timing(timing::Args),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::BenchArray(args) => bench_array::run(&args),
        Command::BenchNeurons(args) => bench_neurons::run(&args),
        Command::BenchTrain(args) => bench_train::run(&args),
        Command::Cells(args) => cells::run(&args),
        Command::Coverage(args) => coverage::run(&args),
        Command::Crates(args) => crates::run(&args),
        Command::Faults => faults::run(),
        Command::Killed(args) => killed::run(&args),
        Command::Mutants(args) => mutants::run(args),
        Command::Networks(args) => networks::run(&args),
        Command::Regress(args) => regress::run(args),
        Command::Study(args) => study::run(&args),
        Command::Timing(args) => timing::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
