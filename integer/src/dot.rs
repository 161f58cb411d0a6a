//! Sums of windows of codes times integer weights.

use crate::error::{Error, Result};
use crate::products::{OUTPUTS, Pair, WINDOWS, products};
use empf_ir::{Border, Shape, Window};

/// Weights of a convolution, or of a linear layer, whose window is its whole map.
#[derive(Debug)]
pub(crate) struct DotLayer {
    /// Blocks of [`OUTPUTS`] outputs, each `[pair of taps][output]`; zero beyond the last tap and output.
    weights: Vec<[Pair; OUTPUTS]>,
    /// Largest magnitude of the sum of an output's positive, or of its negative, weights.
    largest: i64,
    out: usize,
    /// Taps of a window, `[ky][kx][in]`.
    taps: usize,
    kernel: [usize; 2],
    stride: usize,
    padding: usize,
    border: Border,
}

/// Buffers that a thread uses again for every layer.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// A frame with its border, `[y][x][channel]`.
    padded: Vec<i16>,
    /// [`WINDOWS`] unfolded windows, each an even number of taps.
    windows: Vec<Pair>,
}

impl DotLayer {
    /// From weights `[out, in, kernel, kernel]`; `border` is the code outside the map.
    pub(crate) fn conv(weights: &[i32], out: usize, inner: usize, window: Window, border: Border) -> Self {
        let Window { kernel, stride, padding } = window;
        DotLayer { stride, padding, border, ..Self::new(weights, out, inner, [kernel; 2]) }
    }

    /// From weights `[out, in * height * width]`.
    pub(crate) fn linear(weights: &[i32], out: usize, input: Shape) -> Self {
        Self::new(weights, out, input.channels, [input.height, input.width])
    }

    fn new(weights: &[i32], out: usize, inner: usize, kernel: [usize; 2]) -> Self {
        let positions = kernel[0] * kernel[1];
        let taps = inner * positions;
        let pairs = taps.div_ceil(2);
        let mut blocks = vec![[Pair::default(); OUTPUTS]; out.div_ceil(OUTPUTS) * pairs];
        for (o, row) in weights.chunks_exact(taps).enumerate() {
            for (i, weight) in row.iter().enumerate() {
                let tap = i % positions * inner + i / positions;
                // Validation bounds every weight by 255, so it fits 16 bits.
                blocks[o / OUTPUTS * pairs + tap / 2][o % OUTPUTS][tap % 2] = *weight as i16;
            }
        }
        let positive = |row: &[i32]| row.iter().map(|w| i64::from(*w.max(&0))).sum::<i64>();
        let negative = |row: &[i32]| row.iter().map(|w| i64::from(-*w.min(&0))).sum::<i64>();
        let larger = |row: &[i32]| positive(row).max(negative(row));
        let largest = weights.chunks_exact(taps).map(larger).max().unwrap_or(0);
        DotLayer {
            weights: blocks,
            largest,
            out,
            taps,
            kernel,
            stride: 1,
            padding: 0,
            border: Border::from(0),
        }
    }

    /// Refuses sums of codes up to `max_code` that could leave 32 bits.
    pub(crate) fn check(&self, node: &str, max_code: i64) -> Result<()> {
        self.check_sum(node, max_code, 0)
    }

    /// As [`DotLayer::check`], with up to `more` added.
    pub(crate) fn check_sum(&self, node: &str, max_code: i64, more: i64) -> Result<()> {
        let largest = self.largest * max_code + more;
        if largest > i64::from(i32::MAX) {
            let message = format!("a sum may reach {largest}, which does not fit 32 bits");
            return Err(Error::Unsupported { node: node.into(), message });
        }
        Ok(())
    }

    /// Sums of one frame `[y, x, in]` of shape `shape`: `[y, x, out]`.
    pub(crate) fn apply(&self, frame: &[i32], shape: Shape, out: &mut [i32], scratch: &mut Scratch) {
        let columns = (shape.width + 2 * self.padding - self.kernel[1]) / self.stride + 1;
        let pairs = self.taps.div_ceil(2);
        self.pad(frame, shape, &mut scratch.padded);
        scratch.windows.clear();
        scratch.windows.resize(WINDOWS * pairs, Pair::default());
        for (group, out) in out.chunks_mut(WINDOWS * self.out).enumerate() {
            // Of the last group, windows beyond the map keep what they held; their sums are not used.
            let used = out.len() / self.out;
            for (w, window) in scratch.windows.chunks_exact_mut(pairs).enumerate().take(used) {
                let at = group * WINDOWS + w;
                let corner = [at / columns * self.stride, at % columns * self.stride];
                self.unfold(&scratch.padded, shape, corner, window.as_flattened_mut());
            }
            let windows = std::array::from_fn(|w| &scratch.windows[w * pairs..][..pairs]);
            for (block, weights) in self.weights.chunks_exact(pairs).enumerate() {
                let first = block * OUTPUTS;
                let outputs = OUTPUTS.min(self.out - first);
                for (out, sums) in out.chunks_exact_mut(self.out).zip(products(windows, weights)) {
                    out[first..first + outputs].copy_from_slice(&sums[..outputs]);
                }
            }
        }
    }

    /// The frame inside its border.
    fn pad(&self, frame: &[i32], shape: Shape, padded: &mut Vec<i16>) {
        let (row, border) = (shape.width * shape.channels, self.padding * shape.channels);
        let codes = (0..shape.channels).map(|channel| i16::from(self.border.of(channel)));
        let positions = (shape.width + 2 * self.padding) * (shape.height + 2 * self.padding);
        padded.clear();
        padded.extend(codes.cycle().take(positions * shape.channels));
        let rows = padded.chunks_exact_mut(row + 2 * border).skip(self.padding);
        for (to, from) in rows.zip(frame.chunks_exact(row)) {
            to[border..border + row].iter_mut().zip(from).for_each(|(to, code)| *to = *code as i16);
        }
    }

    /// The window whose first row and column in the padded frame are `top` and `left`.
    fn unfold(&self, padded: &[i16], shape: Shape, [top, left]: [usize; 2], window: &mut [i16]) {
        let (row, run) = (shape.width + 2 * self.padding, self.kernel[1] * shape.channels);
        for (ky, to) in window[..self.taps].chunks_exact_mut(run).enumerate() {
            let from = ((top + ky) * row + left) * shape.channels;
            to.copy_from_slice(&padded[from..from + run]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Every tap of every window, one by one.
    fn naive(x: &[i32], shape: Shape, weights: &[i32], out: usize, w: Window, border: Border) -> Vec<i32> {
        let Shape { channels, height, width } = shape;
        let (rows, columns) = (w.positions(height), w.positions(width));
        let code = |i: usize, y: usize, x_: usize| match (y.checked_sub(w.padding), x_.checked_sub(w.padding))
        {
            (Some(y), Some(x_)) if y < height && x_ < width => x[(y * width + x_) * channels + i],
            _ => border.of(i).into(),
        };
        let sum = |at: usize| {
            let (oy, ox, o) = (at / (columns * out) * w.stride, at / out % columns * w.stride, at % out);
            let tap = |k: usize| {
                let (i, ky, kx) = (k / (w.kernel * w.kernel), k / w.kernel % w.kernel, k % w.kernel);
                weights[o * channels * w.kernel * w.kernel + k] * code(i, oy + ky, ox + kx)
            };
            (0..channels * w.kernel * w.kernel).map(tap).sum()
        };
        (0..rows * columns * out).map(sum).collect()
    }

    #[test]
    fn sums_beyond_32_bits_are_refused() {
        let layer = |weights: &[i32]| DotLayer::linear(weights, 1, Shape::new(weights.len(), 1, 1));
        let most = i64::from(i32::MAX);
        assert!(layer(&[1]).check("n", most).is_ok());
        assert!(layer(&[1]).check("n", most + 1).is_err());
        assert!(layer(&[1]).check_sum("n", most - 1, 1).is_ok());
        assert!(layer(&[1]).check_sum("n", most, 1).is_err());
        // The output with the largest weights decides.
        assert!(DotLayer::linear(&[1, 2, 1], 3, Shape::new(1, 1, 1)).check("n", most / 2 + 1).is_err());
        // Codes where the weights of one sign are, and none elsewhere.
        for weights in [[1, -3], [3, -1]] {
            assert!(layer(&weights).check("n", most / 3).is_ok());
            assert!(layer(&weights).check("n", most / 3 + 1).is_err());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn equals_tap_by_tap(
            (kernel, padding) in (1usize..6).prop_flat_map(|k| (Just(k), 0..k)),
            size in prop::array::uniform2(5usize..9),
            channels in 1usize..5,
            out in prop::sample::select(vec![1, 3, 16, 17, 40]),
            stride in 1usize..4,
            border in any::<[u8; 4]>(),
            seed in any::<u32>(),
        ) {
            let shape = Shape::new(channels, size[0], size[1]);
            let mut state = seed;
            let mut next = |range: u32| {
                state = state.wrapping_mul(1664525).wrapping_add(1013904223);
                ((state >> 8) % range) as i32
            };
            let x: Vec<i32> = (0..shape.elements()).map(|_| next(256)).collect();
            let weights: Vec<i32> =
                (0..out * channels * kernel * kernel).map(|_| 2 * next(256) - 255).collect();
            let window = Window { kernel, stride, padding };
            let border = Border::new(&border[..channels]).unwrap();
            let layer = DotLayer::conv(&weights, out, channels, window, border);
            let expected = naive(&x, shape, &weights, out, window, border);
            // What an earlier layer left in the buffers does not matter.
            let mut scratch = Scratch { padded: vec![9; 3], windows: vec![[7, 7]; 999] };
            let mut sums = vec![5; expected.len()];
            layer.apply(&x, shape, &mut sums, &mut scratch);
            prop_assert_eq!(sums, expected);
        }
    }
}
