//! Scaling: codes to currents by a factor for each step and channel.

use crate::round::{round_shift, saturate};
use ndarray::{Array4, ArrayView2, ArrayView4};

/// `sat_V(round_shift(code * M[t][c], shift))`; one frame serves all steps. `mantissa` is `[T, C]`, `bits` = V.
pub fn scale(codes: ArrayView4<i32>, mantissa: ArrayView2<i32>, shift: u8, bits: u32) -> Array4<i32> {
    let (frames, channels, height, width) = codes.dim();
    Array4::from_shape_fn((mantissa.nrows(), channels, height, width), |(t, c, y, x)| {
        let product = i64::from(codes[[t.min(frames - 1), c, y, x]]) * i64::from(mantissa[[t, c]]);
        saturate(round_shift(product, shift), bits) as i32
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn every_step_has_its_frame() {
        let codes = array![[[[1, 2]]], [[[30, 40]]]];
        let mantissa = array![[3], [5]];
        assert_eq!(scale(codes.view(), mantissa.view(), 0, 12), array![[[[3, 6]]], [[[150, 200]]]]);
    }

    #[test]
    fn rounds_and_saturates() {
        let codes = array![[[[0, 3, 255]], [[1, 2, 3]]]];
        let mantissa = array![[5, -3], [32767, 2]];
        // 15/4, 1275/4; -3/4, -6/4 and -9/4 (ties up); 98301/4 saturates; 2/4 (a tie), 4/4, 6/4.
        let expected = array![[[[0, 4, 319]], [[-1, -1, -2]]], [[[0, 2047, 2047]], [[1, 1, 2]]]];
        assert_eq!(scale(codes.view(), mantissa.view(), 2, 12), expected);
    }
}
