//! A recording of N-CARS is random.
#![no_main]

use empf_fuzz::load;
use libfuzzer_sys::fuzz_target;

const HEADER: &[u8] = b"% Data file\n\0\x08";

fuzz_target!(|input: &[u8]| {
    let behind_a_header = [HEADER, input].concat();
    load(&[("train/a/1.dat", input), ("test/a/2.dat", input)]);
    load(&[("train/a/1.dat", &behind_a_header), ("test/a/2.dat", &behind_a_header)]);
});
