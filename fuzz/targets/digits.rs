//! The text of the UCI digits is random, plain or packed.
#![no_main]

use empf_fuzz::{load, packed};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((packing, content)) = input.split_first() else { return };
    load(&[(&packed("digits.csv", *packing), content)]);
});
