//! Planted faults are seen and located; `cargo xtask faults` prints where.

use empf_tests::{changed_theta, flipped_weight, off_by_one_stride};

#[test]
fn a_flipped_weight_bit_is_located() {
    assert_eq!(flipped_weight().unwrap().len(), 2);
}

#[test]
fn a_changed_theta_is_located() {
    assert_eq!(changed_theta().unwrap().len(), 2);
}

#[test]
fn an_off_by_one_stride_is_located() {
    assert_eq!(off_by_one_stride().unwrap().len(), 2);
}
