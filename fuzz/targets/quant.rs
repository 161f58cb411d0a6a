//! An integer network's description or its tensors are damaged or random; what can be read is compiled and runs.
#![no_main]

use empf_fuzz::small::{ARCH, QUANT, images, with_damage};
use empf_fuzz::with_files;
use empf_ir::QuantNetwork;
use empf_sim::{Engine, GoldenEngine};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    with_files(&with_damage(&QUANT, input), |folder| {
        if let Ok(network) = QuantNetwork::load(folder) {
            let _ = empf_compiler::lower(&network, &ARCH);
            let images = images();
            let image = &images.as_slice().expect("in order")[..64];
            let _ = GoldenEngine::new(&network).run(image);
        }
    });
});
