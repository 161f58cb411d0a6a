//! `docs/format.md` is right: its examples run, and what they write is read.

use empf_ir::{ArchConfig, Network, QuantNetwork};
use std::path::Path;
use std::process::Command;

const FORMAT: &str = include_str!("../../docs/format.md");

/// All blocks of `language`, one after the other.
fn blocks(language: &str) -> String {
    let open = format!("```{language}\n");
    let block = |rest: &str| rest.split("```").next().unwrap_or_default().to_owned();
    FORMAT.split(&open).skip(1).map(block).collect()
}

fn run_python(script: &str, folder: &Path) {
    let output = Command::new("python3").args(["-I", "-c", script]).current_dir(folder).output();
    let output = output.expect("python3 is not on PATH; install it with `apt-get install python3`");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn networks_written_from_python_are_read() {
    let folder = tempfile::tempdir().unwrap();
    run_python(&blocks("python"), folder.path());
    let network = Network::load(&folder.path().join("network")).unwrap();
    assert_eq!((network.time_steps, network.classes, network.nodes.len()), (4, 10, 9));
    let (shape, values) = network.tensor("neuron1", "theta").unwrap();
    assert_eq!((shape, values), (&[4, 1][..], &[0.1f32; 4][..]));

    let network = QuantNetwork::load(&folder.path().join("quant")).unwrap();
    assert_eq!(network.tensor("fc", "weight").unwrap(), [3, -3, -3, 3]);
    assert_eq!(network.scales["neuron"], 0.25);
}

#[test]
fn the_example_architecture_is_the_preset() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("arch.toml");
    std::fs::write(&file, blocks("toml")).unwrap();
    assert_eq!(ArchConfig::load(&file).unwrap(), ArchConfig::default());
    let keys = blocks("toml").lines().count();
    assert_eq!(keys, serde_json::to_value(ArchConfig::default()).unwrap().as_object().unwrap().len());
}
