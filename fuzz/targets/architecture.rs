//! An architecture's TOML file is damaged or random; for what can be read a network is compiled.
#![no_main]

use empf_fuzz::small::{QUANT, with_damage};
use empf_fuzz::with_files;
use empf_ir::{ArchConfig, QuantNetwork};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

static NETWORK: LazyLock<QuantNetwork> =
    LazyLock::new(|| with_files(&QUANT, |folder| QuantNetwork::load(folder).expect("a network")));

static WHOLE: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
    let text = "rows = 4\ncols = 8\nact_bits = 4\nlanes = 2\nmembrane_bits = 16\nacc_bits = 24\nadder = 'ecp5'\n\
                weight_depth = 4096\nactivation_depth = 4096\n";
    vec![("array.toml".to_owned(), text.as_bytes().to_vec())]
});

fuzz_target!(|input: &[u8]| {
    with_files(&with_damage(&WHOLE, input), |folder| {
        if let Ok(arch) = ArchConfig::load(&folder.join("array.toml")) {
            let _ = empf_compiler::lower(&NETWORK, &arch);
        }
    });
});
