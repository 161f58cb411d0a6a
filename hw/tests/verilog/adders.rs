//! Both forms of the array's adder, proven equal by yosys.

use crate::tools;
use empf_hw::array::Array;
use empf_hw::emit::{Ports, verilog};
use empf_ir::{AdderForm, ArchConfig};

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
    for (adder, file) in [(AdderForm::Generic, "generic.v"), (AdderForm::Ecp5, "ecp5.v")] {
        let arch = ArchConfig { adder, ..ArchConfig::sized(rows, cols, act_bits) };
        let text = verilog("array", &Array::new(&arch), Ports::Packed).unwrap();
        let text = if adder == AdderForm::Ecp5 { change(text) } else { text };
        std::fs::write(folder.path().join(file), text).unwrap();
    }
    std::fs::write(folder.path().join("proof.ys"), PROOF).unwrap();
    tools::try_run(folder.path(), "yosys", &["-Q", "-s", "proof.ys"])
}

#[test]
fn both_adders_are_equal() {
    for (rows, cols, act_bits) in [(1, 1, 2), (2, 3, 3), (5, 2, 4), (4, 4, 8)] {
        let output = prove(rows, cols, act_bits, |text| text).unwrap();
        assert!(output.contains("Equivalence successfully proven!"), "{rows}x{cols} A={act_bits}: {output}");
    }
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
