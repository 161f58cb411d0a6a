//! Widening: codes to currents of the same value.

use crate::round::saturate;
use ndarray::{Array4, ArrayView4};

/// `sat_V(code * 2^shift)` of `steps` frames; one frame serves all of them. `bits` = V.
pub fn widen(codes: ArrayView4<i32>, steps: usize, shift: u8, bits: u32) -> Array4<i32> {
    let (frames, channels, height, width) = codes.dim();
    Array4::from_shape_fn((steps, channels, height, width), |(t, c, y, x)| {
        saturate(i64::from(codes[[t.min(frames - 1), c, y, x]]) << shift, bits) as i32
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn shifts_and_saturates() {
        let codes = array![[[[0, 3, 255]]]];
        assert_eq!(widen(codes.view(), 1, 2, 16), array![[[[0, 12, 1020]]]]);
        assert_eq!(widen(codes.view(), 2, 4, 12), array![[[[0, 48, 2047]]], [[[0, 48, 2047]]]]);
    }
}
