//! A network's description or its tensors are damaged or random.
#![no_main]

use empf_fuzz::{damaged, with_folder};
use empf_ir::{Input, Network};
use empf_trainer::Model;
use empf_trainer::presets::{Target, preset};
use libfuzzer_sys::fuzz_target;
use std::fs;
use std::sync::LazyLock;

/// network.json and weights.safetensors of a small network.
static WHOLE: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    let input = Input { channels: 1, height: 8, width: 8, frames: 1, zero_point: 3, scale: 0.1 };
    let graph = preset("tiny", &Target { input, classes: 3, time_steps: 2, width: 0.1 }).expect("a network");
    let network = Model::<f32>::new(&graph, 1, false).expect("a model").to_network();
    let place = tempfile::tempdir().expect("a temporary folder");
    network.save(place.path()).expect("a saved network");
    ["network.json", "weights.safetensors"].map(|name| fs::read(place.path().join(name)).expect("a file"))
});

fuzz_target!(|input: &[u8]| {
    let Some((which, content)) = input.split_first() else { return };
    let mut files = WHOLE.clone();
    let part = usize::from(which % 2);
    files[part] = if which % 4 < 2 { content.to_vec() } else { damaged(&files[part], content) };
    let files: [(&str, &[u8]); 2] = [("network.json", &files[0]), ("weights.safetensors", &files[1])];
    with_folder(&files, |folder| {
        if let Ok(network) = Network::load(folder) {
            let _ = Model::<f32>::from_network(&network);
        }
    });
});
