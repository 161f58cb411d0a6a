//! One of the four idx files is random, plain or packed.
#![no_main]

use empf_fuzz::{load, packed};
use libfuzzer_sys::fuzz_target;

/// Two images of 2x3 pixels.
const IMAGES: [u8; 28] =
    [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 3, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];
const LABELS: [u8; 10] = [0, 0, 8, 1, 0, 0, 0, 2, 0, 1];

fuzz_target!(|input: &[u8]| {
    let Some(([which, packing], content)) = input.split_first_chunk() else { return };
    let names = [
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ];
    let random = usize::from(*which) % 4;
    let name = |i: usize| if i == random { packed(names[i], *packing) } else { names[i].to_owned() };
    let owned: Vec<String> = (0..4).map(name).collect();
    let whole = |i: usize| if i % 2 == 0 { &IMAGES[..] } else { &LABELS[..] };
    let files: Vec<(&str, &[u8])> =
        (0..4).map(|i| (owned[i].as_str(), if i == random { content } else { whole(i) })).collect();
    load(&files);
});
