//! A recording of a DVS128 camera is random, in both versions; so are the labels of DVS-Gesture.
#![no_main]

use empf_fuzz::load;
use libfuzzer_sys::fuzz_target;

const HEADERS: [&[u8]; 3] = [b"", b"#!AER-DAT2.0\r\n", b"#!AER-DAT3.1\r\n#!END-HEADER\r\n"];
/// A packet of one event, at 1 us.
const PACKET: &[u8] =
    b"\x01\0\x01\0\x08\0\0\0\x04\0\0\0\0\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\0\0\x03\0\0\0\x01\0\0\0";

fuzz_target!(|input: &[u8]| {
    for header in HEADERS {
        let recording = [header, input].concat();
        load(&[("train/a/1.aedat", &recording), ("test/a/2.aedat", &recording)]);
    }
    load(&[
        ("trials_to_train.txt", b"a.aedat"),
        ("trials_to_test.txt", b"a.aedat"),
        ("a_labels.csv", input),
        ("a.aedat", &[HEADERS[2], PACKET].concat()),
    ]);
});
