//! `empf`: from a trained EM-PF spiking network to Verilog.

mod arch_args;
mod cmd_compile;
mod cmd_demo;
mod cmd_emit;
mod cmd_train;
mod data;
mod error;
mod folder;
mod output;
mod report;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// From a trained EM-PF spiking network to bit-exact Verilog.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Train(cmd_train::Args),
    Compile(cmd_compile::Args),
    Emit(cmd_emit::Args),
    Demo(cmd_demo::Args),
}

/// Runs a verb.
fn dispatch(command: Command) -> error::Result<()> {
    match command {
        Command::Train(args) => cmd_train::run(&args),
        Command::Compile(args) => cmd_compile::run(&args),
        Command::Emit(args) => cmd_emit::run(&args),
        Command::Demo(args) => cmd_demo::run(&args),
    }
}

fn main() -> ExitCode {
    match dispatch(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
