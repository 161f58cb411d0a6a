//! The engines agree on a build, and a fault in it is found where it is.

use crate::command::{copy, error_of, fail, files, made, replace, run, succeed, words};
use empf_sim::verilator::check_waves;
use ndarray::Array5;
use ndarray_npy::WriteNpyExt;
use std::fs;
use std::path::Path;

const CHECK: &str = "check build --samples 2";

#[test]
fn a_build_is_equal_on_all_engines() {
    let place = made();
    let text = succeed(place.path(), &words(CHECK));
    assert!(text.trim_end().lines().last().unwrap().starts_with("0 mismatches in "), "{text}");
    for layer in ["input", "conv1", "neuron2", "pool1", "neuron3", "gap1", "logits"] {
        assert!(text.lines().any(|line| line.starts_with(layer)), "{layer}: {text}");
    }
    let cycles = text.lines().find(|line| line.starts_with("cycles")).unwrap();
    let predicted = cycles.split("inference").nth(1).unwrap().split(" predicted, ").collect::<Vec<_>>();
    assert_eq!(predicted[0].trim(), predicted[1].trim_end_matches(" in Verilog"));
    assert!(text.contains("float accuracy") && text.contains("integer accuracy"), "{text}");
}

#[test]
fn frames_come_from_numpy() {
    let place = made();
    let place = place.path();
    replace(&place.join("network/network.json"), "\"frames\": 1", "\"frames\": 2");
    let frames =
        Array5::from_shape_fn((3, 2, 1, 28, 28), |(n, t, _, y, x)| (97 * n + 41 * t + 9 * y * x) as u8);
    frames.write_npy(fs::File::create(place.join("x.npy")).unwrap()).unwrap();
    let error = fail(place, &words("compile network --arch 4x4 -o new"));
    assert!(error.contains("holds images of 1x28x28, the network takes 2 frames of 1x28x28"), "{error}");
    succeed(place, &words("compile network --data x.npy --samples 3 --arch 4x4 -o new"));
    let text = succeed(place, &words("check new --data x.npy --samples 3"));
    assert!(text.trim_end().ends_with("of 3 samples") && !text.contains("accuracy"), "{text}");
}

/// Output of a check that must find a difference.
fn differing(place: &Path) -> String {
    let output = run(place, &words(CHECK));
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("error: the engines do not agree"));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn an_off_by_one_stride_in_the_verilog_is_located() {
    let place = made();
    let file = place.path().join("build/accel.v");
    let verilog = fs::read_to_string(&file).unwrap();
    let step = "position + (last_of_row ? present_row_step : present_x_step";
    assert!(verilog.contains(step));
    fs::write(&file, verilog.replacen(step, &format!("{step} + 16'd1"), 1)).unwrap();
    let text = differing(place.path());
    let line = text.lines().find(|line| line.contains("mismatches in")).unwrap();
    assert!(line.contains("first: verilator, sample 0, layer `neuron1`, time-step 0,"), "{line}");
    assert!(line.contains("(schedule record 2, drain of layer `neuron1`, clock cycle "), "{line}");
    let cycle: u64 = line.rsplit(' ').next().unwrap().trim_end_matches(')').parse().unwrap();
    let shown = format!("waves of sample 0 by itself, cycles {} to {}", cycle - 200, cycle + 50);
    let last = text.trim_end().lines().last().unwrap();
    assert!(last.starts_with(&shown) && last.ends_with(": build.mismatch.fst"), "{last}");
    check_waves(&place.path().join("build.mismatch.fst")).unwrap();
    let is_left = files(place.path()).iter().any(|file| file.to_string_lossy().contains(".empf-"));
    assert!(!is_left);
}

#[test]
fn the_lanes_are_looked_at() {
    let place = made();
    let line = format!("{CHECK} --probe");
    let text = succeed(place.path(), &words(&line));
    let of = |start: &str| text.lines().find(|line| line.starts_with(start)).unwrap();
    assert!(of("layer").ends_with("lanes") && of("neuron lanes").ends_with("currents and spikes compared"));
    assert!(of("conv1").ends_with(" 0") && of("gap1").ends_with(" -"), "{text}");

    let file = place.path().join("build/accel.v");
    let verilog = fs::read_to_string(&file).unwrap();
    let right = " biased <= ";
    assert_eq!(verilog.matches(right).count(), 1);
    fs::write(&file, verilog.replace(right, &format!("{right}1'd1 + "))).unwrap();
    let waves = format!("{line} --waves wrong.fst");
    let output = run(place.path(), &words(&waves));
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("first: verilator, sample 0, layer `conv1` in the lanes, time-step 0,"), "{text}");
    check_waves(&place.path().join("wrong.fst")).unwrap();
    assert!(
        fail(place.path(), &words(&format!("{CHECK} --waves no/wrong.fst"))).contains("no: is no folder")
    );
}

#[test]
fn waves_take_the_place_of_nothing_that_is_read() {
    let place = made();
    let place = place.path();
    let samples = Array5::from_shape_fn((2, 1, 1, 28, 28), |(n, _, _, y, x)| (97 * n + 9 * y * x) as u8);
    samples.write_npy(fs::File::create(place.join("x.npy")).unwrap()).unwrap();
    let whole = files(place);
    for (waves, said) in [
        ("x.npy", "x.npy: is of the input, or a part of the build"),
        ("build/program.json", "build/program.json: is of the input, or a part of the build"),
        ("build", "build: it is a folder"),
    ] {
        let error = fail(place, &words(&format!("check build --data x.npy --waves {waves}")));
        assert!(error.contains(said), "{error}");
    }
    assert_eq!(files(place), whole);
    fs::create_dir(place.join("build.mismatch.fst")).unwrap();
    let error = fail(place, &words(CHECK));
    assert!(error.contains("build.mismatch.fst: it is a folder"), "{error}");
}

#[test]
fn verilog_that_cannot_run_is_named() {
    let place = made();
    let file = place.path().join("build/accel.v");
    let whole = fs::read_to_string(&file).unwrap();
    let cut = &whole[..whole.len() / 2];
    let endless = whole.replacen("endmodule", "initial forever ;\nendmodule", 1);
    for (verilog, said) in [
        (cut, "build/accel.v: is no Verilog of an accelerator; compile again"),
        (&endless, "build/accel.v: has a loop, `forever`, that may never end; compile again"),
    ] {
        fs::write(&file, verilog).unwrap();
        for verb in [CHECK, "simulate build --input glyphs --samples 1 --engine verilator"] {
            let error = fail(place.path(), &words(verb));
            assert!(error.contains(said), "{error}");
        }
    }
}

#[test]
fn verilog_that_hangs_says_how_far_it_came() {
    let place = made();
    let place = place.path();
    let file = place.join("build/accel.v");
    replace(&file, "assign done_o = layer_closed;", "assign done_o = 1'b0;");
    let error = fail(place, &words("check build --samples 1"));
    assert!(error.contains("not all logits came (schedule record "), "{error}");
    assert!(error.contains(", wrote last) after "), "{error}");
    let line = "simulate build --input glyphs --samples 1 --engine verilator --trace w.fst";
    let error = error_of(&run(place, &words(line)));
    assert!(error.contains("waves up to there: w.fst"), "{error}");
    check_waves(&place.join("w.fst")).unwrap();
}

#[test]
fn parts_of_two_builds_are_no_build() {
    let place = made();
    succeed(place.path(), &words("compile network --arch 4x4 --samples 1 -o other"));
    fs::copy(place.path().join("other/quant.json"), place.path().join("build/quant.json")).unwrap();
    fs::copy(place.path().join("other/quant.safetensors"), place.path().join("build/quant.safetensors"))
        .unwrap();
    let output = run(place.path(), &words(CHECK));
    let error = error_of(&output);
    assert!(error.contains("program.json is of build") && error.contains("compile again"), "{error}");
}

#[test]
fn a_build_replaces_a_build_and_nothing_else() {
    let place = made();
    let compile = words("compile network --arch 4x4 -o build");
    fs::write(place.path().join("build/report.json"), "old").unwrap();
    succeed(place.path(), &compile);
    assert_ne!(fs::read_to_string(place.path().join("build/report.json")).unwrap(), "old");
    fs::remove_dir_all(place.path().join("build")).unwrap();
    copy(&place.path().join("network"), &place.path().join("build"));
    let error = fail(place.path(), &compile);
    assert!(error.contains("choose another output"), "{error}");
}

/// The model of the carry cell comes along.
#[test]
fn a_build_with_carry_cells_is_equal_on_all_engines() {
    let place = made();
    let place = place.path();
    succeed(place, &words("compile network --arch 4x4 --target ecp5 -o cells"));
    assert!(fs::read_to_string(place.join("cells/accel.v")).unwrap().contains("CCU2C #(.INIT0"));
    let text = succeed(place, &words("check cells --samples 1"));
    assert!(text.trim_end().lines().last().unwrap().starts_with("0 mismatches in "), "{text}");
    fs::write(place.join("cells/weights.vh"), "").unwrap();
    let error = fail(place, &words("check cells --samples 1"));
    assert!(
        error.contains("cells/weights.vh: is not the ROM image of the program; compile again"),
        "{error}"
    );
}

#[test]
fn verilog_without_a_network_needs_no_images() {
    let place = tempfile::tempdir().unwrap();
    let text = succeed(place.path(), &words("emit --arch 4x4 -o accel"));
    assert!(text.contains("for lint only"), "{text}");
    let yosys =
        ["-q", "-p", "read_verilog accel/accel.v; hierarchy -check -top empf_top; proc; check -assert"];
    let output = std::process::Command::new("yosys").args(yosys).current_dir(place.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
