//! The self-checking bench in Icarus Verilog and Verilator, and what it must see.

use empf_sim::bench::{self, Stimulus};
use empf_sim::{Engine, GoldenEngine};
use empf_tests::{Case, compile};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn case() -> Case {
    Case::kept("small").unwrap()
}

/// A build's Verilog, images and bench, in a folder of its own.
fn made(name: &str) -> PathBuf {
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench").join(name);
    let _ = fs::remove_dir_all(&place);
    fs::create_dir_all(place.join("tb")).unwrap();
    let (network, program) = compile(&case()).unwrap();
    let mut golden = GoldenEngine::new(&network);
    let stimuli: Vec<Stimulus> = (0..2)
        .map(|inference| {
            let input = case().input(inference);
            Stimulus { logits: golden.run(&input).unwrap().logits, input }
        })
        .collect();
    fs::write(place.join("accel.v"), empf_hw::emit_accelerator(&program.arch).unwrap()).unwrap();
    program.save(&place).unwrap();
    bench::write(&place.join("tb"), &program, &stimuli).unwrap();
    place
}

/// The command that the bench's first lines give for `tool`, run in its folder.
fn run(place: &Path, tool: &str) -> Output {
    let text = fs::read_to_string(place.join("tb/bench.v")).unwrap();
    let command = text.lines().find_map(|line| line.strip_prefix("//   $ ").filter(|l| l.starts_with(tool)));
    let command = command.unwrap().to_owned();
    Command::new("sh").args(["-c", &command]).current_dir(place.join("tb")).output().unwrap()
}

#[track_caller]
fn passes(output: &Output) {
    let text = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.lines().any(|line| line.starts_with("PASS: ")), "{text}{error}");
}

#[track_caller]
fn fails(output: &Output, reason: &str) {
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(!output.status.success() && text.contains(&format!("FAIL: {reason}")), "{text}");
    assert!(!text.contains("PASS"), "{text}");
}

#[test]
fn it_passes_in_icarus_and_verilator() {
    let place = made("passes");
    passes(&run(&place, "iverilog"));
    passes(&run(&place, "verilator"));
}

/// Planted in Verilog or in the bench's own files.
#[test]
fn it_sees_what_is_wrong() {
    const TOGGLES: &str = "reg planted = 0;\n    always @(posedge clock) planted <= ~planted;\n    ";
    let valid = "assign logit_valid_o = (state == SEND)";
    let withdrawn = format!("{TOGGLES}{valid} & (planted | logit_ready_i)");
    let logit = "assign logit_o = ";
    let changed = format!("{TOGGLES}{logit}{{31'd0, planted & ~logit_ready_i}} ^ ");
    for (file, right, wrong, reason) in [
        ("accel.v", valid, &withdrawn[..], "a logit was withdrawn or changed"),
        ("accel.v", logit, &changed, "a logit was withdrawn or changed"),
        ("accel.v", "else if (bready_i) bvalid_o", "else bvalid_o", "the answer to a write was withdrawn"),
        ("accel.v", "else if (rready_i) rvalid_o", "else rvalid_o", "the answer to a read was withdrawn"),
        (
            "accel.v",
            "rvalid_o <= 1'd0;\n        else if",
            "rvalid_o <= 1'd1;\n        else if",
            "something is offered",
        ),
        (
            "accel.v",
            "assign logit_last_o = ",
            "assign logit_last_o = ~",
            "m_axis_tlast was not with the last logit",
        ),
        ("tb/stimuli.vh", "PREDICTED = 32'd", "PREDICTED = 32'd1", "the cycles are not those predicted"),
        ("tb/stimuli.vh", "BUILD_ID = ", "BUILD_ID = ~", "the images are of another build"),
        ("tb/bench.v", "count + 1 == BYTES", "count + 2 == BYTES", "not all logits came"),
    ] {
        let place = made("wrong");
        let file = place.join(file);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(right), "{right}");
        fs::write(&file, text.replacen(right, wrong, 1)).unwrap();
        fails(&run(&place, "iverilog"), reason);
    }
}

#[test]
fn a_wrong_logit_is_named() {
    let place = made("named");
    let file = place.join("tb/expected.mem");
    let mut text = fs::read_to_string(&file).unwrap();
    let digit = text.len() - 2;
    let other = if text.as_bytes()[digit] == b'0' { "1" } else { "0" };
    text.replace_range(digit..=digit, other);
    fs::write(&file, text).unwrap();
    let output = run(&place, "iverilog");
    fails(&output, "a logit is wrong, inference 1");
    assert!(String::from_utf8_lossy(&output.stdout).contains("logit 1 is "));
}
