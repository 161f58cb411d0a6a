//! Networks as integers, and what of them the hardware runs.

use crate::command::{fail, files, succeed, words};
use empf_ir::{Input, Program};
use empf_trainer::Model;
use empf_trainer::presets::{Target, preset};
use std::fs;
use tempfile::TempDir;

/// A folder with the network called `name`, narrow and untrained.
fn place(name: &str) -> TempDir {
    let place = tempfile::tempdir().unwrap();
    let input = Input {
        channels: 1,
        height: 28,
        width: 28,
        frames: 1,
        zero_point: 9.0.into(),
        scale: (1.0 / 64.0).into(),
    };
    let target = Target { input, classes: 10, time_steps: 2, width: 0.07 };
    let model = Model::<f32>::new(&preset(name, &target).unwrap(), 1, false).unwrap();
    model.to_network().save(&place.path().join("network")).unwrap();
    place
}

const COMPILE: &str = "compile network --samples 4 --integers-only -o build";

#[test]
fn attention_runs_as_integers() {
    let place = place("resnet18-seca1");
    let place = place.path();
    fs::write(place.join("plain.toml"), "current_depth = 0\n").unwrap();
    let error = fail(place, &words("compile network --samples 4 --arch plain.toml -o build"));
    assert!(
        error.contains("channel attention needs an accelerator with a `current_depth` above 0"),
        "{error}"
    );
    assert!(
        error.ends_with("; with --integers-only it compiles for the golden model and the trainer"),
        "{error}"
    );

    let text = succeed(place, &words(COMPILE));
    let last = text.lines().last().unwrap();
    assert!(last.starts_with("integer network of ") && last.ends_with("in build"), "{text}");
    let names: Vec<_> =
        files(&place.join("build")).iter().map(|f| f.file_name().unwrap().to_owned()).collect();
    assert_eq!(names, ["network.json", "quant.json", "quant.safetensors", "weights.safetensors"]);

    let text = succeed(place, &words("check build --samples 3"));
    let first = text.lines().next().unwrap();
    assert_eq!(first.split_whitespace().collect::<Vec<_>>(), ["layer", "elements", "trainer"]);
    for layer in ["conv1", "neuron1@add1", "add1", "neuron17", "fc1", "logits"] {
        let row = text.lines().find(|line| line.starts_with(&format!("{layer} "))).expect(layer);
        assert_eq!(row.split_whitespace().last(), Some("0"), "{row}");
    }
    assert!(text.contains("float accuracy") && !text.contains("cycles"), "{text}");
    assert!(text.trim_end().lines().last().unwrap().starts_with("0 mismatches in "), "{text}");
}

#[test]
fn residual_networks_with_attention_run_in_verilog() {
    let place = place("resnet18-seca2");
    let place = place.path();
    succeed(place, &words("compile network --samples 4 --arch 8x8 -o build"));
    let text = succeed(place, &words("check build --samples 1"));
    assert!(text.trim_end().lines().last().unwrap().starts_with("0 mismatches in "), "{text}");
    assert!(text.contains("cycles of an inference"), "{text}");

    let report = fs::read_to_string(place.join("build/report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let convolutions = report["layers"].as_array().unwrap().iter().filter(|layer| layer["unit"] == "conv");
    // All but the first, those of 1x1 and those in front of additions among them.
    let cycles = convolutions.skip(1).map(|layer| layer["cycles"].as_u64().unwrap()).collect::<Vec<_>>();
    assert_eq!(cycles.len(), 19);
    assert_eq!(report["sign_layers"]["cycles"].as_u64(), Some(cycles.iter().sum()));

    let Program { arch, memory, .. } = Program::load(&place.join("build")).unwrap();
    let bits =
        report["layers"].as_array().unwrap().iter().map(|layer| layer["parameter_bits"].as_u64().unwrap());
    assert_eq!(bits.sum::<u64>(), memory.parameter as u64 * u64::from(arch.parameter_bits()));
}

#[test]
fn engines_without_an_accelerator() {
    let place = place("resnet18-seca2");
    let place = place.path();
    succeed(place, &words(COMPILE));
    let answers =
        |engine: &str| succeed(place, &words(&format!("simulate build --input glyphs --samples 5{engine}")));
    assert_eq!(answers(""), answers(" --engine golden"));
    assert_eq!(answers(""), answers(" --engine trainer"));
    for engine in ["interpreter", "verilator"] {
        let line = format!("simulate build --input glyphs --samples 1 --engine {engine}");
        let error = fail(place, &words(&line));
        assert!(error.contains(&format!("{engine}: needs an accelerator")), "{error}");
    }
    for option in ["--probe", "--waves x.fst", "--power-up-seed 1"] {
        let error = fail(place, &words(&format!("check build --samples 1 {option}")));
        let option = option.split(' ').next().unwrap();
        let said = format!("error: {option}: needs an accelerator, and build was compiled to integers only");
        assert_eq!(error, said);
    }
    let text = succeed(place, &words("inspect build"));
    for op in ["widen << ", "channel attention 5", "add"] {
        assert!(text.contains(op), "{op}: {text}");
    }
    assert!(!text.contains("array, A = "), "{text}");
}
