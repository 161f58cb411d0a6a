//! A recording of a DVS128 camera is random.
#![no_main]

use empf_fuzz::load;
use libfuzzer_sys::fuzz_target;

const HEADER: &[u8] = b"#!AER-DAT2.0\r\n";

fuzz_target!(|input: &[u8]| {
    let behind_a_header = [HEADER, input].concat();
    load(&[("train/a/1.aedat", input), ("test/a/2.aedat", input)]);
    load(&[("train/a/1.aedat", &behind_a_header), ("test/a/2.aedat", &behind_a_header)]);
});
