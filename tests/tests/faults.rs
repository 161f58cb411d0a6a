//! Planted faults are seen and located; `cargo xtask faults` prints where.

use empf_tests::{MECHANISMS, changed_theta, flipped_weight, off_by_one_stride};

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

/// A mechanism's fault is located in a network of several layers, and that shrinks.
macro_rules! located {
    ($($test:ident: $index:expr,)*) => {$(
        #[test]
        fn $test() {
            let shrunk = MECHANISMS[$index].plant().unwrap_or_else(|error| panic!("{error}"));
            println!("{shrunk}");
        }
    )*};
}

located! {
    a_fault_of_an_identity_shortcut_is_located: 0,
    a_fault_of_a_shortcut_convolution_is_located: 1,
    a_fault_of_gains_of_version_ii_is_located: 2,
    a_fault_of_maximum_pooling_is_located: 3,
    a_fault_of_attention_in_front_of_a_shortcut_is_located: 4,
    a_fault_of_attention_behind_a_shortcut_is_located: 5,
    a_fault_of_attention_frame_by_frame_is_located: 6,
    a_fault_of_borders_of_channels_is_located: 7,
}
