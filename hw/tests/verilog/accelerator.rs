//! The whole accelerator in the linter and in yosys.

use crate::tools;
use empf_hw::{TOP, emit_accelerator};
use empf_ir::program::{PARAMETERS_MEM, SCHEDULE_MEM, WEIGHTS_MEM};
use empf_ir::{AdderForm, ArchConfig};
use std::path::Path;

/// Waivers of the linter's warnings.
const WAIVERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/lint/waivers.vlt");
/// Ports of the carry cell.
const CELL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/lint/ccu2c.v");

/// Extremes, odd sizes, several groups of lanes and more rows than columns.
const SHAPES: [(usize, usize, u32); 5] = [(1, 1, 2), (4, 4, 8), (5, 7, 3), (32, 8, 4), (24, 40, 6)];

/// Writes the accelerators of all shapes in `form` and gives each to `check`.
fn for_each_accelerator(form: AdderForm, check: impl Fn(&Path)) {
    for (rows, cols, act_bits) in SHAPES {
        let folder = tempfile::tempdir().unwrap();
        let arch = ArchConfig { adder: form, ..ArchConfig::sized(rows, cols, act_bits) };
        std::fs::write(folder.path().join("accel.v"), emit_accelerator(&arch).unwrap()).unwrap();
        check(folder.path());
    }
}

#[test]
fn the_generic_form_is_lint_clean() {
    for_each_accelerator(AdderForm::Generic, |folder| tools::lint(folder, TOP, &[WAIVERS, "accel.v"]));
}

#[test]
fn the_ecp5_form_is_lint_clean() {
    for_each_accelerator(AdderForm::Ecp5, |folder| tools::lint(folder, TOP, &[WAIVERS, CELL, "accel.v"]));
}

#[test]
fn every_waiver_has_a_reason() {
    let text = std::fs::read_to_string(WAIVERS).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(lines[0], "`verilator_config");
    for pair in lines[1..].chunks(2) {
        assert!(pair[0].starts_with("// ") && pair[1].starts_with("lint_off -rule"), "{pair:?}");
    }
}

/// Reads, elaborates and checks: no combinational loop, no conflicting drivers, nothing undriven.
fn check_in_yosys(folder: &Path, cells: &str) {
    for image in [WEIGHTS_MEM, PARAMETERS_MEM, SCHEDULE_MEM] {
        std::fs::write(folder.join(image), "0\n").unwrap();
    }
    let script = format!("read_verilog accel.v; {cells} hierarchy -check -top {TOP}; proc; check -assert");
    tools::run(folder, "yosys", &["-q", "-p", &script]);
}

#[test]
fn yosys_checks_the_generic_form() {
    for_each_accelerator(AdderForm::Generic, |folder| check_in_yosys(folder, ""));
}

#[test]
fn yosys_checks_the_ecp5_form() {
    let cells = "read_verilog -lib +/ecp5/cells_sim.v;";
    for_each_accelerator(AdderForm::Ecp5, |folder| check_in_yosys(folder, cells));
}

#[test]
fn a_large_array_is_a_small_file() {
    let text = emit_accelerator(&ArchConfig::sized(32, 32, 8)).unwrap();
    let modules = text.lines().filter(|line| line.starts_with("module ")).count();
    assert!(modules < 40 && text.len() < 1_000_000, "{modules} modules, {} bytes", text.len());
}
