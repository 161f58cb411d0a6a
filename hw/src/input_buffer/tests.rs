//! The input buffer at its ports.

use super::*;
use crate::bench_support::noise;
use proptest::prelude::*;

const DEPTH: usize = 16;

/// Sends a frame of `codes` with gaps and waits until it is judged; false where the buffer is not ready.
fn send(unit: &mut Bench<InputBuffer>, codes: &[u8], seed: u64) -> bool {
    for (index, code) in codes.iter().enumerate() {
        for gap in 0..noise([seed, index as u64]) % 3 {
            unit.valid_i.set(0);
            unit.data_i.set(gap);
            unit.last_i.set(1);
            unit.tick();
        }
        unit.valid_i.set(1);
        unit.data_i.set(u64::from(*code));
        unit.last_i.set(u64::from(index + 1 == codes.len()));
        unit.settle();
        if unit.ready_o.get() == 0 {
            return false;
        }
        unit.tick();
    }
    assert_eq!(unit.ready_o.get(), 0, "nothing is taken while a frame is judged");
    unit.tick();
    unit.valid_i.set(0);
    unit.last_i.set(0);
    unit.settle();
    true
}

fn codes(length: usize, seed: u64) -> Vec<u8> {
    (0..length).map(|i| noise([seed, 9, i as u64]) as u8).collect()
}

fn read(unit: &mut Bench<InputBuffer>, address: usize) -> u8 {
    unit.read_i.set(1);
    unit.read_address_i.set(address as u64);
    unit.tick();
    unit.read_i.set(0);
    unit.tick();
    unit.code_o.get() as u8
}

/// The count stops at the end of the memory: one that wrapped, or that forgot what it did not count, would take such a
/// frame for a whole one.
#[test]
fn a_frame_beyond_the_memory_is_wrong() {
    for (length, sent) in [5, DEPTH].into_iter().flat_map(|length| {
        (1..=4).map(move |wraps| (length, length + wraps * DEPTH)).chain([(length, DEPTH + 1)])
    }) {
        let arch = ArchConfig { input_depth: DEPTH, ..ArchConfig::default() };
        let mut unit = Bench::new(InputBuffer::new(&arch), |unit| &unit.clock);
        unit.length_i.set(length as u64);
        unit.enable_i.set(1);
        assert!(send(&mut unit, &codes(sent, 3), 3));
        assert_eq!((unit.full_o.get(), unit.error_o.get()), (0, 1), "{sent} for {length}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Any frames, one after the other: those of the right length are kept until they are released, all others are
    /// dropped and said.
    #[test]
    fn keeps_whole_frames(length in 1usize..=DEPTH, frames in prop::collection::vec((0usize..3, 1usize..60), 1..8)) {
        let arch = ArchConfig { input_depth: DEPTH, ..ArchConfig::default() };
        let mut unit = Bench::new(InputBuffer::new(&arch), |unit| &unit.clock);
        unit.reset_i.set(1);
        unit.tick();
        unit.reset_i.set(0);
        unit.length_i.set(length as u64);
        unit.settle();
        prop_assert_eq!(unit.ready_o.get(), 0, "the length is not known yet");
        unit.enable_i.set(1);
        let mut wrong = 0;
        for (index, (kind, other)) in frames.into_iter().enumerate() {
            let seed = index as u64;
            let sent = codes(if kind == 0 { other } else { length }, seed);
            prop_assert!(send(&mut unit, &sent, seed));
            let whole = sent.len() == length;
            wrong |= u64::from(!whole);
            prop_assert_eq!((unit.full_o.get(), unit.error_o.get()), (u64::from(whole), wrong));
            if whole {
                prop_assert!(!send(&mut unit, &[1], 0), "a full buffer takes nothing");
                unit.valid_i.set(0);
                for (address, code) in sent.iter().enumerate() {
                    prop_assert_eq!(read(&mut unit, address), *code);
                }
                unit.release_i.set(1);
                unit.tick();
                unit.release_i.set(0);
                unit.settle();
                prop_assert_eq!(unit.full_o.get(), 0);
            }
        }
        unit.reset_i.set(1);
        unit.tick();
        unit.reset_i.set(0);
        unit.settle();
        prop_assert_eq!((unit.full_o.get(), unit.error_o.get()), (0, 0));
    }
}
