//! Runs that are interrupted.

use crate::command::{empf, fail, succeed, words};
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

const TRAIN: &str = "train --data data --network tiny --width 0.5 --time-steps 2 --epochs 30 --batch 20 -o";

/// Idx files with `count` images of 12x12 and two classes.
pub(crate) fn write_idx(folder: &Path, count: u32) {
    fs::create_dir(folder).unwrap();
    let words = |words: &[u32]| words.iter().flat_map(|w| w.to_be_bytes()).collect::<Vec<u8>>();
    for prefix in ["train", "t10k"] {
        let pixels = (0..count * 144).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8);
        let images = [words(&[0x803, count, 12, 12]), pixels.collect()].concat();
        fs::write(folder.join(format!("{prefix}-images-idx3-ubyte")), images).unwrap();
        let labels = [words(&[0x801, count]), (0..count).map(|i| (i % 2) as u8).collect()].concat();
        fs::write(folder.join(format!("{prefix}-labels-idx1-ubyte")), labels).unwrap();
    }
}

#[test]
fn a_killed_run_goes_on_to_the_same_weights() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    write_idx(&place.join("data"), 400);
    let arguments = |run| [words(TRAIN), vec![run]].concat();
    succeed(place, &arguments("whole"));

    let mut child = empf(place, &arguments("killed")).stderr(Stdio::null()).spawn().unwrap();
    while !place.join("killed/checkpoint.safetensors").exists() && child.try_wait().unwrap().is_none() {
        sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!place.join("killed/network").exists(), "the run ended before it could be killed");

    let error = fail(place, &arguments("killed"));
    assert!(error.contains("holds a checkpoint") && error.contains("--resume"), "{error}");
    succeed(place, &[arguments("killed"), vec!["--resume"]].concat());
    for file in ["network.json", "weights.safetensors"] {
        let bytes = |run: &str| fs::read(place.join(run).join("network").join(file)).unwrap();
        assert!(bytes("whole") == bytes("killed"), "{file} differs");
    }
}
