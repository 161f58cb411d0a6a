//! Average and maximum pooling: codes to codes.

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

/// Largest code of the window, of which a border of `padding` positions is no part. Every window meets the map.
pub fn max_pool(codes: ArrayView4<i32>, kernel: usize, stride: usize, padding: usize) -> Array4<i32> {
    let (frames, channels, height, width) = codes.dim();
    let along = |size: usize| (size + 2 * padding - kernel) / stride + 1;
    let inside = |at: usize, size: usize| {
        let first = at * stride;
        first.saturating_sub(padding)..(first + kernel).saturating_sub(padding).min(size)
    };
    Array4::from_shape_fn((frames, channels, along(height), along(width)), |(f, c, y, x)| {
        let window = codes.slice(s![f, c, inside(y, height), inside(x, width)]);
        window.fold(0, |largest, code| largest.max(*code))
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
    fn a_border_takes_no_part_in_a_maximum() {
        let x = array![[[[1, 3, 9], [5, 7, 2]]]];
        assert_eq!(max_pool(x.view(), 3, 2, 1), array![[[[7, 9]]]]);
        assert_eq!(max_pool(x.view(), 2, 1, 0), array![[[[7, 9]]]]);
        assert_eq!(max_pool(x.view(), 2, 3, 1), array![[[[1, 9]]]]);
    }

    #[test]
    fn drops_incomplete_windows() {
        let x = Array4::from_shape_fn((2, 1, 5, 3), |(f, _, y, x)| (f + y + x) as i32);
        let y = avg_pool(x.view(), [2, 3], [2, 3], 0, 8);
        assert_eq!(y, array![[[[9], [21]]], [[[15], [27]]]]);
    }
}
