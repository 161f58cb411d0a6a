//! Named commands for long checks and benchmarks: `cargo xtask COMMAND`.

mod regress;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// A command's result; the error is for people.
type Result = std::result::Result<(), Box<dyn std::error::Error + Send + Sync>>;

#[derive(Parser)]
#[command(about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Random networks on every engine: exact equality of all tensors, logits and cycles
    Regress(regress::Args),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Regress(args) => regress::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
