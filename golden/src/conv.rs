//! Convolution: codes to currents.

use crate::round::{round_shift, saturate};
use empf_ir::Border;
use ndarray::{Array4, ArrayView1, ArrayView2, ArrayView4, Axis, s};

/// Input channels whose products of a weight (-255..=255) and a code (0..=255) surely sum up in 32 bits.
const CHANNEL_BLOCK: usize = 1 << 15;

/// Where the windows lie.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Step of the window.
    pub stride: usize,
    /// Border on each side.
    pub padding: usize,
    /// Codes of the border.
    pub border: Border,
}

/// What turns sums into currents.
#[derive(Clone, Copy, Debug)]
pub struct Requantizer<'a> {
    /// M, `[T, C]`.
    pub mantissa: ArrayView2<'a, i32>,
    /// B, `[T, C]`.
    pub bias: ArrayView2<'a, i32>,
    /// Right shift of the product.
    pub shift: u8,
    /// V.
    pub membrane_bits: u32,
}

/// `acc[f][o][y][x] = sum of w[o][i][ky][kx] * code(f, i, y*S + ky - P, x*S + kx - P)`, exact.
/// Codes are 0..=255, weights -255..=255; the window fits.
pub fn accumulate(codes: ArrayView4<i32>, weight: ArrayView4<i32>, window: Window) -> Array4<i64> {
    let (frames, _, height, width) = codes.dim();
    let (channels, _, kernel, _) = weight.dim();
    let along = |size: usize| (size + 2 * window.padding - kernel) / window.stride + 1;
    // Channels innermost, and 16-bit factors of 32-bit sums: the loop over output channels vectorises.
    let taps = weight.permuted_axes([2, 3, 1, 0]).as_standard_layout().mapv(|w| w as i16);
    let codes = codes.permuted_axes([0, 2, 3, 1]).as_standard_layout().mapv(|c| c as i16);
    let border =
        ndarray::Array1::from_shape_fn(codes.dim().3, |channel| i16::from(window.border.of(channel)));
    let mut acc = Array4::<i64>::zeros((frames, along(height), along(width), channels));
    let mut sums = vec![0i32; channels];
    for ((f, y, x, ky, kx), row, column) in walk(acc.dim(), kernel, window) {
        let inside = row < height && column < width;
        let seen = if inside { codes.slice(s![f, row, column, ..]) } else { border.view() };
        let tap = taps.slice(s![ky, kx, .., ..]);
        for (seen, tap) in
            seen.axis_chunks_iter(Axis(0), CHANNEL_BLOCK).zip(tap.axis_chunks_iter(Axis(0), CHANNEL_BLOCK))
        {
            add_products(seen, tap, &mut sums);
            for (acc, sum) in acc.slice_mut(s![f, y, x, ..]).iter_mut().zip(&mut sums) {
                *acc += i64::from(std::mem::take(sum));
            }
        }
    }
    acc.permuted_axes([0, 3, 1, 2]).as_standard_layout().into_owned()
}

/// Every (frame, y, x, ky, kx) with the row and column read; outside the map these are huge.
fn walk(
    (frames, rows, columns, _): (usize, usize, usize, usize),
    kernel: usize,
    window: Window,
) -> impl Iterator<Item = ((usize, usize, usize, usize, usize), usize, usize)> {
    let at = move |o: usize, k: usize| (o * window.stride + k).wrapping_sub(window.padding);
    ndarray::indices((frames, rows, columns, kernel, kernel))
        .into_iter()
        .map(move |(f, y, x, ky, kx)| ((f, y, x, ky, kx), at(y, ky), at(x, kx)))
}

/// `sums[o] += sum over i of seen[i] * tap[i][o]`.
fn add_products(seen: ArrayView1<i16>, tap: ArrayView2<i16>, sums: &mut [i32]) {
    for (code, weights) in seen.iter().zip(tap.outer_iter()) {
        // A silent spike adds nothing.
        if *code != 0 {
            for (sum, w) in sums.iter_mut().zip(weights) {
                *sum += i32::from(*code) * i32::from(*w);
            }
        }
    }
}

/// `I[t] = sat_V(round_shift(acc[t] * M[t], shift) + B[t])` for every step; sums of one frame serve all steps.
pub fn requantize(acc: ArrayView4<i64>, q: &Requantizer) -> Array4<i32> {
    let (frames, channels, height, width) = acc.dim();
    Array4::from_shape_fn((q.mantissa.nrows(), channels, height, width), |(t, c, y, x)| {
        let (m, b) = (i64::from(q.mantissa[[t, c]]), i64::from(q.bias[[t, c]]));
        let product = acc[[t.min(frames - 1), c, y, x]] * m;
        saturate(round_shift(product, q.shift) + b, q.membrane_bits) as i32
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;
    use proptest::prelude::*;

    /// Seven loops, as in the formula.
    fn naive(codes: &Array4<i32>, weight: &Array4<i32>, w: Window) -> Array4<i64> {
        let (frames, inputs, height, width) = codes.dim();
        let (outputs, _, kernel, _) = weight.dim();
        let along = |size: usize| (size + 2 * w.padding - kernel) / w.stride + 1;
        let mut acc = Array4::zeros((frames, outputs, along(height), along(width)));
        for ((f, o, y, x), sum) in acc.indexed_iter_mut() {
            for i in 0..inputs {
                for ky in 0..kernel {
                    for kx in 0..kernel {
                        let row = (y * w.stride + ky) as isize - w.padding as isize;
                        let column = (x * w.stride + kx) as isize - w.padding as isize;
                        let inside =
                            (0..height as isize).contains(&row) && (0..width as isize).contains(&column);
                        let code = if inside {
                            codes[[f, i, row as usize, column as usize]]
                        } else {
                            w.border.of(i).into()
                        };
                        *sum += i64::from(code) * i64::from(weight[[o, i, ky, kx]]);
                    }
                }
            }
        }
        acc
    }

    fn filled(shape: [usize; 4], low: i64, range: i64, seed: i64) -> Array4<i32> {
        let mut state = seed;
        Array4::from_shape_simple_fn(shape, || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (low + (state >> 33).rem_euclid(range)) as i32
        })
    }

    proptest! {
        #[test]
        fn equals_seven_loops(
            (kernel, padding) in (1usize..6).prop_flat_map(|k| (Just(k), 0..k)),
            size in prop::array::uniform2(5usize..9),
            channels in prop::array::uniform2(1usize..5),
            frames in 1usize..3,
            stride in 1usize..4,
            border in any::<[u8; 4]>(),
            seed in any::<i64>(),
        ) {
            let codes = filled([frames, channels[0], size[0], size[1]], 0, 256, seed);
            let weight = filled([channels[1], channels[0], kernel, kernel], -255, 511, seed ^ 5);
            let border = Border::new(&border[..channels[0]]).unwrap();
            let window = Window { stride, padding, border };
            prop_assert_eq!(accumulate(codes.view(), weight.view(), window), naive(&codes, &weight, window));
        }
    }

    #[test]
    fn many_channels_do_not_overflow() {
        let channels = 3 * CHANNEL_BLOCK + 1;
        let codes = Array4::from_elem((1, channels, 1, 1), 255);
        let weight = Array4::from_elem((1, channels, 1, 1), -255);
        let acc = accumulate(codes.view(), weight.view(), Window { stride: 1, padding: 0, border: 0.into() });
        assert_eq!(acc[[0, 0, 0, 0]], -255 * 255 * channels as i64);
    }

    #[test]
    fn one_frame_serves_all_steps() {
        let acc = array![[[[10i64]], [[-7]]]];
        let mantissa = array![[2, 1], [-3, 5], [32767, -32768]];
        let bias = array![[1, 0], [0, 100], [0, 0]];
        let q = Requantizer { mantissa: mantissa.view(), bias: bias.view(), shift: 2, membrane_bits: 12 };
        // 20/4, -7/4; -30/4 (ties up), -35/4; 81917.5, 57344 saturate
        let expected = array![[[[6]], [[-2]]], [[[-7]], [[91]]], [[[2047]], [[2047]]]];
        assert_eq!(requantize(acc.view(), &q), expected);
    }
}
