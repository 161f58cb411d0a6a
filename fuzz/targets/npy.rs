//! Samples in a .npy or .npz file that is damaged or random.
#![no_main]

use empf_fuzz::small::with_damage;
use empf_fuzz::{with_files, zip};
use empf_ir::QuantInput;
use empf_sim::numpy::read_inputs;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}\n");
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.extend(header.as_bytes());
    file.extend(data);
    file
}

static WHOLE: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
    let (inputs, labels) =
        (npy("|u1", "2, 1, 1, 2, 2", &[1, 2, 3, 4, 5, 6, 7, 8]), npy("|u1", "2,", &[0, 1]));
    let archive = zip(&[("inputs.npy", &inputs), ("labels.npy", &labels)]);
    vec![("x.npy".to_owned(), inputs), ("x.npz".to_owned(), archive)]
});

fuzz_target!(|input: &[u8]| {
    let shape = QuantInput { channels: 1, height: 2, width: 2, frames: 1 };
    with_files(&with_damage(&WHOLE, input), |folder| {
        for name in ["x.npy", "x.npz"] {
            if let Ok(inputs) = read_inputs(&folder.join(name), &shape) {
                assert_eq!(inputs.frames.shape()[1..], [1, 1, 2, 2]);
                assert!(inputs.labels.is_none_or(|labels| labels.len() == inputs.frames.dim().0));
            }
        }
    });
});
