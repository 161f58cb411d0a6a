//! Codes to codes.

use crate::round::round_shift;
use empf_ir::{Shape, Window};

/// `clamp_A(round_shift(sum of the window, shift))`.
#[derive(Debug)]
pub(crate) struct Pool {
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
    pub(crate) shift: u32,
}

impl Pool {
    /// One frame `x` of shape `from` to one of shape `to`.
    pub(crate) fn apply(&self, x: &[i32], from: Shape, out: &mut [i32], to: Shape, max_code: i64) {
        let mut sums = vec![0; from.channels];
        for (at, out) in out.chunks_exact_mut(sums.len()).enumerate() {
            let (oy, ox) = (at / to.width * self.stride[0], at % to.width * self.stride[1]);
            sums.fill(0);
            for k in 0..self.kernel[0] * self.kernel[1] {
                let position = (oy + k / self.kernel[1]) * from.width + ox + k % self.kernel[1];
                let codes = &x[position * from.channels..];
                sums.iter_mut().zip(codes).for_each(|(sum, code)| *sum += i64::from(*code));
            }
            for (code, sum) in out.iter_mut().zip(&sums) {
                *code = round_shift(*sum, self.shift).clamp(0, max_code) as i32;
            }
        }
    }
}

/// Largest code of each window.
#[derive(Debug)]
pub(crate) struct MaxPool(pub(crate) Window);

impl MaxPool {
    /// One frame `x` of shape `from` to one of shape `to`. Codes are not negative, so that a maximum may start
    /// at 0 and skip what lies outside.
    pub(crate) fn apply(&self, x: &[i32], from: Shape, out: &mut [i32], to: Shape) {
        let c = from.channels;
        out.fill(0);
        for (at, out) in out.chunks_exact_mut(c).enumerate() {
            let (rows, _) = self.0.span(at / to.width, from.height);
            let (columns, _) = self.0.span(at % to.width, from.width);
            for position in rows.flat_map(|y| columns.clone().map(move |x| y * from.width + x)) {
                let codes = &x[position * c..][..c];
                out.iter_mut().zip(codes).for_each(|(most, code)| *most = (*most).max(*code));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_rounded_and_end_at_the_largest_code() {
        let map = Shape::new(1, 2, 2);
        for (shift, mean) in [(0, 15), (1, 9), (2, 4), (3, 2)] {
            let mut result = [0];
            Pool { kernel: [2; 2], stride: [1; 2], shift }.apply(
                &[15, 1, 1, 0],
                map,
                &mut result,
                Shape::new(1, 1, 1),
                15,
            );
            assert_eq!(result, [mean], "17 / 2^{shift}");
        }
    }

    #[test]
    fn the_sum_of_a_large_window_has_more_than_32_bits() {
        let map = Shape::new(1, 2902, 2902);
        let pool = Pool { kernel: [2902; 2], stride: [1; 2], shift: 24 };
        let mut mean = [0];
        pool.apply(&vec![255; 2902 * 2902], map, &mut mean, Shape::new(1, 1, 1), 255);
        assert_eq!(mean, [128], "255 * 2902^2 / 2^24");
    }

    #[test]
    fn a_window_far_larger_than_the_map_is_walked_where_the_map_is() {
        let map = Shape::new(1, 2, 3);
        let x = [4, 1, 7, 0, 9, 2];
        let pool = MaxPool(Window { kernel: (1 << 23) + 1, stride: 1, padding: 1 << 22 });
        let mut largest = [0; 6];
        pool.apply(&x, map, &mut largest, map);
        assert_eq!(largest, [9; 6]);
        let pool = MaxPool(Window { kernel: 3, stride: 2, padding: 1 });
        let mut largest = [0; 2];
        pool.apply(&x, map, &mut largest, Shape::new(1, 1, 2));
        assert_eq!(largest, [9, 9]);
    }
}
