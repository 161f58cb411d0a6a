//! Codes to codes.

use super::round_shift;
use empf_ir::Shape;

/// `clamp_A(round_shift(sum of the window, shift))`.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) kernel: [usize; 2],
    pub(super) stride: [usize; 2],
    pub(super) shift: u32,
}

impl Pool {
    /// One frame `x` of shape `from` to one of shape `to`.
    pub(super) fn apply(&self, x: &[i32], from: Shape, out: &mut [i32], to: Shape, max_code: i64) {
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
