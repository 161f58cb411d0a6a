//! Bad input: a clear error, a failure, and nothing left behind.

use crate::command::{empf, error_of, fail, files, made, replace, words};
use crate::train::write_idx;
use std::fs;
use std::path::Path;

const COMPILE: &str = "compile network --arch 4x4 -o new";

/// What `compile` says to a network that `change` has made bad; `inspect` says the same.
fn refused(change: impl Fn(&Path)) -> String {
    let place = made();
    change(&place.path().join("network"));
    let error = fail(place.path(), &words(COMPILE));
    assert_eq!(fail(place.path(), &words("inspect network")), error);
    error
}

fn contains(error: &str, parts: &[&str]) {
    assert!(parts.iter().all(|part| error.contains(part)), "{error}");
}

#[test]
fn weights_cut_short() {
    let error = refused(|network| {
        let file = network.join("weights.safetensors");
        let bytes = fs::read(&file).unwrap();
        fs::write(&file, &bytes[..bytes.len() - 5]).unwrap();
    });
    contains(&error, &["network/weights.safetensors", "not a whole safetensors file"]);
}

#[test]
fn a_weight_that_is_no_number() {
    let error = refused(|network| {
        let file = network.join("weights.safetensors");
        let mut bytes = fs::read(&file).unwrap();
        // The last tensor by name is neuron3's only one.
        let end = bytes.len();
        bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
        fs::write(&file, bytes).unwrap();
    });
    contains(&error, &["network/weights.safetensors: tensor `neuron3.theta`", "is NaN"]);
}

#[test]
fn a_wrong_shape() {
    let error = refused(|n| replace(&n.join("network.json"), "\"out_channels\": 8", "\"out_channels\": 9"));
    contains(
        &error,
        &[
            "network/weights.safetensors: tensor `conv2.weight`",
            "has shape [8, 4, 3, 3], expected [9, 4, 3, 3]",
        ],
    );
}

#[test]
fn an_unknown_operator() {
    let error = refused(|n| replace(&n.join("network.json"), "\"avg_pool\"", "\"unpool\""));
    contains(&error, &["network.json", "unpool", "avg_pool", "docs/format.md"]);
}

#[test]
fn another_version() {
    let error = refused(|n| replace(&n.join("network.json"), "\"version\": 2", "\"version\": 3"));
    contains(&error, &["network.json", "version 3", "reads versions 1 to 2"]);
}

#[test]
fn a_cycle() {
    let error = refused(|network| {
        let file = network.join("network.json");
        let text = fs::read_to_string(&file).unwrap();
        let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
        json["nodes"][0]["inputs"][0] = "neuron1".into();
        fs::write(&file, json.to_string()).unwrap();
    });
    contains(&error, &["network/network.json: node `conv1`", "reads `neuron1`", "no cycle"]);
}

#[test]
fn sizes_without_measure() {
    let keys =
        ["kernel", "stride", "padding", "out_channels", "out_features", "height", "channels", "frames"];
    for (key, size) in keys.iter().flat_map(|key| [(key, u64::MAX), (key, 1 << 40)]) {
        let error = refused(|network| {
            let file = network.join("network.json");
            let text = fs::read_to_string(&file).unwrap();
            let start = text.find(&format!("\"{key}\": ")).unwrap() + key.len() + 4;
            let end = start + text[start..].find(|c: char| !c.is_ascii_digit()).unwrap();
            fs::write(&file, format!("{}{size}{}", &text[..start], &text[end..])).unwrap();
        });
        assert!(error.starts_with("error: network/network.json: "), "{error}");
    }
}

#[test]
fn idx_data_cut_short() {
    let place = tempfile::tempdir().unwrap();
    write_idx(&place.path().join("data"), 20);
    let file = place.path().join("data/train-images-idx3-ubyte");
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..1000]).unwrap();
    let error = fail(place.path(), &words("train --data data -o run"));
    contains(&error, &["train-images-idx3-ubyte", "cut short", "byte 1000 of 2896"]);
}

#[test]
fn a_sum_that_overflows() {
    let place = made();
    fs::write(place.path().join("arch.toml"), "rows = 4\ncols = 4\nlanes = 4\nacc_bits = 11\n").unwrap();
    let error = fail(place.path(), &words("compile network --arch arch.toml -o new"));
    contains(&error, &["node `conv1`", "the accumulator", "can need", "there are 11"]);
}

#[test]
fn memories_that_are_too_small() {
    let place = made();
    let arch = "rows = 4\ncols = 4\nlanes = 4\nweight_depth = 100\ninput_depth = 700\n";
    fs::write(place.path().join("arch.toml"), arch).unwrap();
    let error = fail(place.path(), &words("compile network --arch arch.toml -o new"));
    contains(&error, &["the weight memory needs", "has 100", "are missing; raise weight_depth"]);
    contains(&error, &["the input buffer needs 784 words, has 700: 84 are missing"]);
    for (line, said) in [
        ("rows = 65", "rows = 65, not 1..=64"),
        ("potential_depth = 0", "potential_depth = 0, not 16..=16777216"),
        ("current_depth = 1", "current_depth = 1, neither 0 (no attention) nor 16..=16777216"),
    ] {
        fs::write(place.path().join("arch.toml"), line).unwrap();
        let error = fail(place.path(), &words("compile network --arch arch.toml -o new"));
        contains(&error, &[&format!("arch.toml: architecture: {said}")]);
    }
}

#[test]
fn no_verilator() {
    let place = made();
    let before = files(place.path());
    let output = empf(place.path(), &words("check build --samples 1")).env("PATH", "").output().unwrap();
    contains(&error_of(&output), &["`verilator` is not on PATH", "apt-get install verilator"]);
    assert_eq!(files(place.path()), before);
}

/// The superuser may write everywhere, so that a folder without the permission would refuse nobody; /proc takes
/// no files from anyone.
#[test]
fn folders_that_cannot_be_written() {
    let place = made();
    let verbs = [
        "compile network --arch 4x4 -o",
        "emit --arch 4x4 -o",
        "train --epochs 1 -o",
        "evaluate network --samples 8 -o",
    ];
    for (verb, output) in
        verbs.iter().flat_map(|verb| [(verb, "/proc/new"), (verb, "network/network.json/new")])
    {
        let error = fail(place.path(), &[words(verb), vec![output]].concat());
        contains(&error, &["cannot ", output.strip_suffix("/new").unwrap()]);
    }
}

#[test]
fn outputs_that_are_in_use() {
    let place = made();
    for output in ["network", "network/network.json"] {
        let error = fail(place.path(), &["compile", "network", "--arch", "4x4", "-o", output]);
        contains(&error, &[output, "choose another output"]);
    }
}

#[test]
fn damaged_builds() {
    type Damage<'a> = (&'a str, &'a dyn Fn(&Path), &'a [&'a str]);
    let damage: [Damage; 8] = [
        ("weights.mem", &|f| fs::write(f, "1\n2\n").unwrap(), &["has 2 words", "compile again"]),
        ("schedule.mem", &|f| replace(f, "2\n", "3\n"), &["schedule.mem: its CRC-32C is", "compile again"]),
        ("program.json", &|f| replace(f, "\"version\": 7", "\"version\": 9"), &["version 9"]),
        (
            "program.json",
            &|f| replace(f, "\"rows\": 4", "\"rows\": 65"),
            &["build/program.json: architecture: rows = 65, not 1..=64"],
        ),
        (
            "program.json",
            &|f| replace(f, "\"classes\": 10", "\"classes\": 9"),
            &["its parts differ: T = 2, 10 classes", "T = 2, 9 classes", "compile again"],
        ),
        ("program.json", &|f| fs::remove_file(f).unwrap(), &["cannot read", "program.json"]),
        ("accel.v", &|f| fs::remove_file(f).unwrap(), &["cannot read", "accel.v"]),
        (
            "quant.json",
            &|f| replace(f, "\"time_steps\": 2", "\"time_steps\": 3"),
            &["build/quant.safetensors: tensor `", "expected [3, "],
        ),
    ];
    for (file, change, parts) in damage {
        let place = made();
        change(&place.path().join("build").join(file));
        for verb in ["check build --samples 1", "simulate build --input glyphs", "inspect build"] {
            contains(&fail(place.path(), &words(verb)), parts);
        }
    }
}

#[test]
fn folders_that_hold_nothing() {
    let place = tempfile::tempdir().unwrap();
    contains(&fail(place.path(), &words("inspect .")), &["holds neither network.json nor"]);
    contains(&fail(place.path(), &words("check .")), &["is no build", "`empf compile` writes one"]);
    contains(&fail(place.path(), &words("compile . -o new")), &["holds neither network.json nor"]);
    contains(&fail(place.path(), &words("train --data none -o run")), &["none: is no folder"]);
}

#[test]
fn options_that_mean_nothing_here() {
    let place = made();
    for (line, parts) in [
        ("train -o run --side 32", ["--side: is for what has no size of its own", "`glyphs` have one"]),
        ("train -o run --events time", ["--events: is for recordings of events", "`glyphs` are images"]),
        ("train -o run --first-label 1", ["--first-label: ", "only in idx files"]),
        ("train -o run --rule through-time --random-steps 2", ["--random-steps: is for --rule random", ""]),
        ("evaluate network --samples 0", ["--samples: is 0", "give 1 at least"]),
        ("evaluate network --samples 1001", ["--samples: 1001 samples are asked for", "give 1 to 1000"]),
        ("demo --samples 0 -o new", ["--samples: 0 samples are asked for", "give 1 to 1000"]),
        ("inspect network --classes 7", ["--classes: is for a network's name", "network holds a network"]),
        ("inspect build --input 3x8x8", ["--input: is for a network's name", "build holds a network"]),
        (
            "compile network --arch 4x4 -o new --dump new/passes",
            ["--dump: new/passes and new, of the build, lie in each other", "choose another"],
        ),
        (
            "compile network --arch 4x4 -o new --dump network/../new",
            ["--dump: network/../new and new, of the build, lie in each other", "choose another"],
        ),
    ] {
        contains(&fail(place.path(), &words(line)), &parts);
    }
}

#[test]
fn what_no_machine_can_hold() {
    let place = made();
    let before = files(place.path());
    for (options, parts) in [
        ("--width 5000 --network vgg-small", ["training: would take", "GB of memory"]),
        ("--crop 28", ["crop: is 28", "0 to 27 for images of 28x28"]),
        ("--cutout 29", ["cutout: is 29", "0 to 28 for images of 28x28"]),
        ("--data network --side 100000", ["size of images: is 100000x100000", "more than 1073741824 values"]),
    ] {
        contains(&fail(place.path(), &words(&format!("train {options} -o run"))), &parts);
    }
    assert_eq!(files(place.path()), before);
}

#[test]
fn names_that_give_a_terminal_orders() {
    let node = refused(|n| replace(&n.join("network.json"), "\"conv2\"", "\"conv2\\nerror: \\u001b[2J\""));
    contains(&node, &["node `conv2\\nerror: \\u{1b}[2J`"]);
    let error =
        refused(|n| replace(&n.join("network.json"), "\"name\": \"tiny\"", "\"name\": \"\\u001b[2J\""));
    contains(&error, &["name: \"\\u{1b}[2J\" is no name that can be printed"]);
}
