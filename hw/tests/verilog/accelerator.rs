//! The whole accelerator in the linters and in yosys.

use crate::tools;
use empf_hw::{TOP, emit_accelerator, emit_without_images, included_images};
use empf_ir::{ArchConfig, Target};
use std::fs;
use std::path::Path;

/// Waivers of the linter's warnings.
const WAIVERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/lint/waivers.vlt");
/// Yosys has the cells itself.
const CELLS: &str = "read_verilog -lib +/ecp5/cells_sim.v +/ecp5/cells_bb.v;";

/// Extremes, odd sizes, several groups of lanes and more rows than columns.
const SHAPES: [(usize, usize, u32); 5] = [(1, 1, 2), (4, 4, 8), (5, 7, 3), (32, 8, 4), (24, 40, 6)];
/// Without the largest, of which every carry cell would be an instance of its own.
const SMALL: &[(usize, usize, u32)] = SHAPES.split_at(3).0;

/// Writes each text of the accelerators of `shapes` in `form` and gives its folder to `check`.
fn for_each_accelerator(shapes: &[(usize, usize, u32)], form: Target, check: impl Fn(&Path)) {
    for (rows, cols, act_bits) in shapes {
        let folder = tempfile::tempdir().unwrap();
        let sized = ArchConfig::sized(*rows, *cols, *act_bits);
        // Every other one has no attention.
        let current_depth = if *act_bits % 4 == 0 { sized.current_depth } else { 0 };
        let arch = ArchConfig { target: form, current_depth, ..sized };
        fs::write(folder.path().join("accel.v"), emit_without_images(&arch).unwrap()).unwrap();
        check(folder.path());
    }
}

fn lint(folder: &Path) {
    tools::lint(folder, TOP, &[WAIVERS], "accel.v");
}

#[test]
fn the_generic_form_is_lint_clean() {
    for_each_accelerator(&SHAPES, Target::Generic, lint);
}

#[test]
fn the_ecp5_form_is_lint_clean() {
    for_each_accelerator(SMALL, Target::Ecp5, lint);
}

#[test]
fn with_images_it_is_lint_clean() {
    let folder = tempfile::tempdir().unwrap();
    let text = emit_accelerator(&ArchConfig::sized(4, 4, 8)).unwrap();
    fs::write(folder.path().join("accel.v"), text).unwrap();
    lint(folder.path());
}

#[test]
fn every_waiver_has_a_reason() {
    let text = fs::read_to_string(WAIVERS).unwrap();
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(lines[0], "`verilator_config");
    for pair in lines[1..].chunks(2) {
        assert!(pair[0].starts_with("// ") && pair[1].starts_with("lint_off -rule"), "{pair:?}");
    }
}

/// Reads, elaborates and checks: no combinational loop, no conflicting drivers, nothing undriven.
fn check_in_yosys(folder: &Path, cells: &str) {
    let script = format!("read_verilog accel.v; {cells} hierarchy -check -top {TOP}; proc; check -assert");
    tools::run(folder, "yosys", &["-q", "-p", &script]);
}

#[test]
fn yosys_checks_the_generic_form() {
    for_each_accelerator(&SHAPES, Target::Generic, |folder| check_in_yosys(folder, ""));
}

#[test]
fn yosys_checks_the_ecp5_form() {
    for_each_accelerator(SMALL, Target::Ecp5, |folder| check_in_yosys(folder, CELLS));
}

/// Images are looked for where the parameters say.
#[test]
fn yosys_reads_images_of_another_folder() {
    let folder = tempfile::tempdir().unwrap();
    let text = emit_accelerator(&ArchConfig::sized(4, 4, 8)).unwrap();
    fs::write(folder.path().join("accel.v"), text).unwrap();
    let board = format!("module board; {TOP} #(.MEM_PATH(\"images/\")) top (); endmodule\n");
    fs::write(folder.path().join("board.v"), board).unwrap();
    let script =
        "read_verilog -defer accel.v; read_verilog -defer board.v; hierarchy -check -top board; proc";
    let error = tools::try_run(folder.path(), "yosys", &["-q", "-p", script]).unwrap_err();
    assert!(error.contains("images/"), "{error}");
    fs::create_dir(folder.path().join("images")).unwrap();
    for image in ["weights.mem", "parameters.mem", "schedule.mem"] {
        fs::write(folder.path().join("images").join(image), "0\n").unwrap();
    }
    tools::run(folder.path(), "yosys", &["-q", "-p", script]);
}

/// What synthesis includes is beside the text, wherever the tool runs.
#[test]
fn yosys_includes_the_images_of_an_ecp5() {
    let folder = tempfile::tempdir().unwrap();
    let arch = ArchConfig { target: Target::Ecp5, ..ArchConfig::sized(4, 4, 8) };
    fs::create_dir(folder.path().join("build")).unwrap();
    fs::write(folder.path().join("build/accel.v"), emit_accelerator(&arch).unwrap()).unwrap();
    let script = format!("read_verilog build/accel.v; {CELLS} hierarchy -check -top {TOP}");
    let error = tools::try_run(folder.path(), "yosys", &["-q", "-p", &script]).unwrap_err();
    assert!(error.contains("weights.vh"), "{error}");
    for (file, text) in included_images(&arch, [&[5], &[6], &[7]]) {
        fs::write(folder.path().join("build").join(file), text).unwrap();
    }
    tools::run(folder.path(), "yosys", &["-q", "-p", &script]);
}

/// From each input but clock and reset forward through combinational cells: no output is reached.
fn find_paths(folder: &Path, cells: &str) -> Result<String, String> {
    let script = format!(
        "read_verilog accel.v; {cells} hierarchy -check -top {TOP}; proc; flatten; opt_clean
        select -set inputs i:* i:aclk %d i:aresetn %d
        select -assert-min 13 @inputs
        select -set reached @inputs %co*:-$dff,$dffe,$sdff,$sdffe,$sdffce,$adff,$adffe,DP16KD,MULT18X18D
        select -assert-none @reached o:* %i"
    );
    fs::write(folder.join("paths.ys"), script.replace("; ", "\n")).unwrap();
    tools::try_run(folder, "yosys", &["-q", "-s", "paths.ys"])
}

#[test]
fn no_combinational_path_from_an_input_to_an_output() {
    for (form, cells) in [(Target::Generic, ""), (Target::Ecp5, CELLS)] {
        for_each_accelerator(SMALL, form, |folder| assert_eq!(find_paths(folder, cells), Ok(String::new())));
    }
}

#[test]
fn a_planted_path_is_found() {
    for (right, wrong, output) in [
        ("assign arready_o = ~rvalid_o;", "assign arready_o = ~rvalid_o & arvalid_i;", "s_axil_arready"),
        ("assign logit_valid_o = (state", "assign logit_valid_o = logit_ready_i & (state", "m_axis_tvalid"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let text = emit_without_images(&ArchConfig::sized(4, 4, 8)).unwrap();
        assert!(text.contains(right), "{right}");
        fs::write(folder.path().join("accel.v"), text.replace(right, wrong)).unwrap();
        let error = find_paths(folder.path(), "").unwrap_err();
        assert!(error.contains("selection is not empty") && error.contains(output), "{error}");
    }
}

#[test]
fn a_large_array_is_a_small_file() {
    let text = emit_accelerator(&ArchConfig::sized(32, 32, 8)).unwrap();
    let modules: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("module ")).collect();
    assert!(modules.len() < 50 && text.len() < 1_000_000, "{} modules, {} bytes", modules.len(), text.len());
    assert!(modules.iter().all(|module| module.starts_with("empf_")), "{modules:?}");
}

#[test]
fn the_header_says_what_it_is() {
    let arch = ArchConfig::sized(5, 7, 3);
    for (text, lint) in [(emit_accelerator(&arch), false), (emit_without_images(&arch), true)] {
        let text = text.unwrap();
        let header = text.split("\n\n`default_nettype").next().unwrap();
        let says = |line: &str| header.lines().any(|l| l.contains(line));
        assert!(header.lines().all(|line| line.starts_with("//")), "{header}");
        assert!(says(concat!("empf ", env!("CARGO_PKG_VERSION"))) && says("SYNTHESIS") && says("CC0-1.0"));
        assert!(says("rows = 5") && says("act_bits = 3") && says("target = \"generic\""), "{header}");
        assert_eq!(says("FOR LINT ONLY"), lint);
    }
}
