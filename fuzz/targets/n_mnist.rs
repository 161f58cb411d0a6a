//! A recording of N-MNIST is random.
#![no_main]

use empf_fuzz::load;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|content: &[u8]| load(&[("train/a/1.bin", content), ("test/a/2.bin", content)]));
