//! Both forms of the array's adder, proven equal by yosys.

use crate::tools;
use empf_hw::array::Array;
use empf_hw::emit::{Ports, verilog};
use empf_ir::{ArchConfig, Target};
use std::fs;

/// Registers have the same names and initial values in both forms; if they are equal in one cycle, they are
/// equal in the next, whatever the inputs: the proof needs no bound on cycles. CCU2C is yosys' own model.
const PROOF: &str = "
    read_verilog generic.v
    hierarchy -check -top array
    proc; flatten; opt_clean
    rename array gold
    design -stash gold
    read_verilog ecp5.v
    read_verilog +/ecp5/cells_sim.v
    hierarchy -check -top array
    proc; flatten; opt_clean
    rename array gate
    design -stash gate
    design -copy-from gold -as gold gold
    design -copy-from gate -as gate gate
    equiv_make gold gate equiv
    hierarchy -top equiv
    equiv_induct
    equiv_status -assert
";

fn prove(
    rows: usize,
    cols: usize,
    act_bits: u32,
    change: impl Fn(String) -> String,
) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    for (target, file) in [(Target::Generic, "generic.v"), (Target::Ecp5, "ecp5.v")] {
        let arch = ArchConfig { target, ..ArchConfig::sized(rows, cols, act_bits) };
        let text = verilog("array", &Array::new(&arch), Ports::Packed).unwrap();
        let text = if target == Target::Ecp5 { change(text) } else { text };
        fs::write(folder.path().join(file), text).unwrap();
    }
    fs::write(folder.path().join("proof.ys"), PROOF).unwrap();
    tools::try_run(folder.path(), "yosys", &["-Q", "-s", "proof.ys"])
}

#[test]
fn both_adders_are_equal() {
    for (rows, cols, act_bits) in [(1, 1, 2), (2, 3, 3), (5, 2, 4), (4, 4, 8)] {
        let output = prove(rows, cols, act_bits, |text| text).unwrap();
        assert!(output.contains("Equivalence successfully proven!"), "{rows}x{cols} A={act_bits}: {output}");
    }
}

/// The cell's model for simulation against yosys' own, for all inputs, with the tables and links in use and others.
fn prove_cell(model: &str, parameters: &str) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("model.v"), model).unwrap();
    let module = |file: &str, name: &str| {
        format!(
            "read_verilog {file}
            chparam {parameters} CCU2C
            hierarchy -check -top CCU2C
            proc; flatten; opt_clean
            rename -top {name}
            design -stash {name}\n"
        )
    };
    let miter = "
        design -copy-from gold -as gold gold
        design -copy-from gate -as gate gate
        miter -equiv -flatten -make_outputs gold gate miter
        hierarchy -top miter
        sat -verify -prove trigger 0 miter";
    let script = module("+/ecp5/cells_sim.v", "gold") + &module("model.v", "gate") + miter;
    fs::write(folder.path().join("proof.ys"), script).unwrap();
    tools::try_run(folder.path(), "yosys", &["-Q", "-s", "proof.ys"])
}

const MODEL: &str = include_str!("../../src/array/ccu2c.v");

#[test]
fn the_model_of_the_carry_cell_is_yosys_own() {
    for (inits, links) in [
        (["960C", "960C"], ["NO", "NO"]),
        (["960C", "A5F1"], ["NO", "YES"]),
        (["36C8", "7D42"], ["YES", "NO"]),
        (["FFFF", "0001"], ["YES", "YES"]),
    ] {
        let parameters = format!(
            "-set INIT0 16'h{} -set INIT1 16'h{} -set INJECT1_0 \"{}\" -set INJECT1_1 \"{}\"",
            inits[0], inits[1], links[0], links[1]
        );
        let output = prove_cell(MODEL, &parameters).unwrap();
        assert!(output.contains("SAT proof finished - no model found: SUCCESS!"), "{parameters}: {output}");
    }
    let wrong = MODEL.replace("passes_1 ? carry", "passes_1 ? CIN");
    assert!(wrong != MODEL && prove_cell(&wrong, "-set INIT0 16'h960C -set INIT1 16'h960C").is_err());
}

#[test]
fn another_table_is_not_equal() {
    let change = |text: String| {
        assert!(text.contains("16'h960C"));
        text.replacen("16'h960C", "16'h960A", 1)
    };
    let error = prove(2, 2, 3, change).unwrap_err();
    assert!(error.contains("unproven"), "{error}");
}
