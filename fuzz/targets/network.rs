//! A network's description or its tensors are damaged or random; what can be read is trained and compiled.
#![no_main]

use empf_fuzz::small::{ARCH, NETWORK, images, with_damage};
use empf_fuzz::with_files;
use empf_ir::Network;
use empf_trainer::Model;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    with_files(&with_damage(&NETWORK, input), |folder| {
        if let Ok(network) = Network::load(folder) {
            let _ = Model::<f32>::from_network(&network);
            let _ = empf_compiler::compile(&network, images().view(), &ARCH);
        }
    });
});
