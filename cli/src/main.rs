//! `empf`: from a trained EM-PF spiking network to Verilog.

mod activity;
mod arch_args;
mod augment_args;
mod build;
mod calibration;
mod catalogue;
mod cmd_check;
mod cmd_compile;
mod cmd_data;
mod cmd_demo;
mod cmd_emit;
mod cmd_estimate;
mod cmd_evaluate;
mod cmd_inspect;
mod cmd_simulate;
mod cmd_train;
mod confusion;
mod cost_table;
mod curves;
mod data;
mod engines;
mod error;
mod fetch;
mod folder;
mod judgement;
mod mismatch_waves;
mod named;
mod output;
mod picture;
mod report;
mod run_folder;
mod samples;
mod signals;
mod table;
mod target;
mod waves;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// From a trained EM-PF spiking network to bit-exact Verilog
#[derive(Parser)]
#[command(version, arg_required_else_help = true, after_help = FLOW)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// How the verbs belong together.
const FLOW: &str = "\
The way, once, on data that is generated:
  empf train --network tiny -o runs/tiny          a network with +-1 weights
  empf compile runs/tiny/network -o build/tiny    integers, ROM images, Verilog
  empf check build/tiny --samples 64              every layer equal on four engines

`empf demo` does all of it. `empf help VERB` explains a verb by an example.

Built simulators are kept in the folder that the variable EMPF_CACHE names, else in
~/.cache/empf; it is the user's own, and can be deleted at any time.";

#[derive(Subcommand)]
enum Command {
    Train(cmd_train::Args),
    Evaluate(cmd_evaluate::Args),
    Compile(cmd_compile::Args),
    Check(cmd_check::Args),
    Simulate(cmd_simulate::Args),
    Inspect(cmd_inspect::Args),
    Emit(cmd_emit::Args),
    Estimate(cmd_estimate::Args),
    Demo(cmd_demo::Args),
    Data(cmd_data::Args),
}

/// Runs a verb.
fn dispatch(command: Command) -> error::Result<()> {
    match command {
        Command::Train(args) => cmd_train::run(&args),
        Command::Evaluate(args) => cmd_evaluate::run(&args),
        Command::Compile(args) => cmd_compile::run(&args),
        Command::Check(args) => cmd_check::run(&args),
        Command::Simulate(args) => cmd_simulate::run(&args),
        Command::Inspect(args) => cmd_inspect::run(&args),
        Command::Emit(args) => cmd_emit::run(&args),
        Command::Estimate(args) => cmd_estimate::run(&args),
        Command::Demo(args) => cmd_demo::run(&args, run_line),
        Command::Data(args) => cmd_data::run(&args),
    }
}

/// Runs the verb of a command line.
fn run_line(arguments: &[&str]) -> error::Result<()> {
    let parsed = Arguments::try_parse_from([&["empf"], arguments].concat());
    let parsed = parsed.map_err(|e| error::Error::Option { option: "output", message: e.to_string() })?;
    dispatch(parsed.command)
}

fn main() -> ExitCode {
    if let Err(error) = signals::watch() {
        eprintln!("error: cannot watch for signals: {error}");
        return ExitCode::FAILURE;
    }
    match dispatch(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error::Error::Told) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
