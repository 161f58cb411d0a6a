//! A training or test file of CIFAR is random, plain or packed, or an archive of them is damaged.
#![no_main]

use empf_fuzz::{damaged, load, packed, tar, zip};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some(([which, packing], content)) = input.split_first_chunk() else { return };
    let record = [&[3][..], &[7; 3072]].concat();
    let both: [(&str, &[u8]); 2] = [("set/data_batch_1.bin", &record), ("set/test_batch.bin", &record)];
    let names = ["data_batch_1.bin", "test_batch.bin", "train.bin", "test.bin"];
    match which % 6 {
        4 => load(&[("set.tar", &damaged(&tar(&both), content))]),
        5 => load(&[("set.zip", &damaged(&zip(&both), content))]),
        random => {
            let random = usize::from(random);
            // The published files have records of 3073 or 3074 bytes: the content is repeated up to one.
            let length = 3073 + random / 2;
            let long: Vec<u8> = content.iter().copied().cycle().take(length).collect();
            let content = if packing % 6 < 3 { content } else { &long };
            load(&[(&packed(names[random], *packing), content), (names[random ^ 1], &record)]);
        }
    }
});
