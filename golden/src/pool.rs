//! Average pooling: codes to codes.

use crate::round::{clamp, round_shift};
use ndarray::{Array4, ArrayView4, s};

/// `clamp_A(round_shift(sum of the window, shift))`; incomplete windows are dropped. `kernel` and `stride`
/// are (height, width), the window fits into the map.
pub fn avg_pool(
    codes: ArrayView4<i32>,
    kernel: [usize; 2],
    stride: [usize; 2],
    shift: u8,
    act_bits: u32,
) -> Array4<i32> {
    let (frames, channels, height, width) = codes.dim();
    let rows = (height - kernel[0]) / stride[0] + 1;
    let columns = (width - kernel[1]) / stride[1] + 1;
    Array4::from_shape_fn((frames, channels, rows, columns), |(f, c, y, x)| {
        let (top, left) = (y * stride[0], x * stride[1]);
        let window = codes.slice(s![f, c, top..top + kernel[0], left..left + kernel[1]]);
        let sum = window.iter().copied().map(i64::from).sum();
        clamp(round_shift(sum, shift), act_bits) as i32
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn rounds_and_saturates() {
        let x = array![[[[1, 1, 15, 15], [0, 0, 15, 15]]]];
        assert_eq!(avg_pool(x.view(), [2, 2], [2, 2], 2, 4), array![[[[1, 15]]]]);
        assert_eq!(avg_pool(x.view(), [2, 2], [2, 2], 1, 4), array![[[[1, 15]]]]);
        assert_eq!(avg_pool(x.view(), [2, 2], [1, 1], 2, 4), array![[[[1, 8, 15]]]]);
    }

    #[test]
    fn drops_incomplete_windows() {
        let x = Array4::from_shape_fn((2, 1, 5, 3), |(f, _, y, x)| (f + y + x) as i32);
        let y = avg_pool(x.view(), [2, 3], [2, 3], 0, 8);
        assert_eq!(y, array![[[[9], [21]]], [[[15], [27]]]]);
    }
}
