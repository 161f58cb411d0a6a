//! Dot products of unfolded windows with integer weights.

use crate::conv::Window;
use crate::error::{Error, Result};
use empf_ir::Shape;

/// Outputs computed together, so that a window's row is loaded once for all of them.
const LANES: usize = 4;

/// Weights `[out, ky, kx, in]`; a linear layer's window is its whole map.
#[derive(Debug)]
pub(super) struct DotLayer {
    weights: Vec<i16>,
    out: usize,
    kernel: [usize; 2],
    stride: usize,
    padding: usize,
    border: i16,
}

impl DotLayer {
    /// From weights `[out, in, kernel, kernel]`; `border` is the code outside the map.
    pub(super) fn conv(weights: &[i32], out: usize, inner: usize, window: Window, border: u8) -> Self {
        let Window { kernel, stride, padding } = window;
        Self::new(weights, out, inner, [kernel; 2], stride, padding, border.into())
    }

    /// From weights `[out, in * height * width]`.
    pub(super) fn linear(weights: &[i32], out: usize, input: Shape) -> Self {
        Self::new(weights, out, input.channels, [input.height, input.width], 1, 0, 0)
    }

    fn new(
        weights: &[i32],
        out: usize,
        inner: usize,
        kernel: [usize; 2],
        stride: usize,
        padding: usize,
        border: i16,
    ) -> Self {
        let positions = kernel[0] * kernel[1];
        let size = inner * positions;
        // Network::validate bounds every weight by 255, so it fits 16 bits.
        let at = |i: usize| weights[i / size * size + (i % inner) * positions + i % size / inner] as i16;
        DotLayer { weights: (0..out * size).map(at).collect(), out, kernel, stride, padding, border }
    }

    fn size(&self) -> usize {
        self.weights.len() / self.out
    }

    /// Refuses sums of codes up to `max_code` that could leave 32 bits.
    pub(super) fn check(&self, node: &str, max_code: i64) -> Result<()> {
        self.check_sum(node, max_code, 0)
    }

    /// As [`DotLayer::check`], with up to `more` added.
    pub(super) fn check_sum(&self, node: &str, max_code: i64, more: i64) -> Result<()> {
        let row = |row: &[i16]| row.iter().map(|w| i64::from(w.abs())).sum::<i64>();
        let largest = self.weights.chunks_exact(self.size()).map(row).max().unwrap_or(0) * max_code + more;
        if largest > i64::from(i32::MAX) {
            let message = format!("a sum may reach {largest}, which does not fit 32 bits");
            return Err(Error::Unsupported { node: node.into(), message });
        }
        Ok(())
    }

    /// Sums of one frame `[y, x, in]` of shape `shape`: `[y, x, out]`.
    pub(super) fn apply(&self, frame: &[i32], shape: Shape) -> Vec<i32> {
        let positions = |size: usize, k: usize| (size + 2 * self.padding - k) / self.stride + 1;
        let (rows, columns) =
            (positions(shape.height, self.kernel[0]), positions(shape.width, self.kernel[1]));
        let mut out = vec![0; rows * columns * self.out];
        let mut window = vec![0i16; self.size()];
        for (at, out) in out.chunks_exact_mut(self.out).enumerate() {
            self.unfold(frame, shape, at / columns * self.stride, at % columns * self.stride, &mut window);
            let lanes = self.weights.chunks(LANES * self.size());
            for (out, weights) in out.chunks_mut(LANES).zip(lanes) {
                if let [a, b, c, d] = out {
                    [*a, *b, *c, *d] = dot4(&window, weights);
                } else {
                    for (out, weights) in out.iter_mut().zip(weights.chunks_exact(self.size())) {
                        *out = dot(&window, weights);
                    }
                }
            }
        }
        out
    }

    /// The window whose first row and column, counted in the padded map, are `top` and `left`.
    fn unfold(&self, frame: &[i32], shape: Shape, top: usize, left: usize, window: &mut [i16]) {
        let c = shape.channels;
        for (k, taps) in window.chunks_exact_mut(c).enumerate() {
            let y = (top + k / self.kernel[1]).checked_sub(self.padding).filter(|y| *y < shape.height);
            let x = (left + k % self.kernel[1]).checked_sub(self.padding).filter(|x| *x < shape.width);
            match (y, x) {
                (Some(y), Some(x)) => {
                    let codes = &frame[(y * shape.width + x) * c..][..c];
                    taps.iter_mut().zip(codes).for_each(|(tap, code)| *tap = *code as i16);
                }
                _ => taps.fill(self.border),
            }
        }
    }
}

fn dot(a: &[i16], b: &[i16]) -> i32 {
    a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum()
}

/// Dot products of `a` with four rows that lie one after the other.
fn dot4(a: &[i16], rows: &[i16]) -> [i32; LANES] {
    let n = a.len();
    let (r0, rest) = rows.split_at(n);
    let (r1, rest) = rest.split_at(n);
    let (r2, r3) = rest.split_at(n);
    let mut sums = [0i32; LANES];
    for ((((a, w0), w1), w2), w3) in a.iter().zip(r0).zip(r1).zip(r2).zip(r3) {
        let a = i32::from(*a);
        sums[0] += a * i32::from(*w0);
        sums[1] += a * i32::from(*w1);
        sums[2] += a * i32::from(*w2);
        sums[3] += a * i32::from(*w3);
    }
    sums
}
