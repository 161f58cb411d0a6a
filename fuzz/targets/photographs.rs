//! A photograph is random or damaged.
#![no_main]

use empf_fuzz::{damaged, jpeg, load};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let whole = jpeg();
    load(&[("train/a/1.jpg", input), ("val/a/2.jpg", &damaged(&whole, input))]);
});
