//! A small network and what becomes of it, in files.

use crate::damaged;
use empf_compiler::compile;
use empf_ir::{ArchConfig, Input, Network, Program, QuantNetwork};
use empf_trainer::Model;
use empf_trainer::presets::{Target, preset};
use ndarray::Array5;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

/// Names and contents of the files of a folder.
pub type Files = Vec<(String, Vec<u8>)>;

/// The accelerator that the network is compiled for.
pub static ARCH: LazyLock<ArchConfig> =
    LazyLock::new(|| ArchConfig { activation_depth: 4096, weight_depth: 4096, ..ArchConfig::sized(4, 4, 4) });

/// An input of one sample for the network.
pub fn images() -> Array5<u8> {
    Array5::from_shape_fn((2, 1, 1, 8, 8), |(n, _, _, y, x)| (n * 50 + y * 20 + x * 5) as u8)
}

fn network() -> Network {
    let input = Input { channels: 1, height: 8, width: 8, frames: 1, zero_point: 3.0.into(), scale: 0.1.into() };
    let target = Target { input, classes: 3, time_steps: 2, width: 0.1 };
    let graph = preset("tiny", &target).expect("a network");
    Model::<f32>::new(&graph, 1, false).expect("a model").to_network()
}

fn compiled() -> (QuantNetwork, Program) {
    compile(&network(), images().view(), &ARCH).expect("a network that compiles")
}

fn files(save: impl FnOnce(&Path)) -> Files {
    let place = tempfile::tempdir().expect("a temporary folder");
    save(place.path());
    let entries = fs::read_dir(place.path()).expect("a folder").map(|entry| entry.expect("an entry"));
    let mut files: Files = entries
        .map(|entry| {
            let name = entry.file_name().into_string().expect("a name of text");
            (name, fs::read(entry.path()).expect("a file"))
        })
        .collect();
    files.sort();
    files
}

/// Files of the float network.
pub static NETWORK: LazyLock<Files> =
    LazyLock::new(|| files(|folder| network().save(folder).expect("saved")));
/// Files of its integers.
pub static QUANT: LazyLock<Files> =
    LazyLock::new(|| files(|folder| compiled().0.save(folder).expect("saved")));
/// Files of its program.
pub static PROGRAM: LazyLock<Files> =
    LazyLock::new(|| files(|folder| compiled().1.save(folder).expect("saved")));

/// `whole` with one file, which the first byte of `input` chooses, damaged by the rest or replaced by it.
pub fn with_damage(whole: &Files, input: &[u8]) -> Files {
    let mut files = whole.clone();
    if let Some((choice, content)) = input.split_first() {
        let index = usize::from(choice / 2) % files.len();
        let file = &mut files[index].1;
        *file = if choice % 2 == 0 { content.to_vec() } else { damaged(file, content) };
    }
    files
}
