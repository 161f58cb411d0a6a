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
        let c = from.channels;
        out.fill(0);
        for (at, out) in out.chunks_exact_mut(c).enumerate() {
            let (oy, ox) = (at / to.width * self.stride[0], at % to.width * self.stride[1]);
            for k in 0..self.kernel[0] * self.kernel[1] {
                let position = (oy + k / self.kernel[1]) * from.width + ox + k % self.kernel[1];
                out.iter_mut().zip(&x[position * c..][..c]).for_each(|(sum, code)| *sum += code);
            }
            for sum in out {
                *sum = round_shift(i64::from(*sum), self.shift).clamp(0, max_code) as i32;
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
        let (c, Window { kernel, stride, padding }) = (from.channels, self.0);
        out.fill(0);
        for (at, out) in out.chunks_exact_mut(c).enumerate() {
            let (top, left) = (at / to.width * stride, at % to.width * stride);
            for k in 0..kernel * kernel {
                let (row, column) = (top + k / kernel, left + k % kernel);
                let (Some(y), Some(x_)) = (row.checked_sub(padding), column.checked_sub(padding)) else {
                    continue;
                };
                if y < from.height && x_ < from.width {
                    let codes = &x[(y * from.width + x_) * c..][..c];
                    out.iter_mut().zip(codes).for_each(|(most, code)| *most = (*most).max(*code));
                }
            }
        }
    }
}
