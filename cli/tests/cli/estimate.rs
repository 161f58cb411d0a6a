//! What `empf estimate` says, end to end.

use crate::command::{fail, made, succeed, words};
use serde_json::Value;
use std::path::Path;

/// What is said as JSON, in `folder`.
fn estimated(folder: &Path, arguments: &str) -> Value {
    let said = succeed(folder, &words(&format!("estimate {arguments} --json")));
    serde_json::from_str(&said).unwrap()
}

/// The memory whose depth has this key.
fn memory<'a>(answer: &'a Value, key: &str) -> &'a Value {
    answer["memories"].as_array().unwrap().iter().find(|memory| memory["key"] == key).unwrap()
}

#[test]
fn a_name_is_enough() {
    let here = Path::new(".");
    let answer = estimated(here, "resnet18 --arch 32x32");
    let cycles = answer["total"]["cycles"].as_u64().unwrap();
    let rate = answer["frames_per_second"].as_f64().unwrap();
    assert!((rate * cycles as f64 / 100e6 - 1.0).abs() < 1e-9, "{rate} frames/s of {cycles} cycles");
    assert_eq!(memory(&answer, "input_depth")["words"], 3 * 32 * 32);
    let weights = memory(&answer, "weight_depth");
    assert_eq!(weights["bits"], 32 * weights["words"].as_u64().unwrap());
    let twice = estimated(here, "resnet18 --arch 32x32 --clock 200");
    assert_eq!(twice["frames_per_second"].as_f64().unwrap(), 2.0 * rate);
    let said = succeed(here, &words("estimate resnet18 --arch 32x32"));
    assert!(said.contains("needs at least") && said.contains("weight_depth = "), "{said}");
}

#[test]
fn what_a_named_network_is_built_for() {
    let inputs =
        |arguments: &str| memory(&estimated(Path::new("."), arguments), "input_depth")["words"].clone();
    assert_eq!(inputs("tiny --input 1x28x28"), 28 * 28);
    assert_eq!(inputs("vgg-snn --input 2x48x48 --events --time-steps 10"), 10 * 2 * 48 * 48);
    let of_classifier = |classes: &str| {
        let answer = estimated(Path::new("."), &format!("tiny --classes {classes}"));
        answer["layers"].as_array().unwrap().last().unwrap()["useful_additions"].as_u64().unwrap()
    };
    assert_eq!(of_classifier("20"), 2 * of_classifier("10"));
}

#[test]
fn what_is_built_costs_what_was_estimated() {
    let place = made();
    let report = std::fs::read(place.path().join("build/report.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    let answer = estimated(place.path(), "network --arch 4x4");
    assert_eq!(answer["layers"], report["layers"]);
    assert_eq!(answer["total"], report["total"]);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let place = made();
    for (arguments, message) in [
        ("resnet19", "neither a folder nor a named network"),
        ("tiny --input 3x32", "not three numbers above 0"),
        ("tiny --time-steps 64", "not 1 to 63"),
        ("tiny --clock 0", "not a number of MHz above 0"),
        ("tiny --classes 0", "--classes: is 0"),
        ("tiny --input 1x1x1", "window"),
        ("tiny --width -1", "not a positive factor"),
        ("resnet18-lif", "LIF"),
        ("tiny --arch 32x31", "neither a preset"),
        ("network --classes 3", "--classes: is for named networks"),
        ("build/tb", "network.json"),
    ] {
        let arguments = arguments.replace("--width -1", "--width=-1");
        let said = fail(place.path(), &words(&format!("estimate {arguments}")));
        assert!(said.contains(message), "{arguments}: {said}");
    }
}
