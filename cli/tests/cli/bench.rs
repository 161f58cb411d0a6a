//! The bench of a build, without this command.

use crate::command::{made, succeed, words};
use std::process::Command;

#[test]
fn it_passes_in_icarus() {
    let place = made();
    let line = "iverilog -g2001 -s empf_bench -o bench.vvp -f files.f && vvp -N bench.vvp";
    let folder = place.path().join("build/tb");
    let output = Command::new("sh").args(["-c", line]).current_dir(folder).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.lines().any(|l| l.starts_with("PASS: 2 inferences")), "{text}");
}

#[test]
fn it_says_at_once_that_it_is_in_another_folder() {
    let place = made();
    let line = "iverilog -g2001 -s empf_bench -o bench.vvp -Ibuild/tb build/accel.v build/tb/bench.v && vvp -N bench.vvp";
    let output = Command::new("sh").args(["-c", line]).current_dir(place.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let said = "FAIL: input.mem or expected.mem is cut, or not in this folder, inference 0, cycle 0";
    assert!(!output.status.success() && text.contains(said), "{text}");
}

#[test]
fn a_build_without_hardware_has_none() {
    let place = made();
    let compile = "compile network --arch 4x4 --samples 16 -o build";
    succeed(place.path(), &words(&format!("{compile} --integers-only")));
    assert!(!place.path().join("build/tb").exists());
    succeed(place.path(), &words(compile));
    assert!(place.path().join("build/tb/bench.v").exists());
}
