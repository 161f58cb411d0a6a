//! One file of Tiny ImageNet is random, or an archive of them is damaged or random.
#![no_main]

use empf_fuzz::{damaged, jpeg, load, packed, tar, zip};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some(([which, packing], content)) = input.split_first_chunk() else { return };
    let image = jpeg();
    let mut files: [(&str, &[u8]); 4] = [
        ("set/wnids.txt", b"n01\n"),
        ("set/train/n01/images/n01_0.JPEG", &image),
        ("set/val/images/val_0.JPEG", &image),
        ("set/val/val_annotations.txt", b"val_0.JPEG\tn01\t0\t0\t63\t63\n"),
    ];
    let half_damaged = damaged(&image, content);
    match which % 9 {
        4 => load(&[("set.tar", &damaged(&tar(&files), content))]),
        5 => load(&[("set.zip", &damaged(&zip(&files), content))]),
        6 => load(&[(&packed("set.tar", *packing), content)]),
        7 => load(&[("set.zip", content)]),
        8 => {
            files[1].1 = &half_damaged;
            load(&files);
        }
        random => {
            files[usize::from(random)].1 = content;
            load(&files);
        }
    }
});
