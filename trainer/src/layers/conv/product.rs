//! Products of matrices that transforms have laid out: on AVX-512, where the processor has it, without another
//! copy of the operands.

use super::lanes::LANES;
use super::word::{Pair, Word};
use crate::Float;
use crate::layers::matmul::{Matrix, matmul};

/// Columns of a panel: four registers of 16 sums.
const PANEL: usize = 64;

/// Left operand: word `(m, k)` at `m * row + k * depth`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left<'a, W> {
    pub(super) words: &'a [W],
    pub(super) row: usize,
    pub(super) depth: usize,
}

/// Extents of a product in words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    /// Rows of the left operand.
    pub(super) rows: usize,
    /// Words that are summed over.
    pub(super) depth: usize,
    /// Columns of the right operand, a multiple of 16.
    pub(super) columns: usize,
}

/// Products of words.
pub(super) trait Multiply<F: Float>: Word<F> {
    /// Columns of a panel of the right operand, which is laid out panel after panel as `[depth, panel]`; the last
    /// panel may be narrower.
    fn panel(columns: usize) -> usize;

    /// `out = a b`, or `out += a b` where `accumulate`; `out` is row-major.
    fn multiply(size: Size, a: Left<'_, Self>, b: &[Self], out: &mut [F], accumulate: bool);
}

/// Where a right operand holds word `(k, column)`.
pub(super) fn place_in_panels(
    panel: usize,
    Size { depth, columns, .. }: Size,
    k: usize,
    column: usize,
) -> usize {
    let first = column / panel * panel;
    first * depth + k * panel.min(columns - first) + column - first
}

/// Whether numbers of type `F` are multiplied in panels.
fn has_panels<F: Float>() -> bool {
    #[cfg(target_arch = "x86_64")]
    return F::f32s(&[]).is_some() && is_x86_feature_detected!("avx512f");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

impl<F: Float> Multiply<F> for F {
    fn panel(columns: usize) -> usize {
        if has_panels::<F>() { PANEL } else { columns }
    }

    fn multiply(size: Size, a: Left<'_, F>, b: &[F], out: &mut [F], accumulate: bool) {
        #[cfg(target_arch = "x86_64")]
        if has_panels::<F>()
            && let (Some(words), Some(b), Some(out)) = (F::f32s(a.words), F::f32s(b), F::f32s_mut(out))
        {
            check(size, a, b.len(), out.len());
            // SAFETY: AVX-512 was detected, and `check` keeps every access inside its slice.
            unsafe {
                let operands = [words.as_ptr(), b.as_ptr()];
                single::multiply(size, operands, [a.row, a.depth], out.as_mut_ptr(), accumulate);
            }
            return;
        }
        let Size { rows, depth, columns } = size;
        let left = match a.depth {
            1 => Matrix::new(&a.words[..rows * depth], rows, depth),
            _ => Matrix::new(&a.words[..depth * rows], depth, rows).transposed(),
        };
        matmul(out, left, Matrix::new(b, depth, columns), accumulate);
    }
}

/// Whether the processor multiplies pairs.
pub(crate) fn has_pairs() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

impl<F: Float> Multiply<F> for Pair {
    fn panel(_: usize) -> usize {
        PANEL
    }

    fn multiply(size: Size, a: Left<'_, Pair>, b: &[Pair], out: &mut [F], accumulate: bool) {
        check(size, a, b.len(), out.len());
        #[cfg(target_arch = "x86_64")]
        if has_pairs()
            && let Some(out) = F::f32s_mut(out)
        {
            let operands = [a.words.as_ptr(), b.as_ptr()];
            // SAFETY: AVX-512 with bf16 was detected, and `check` keeps every access inside its slice.
            unsafe {
                pairs::multiply(size, operands, [a.row, a.depth], out.as_mut_ptr(), accumulate);
            }
            return;
        }
        let Size { depth, columns, .. } = size;
        for (i, out) in out.iter_mut().enumerate() {
            let (row, column) = (i / columns, i % columns);
            let before = if accumulate { *out } else { F::zero() };
            *out = (0..depth).fold(before, |sum, k| {
                let a = a.words[row * a.row + k * a.depth].numbers();
                let b = b[place_in_panels(PANEL, size, k, column)].numbers();
                sum + F::of(f64::from(a[0]) * f64::from(b[0])) + F::of(f64::from(a[1]) * f64::from(b[1]))
            });
        }
    }
}

/// Panics unless the operands hold what a product of `size` reads and writes.
fn check<W>(Size { rows, depth, columns }: Size, a: Left<'_, W>, b: usize, out: usize) {
    let last = (rows.max(1) - 1) * a.row + (depth.max(1) - 1) * a.depth;
    assert!(last < a.words.len(), "left operand");
    assert!(
        b == depth * columns && out == rows * columns && columns.is_multiple_of(LANES),
        "right operand, result"
    );
}

/// Sums of 6 rows and 64 columns are kept in registers, and each word of the left operand meets 64 of the right.
#[cfg(target_arch = "x86_64")]
macro_rules! register_tiles {
    ($name:ident, $word:ty, $features:literal, $multiply_add:expr) => {
        mod $name {
            use super::{LANES, PANEL, Size};
            use std::arch::x86_64::*;

            /// Rows of a tile: 6 x 4 sums, 4 words and a broadcast one fill 29 of 32 registers.
            const ROWS: usize = 6;

            /// # Safety
            ///
            /// The processor has the features of the name, and the operands of a product of `size` lie at
            /// `operands`, the left one with the given strides, and at `out`.
            #[target_feature(enable = $features)]
            pub(super) unsafe fn multiply(
                size: Size,
                [a, b]: [*const $word; 2],
                strides: [usize; 2],
                out: *mut f32,
                accumulate: bool,
            ) {
                let Size { rows, depth, columns } = size;
                for first in (0..columns).step_by(PANEL) {
                    let width = PANEL.min(columns - first);
                    for row in (0..rows).step_by(ROWS) {
                        // SAFETY: panels and rows cut the product of `size` into parts.
                        unsafe {
                            let (a, b) = (a.add(row * strides[0]), b.add(first * depth));
                            let out = out.add(row * columns + first);
                            let tile = match (ROWS.min(rows - row), width / LANES) {
                                (6, 4) => tile::<6, 4>,
                                (6, 3) => tile::<6, 3>,
                                (6, 2) => tile::<6, 2>,
                                (6, _) => tile::<6, 1>,
                                (left, registers) => {
                                    for i in 0..left {
                                        let one = match registers {
                                            4 => tile::<1, 4>,
                                            3 => tile::<1, 3>,
                                            2 => tile::<1, 2>,
                                            _ => tile::<1, 1>,
                                        };
                                        let (a, out) = (a.add(i * strides[0]), out.add(i * columns));
                                        one(depth, [a, b], strides, out, columns, accumulate);
                                    }
                                    continue;
                                }
                            };
                            tile(depth, [a, b], strides, out, columns, accumulate);
                        }
                    }
                }
            }

            /// # Safety
            ///
            /// As [`multiply`], for a product of `N` rows and `16 R` columns.
            #[target_feature(enable = $features)]
            unsafe fn tile<const N: usize, const R: usize>(
                depth: usize,
                [a, b]: [*const $word; 2],
                strides: [usize; 2],
                out: *mut f32,
                out_row: usize,
                accumulate: bool,
            ) {
                let mut sums = [[_mm512_setzero_ps(); R]; N];
                // SAFETY: the caller's product has these rows, columns and words.
                unsafe {
                    for k in 0..depth {
                        let mut right = [_mm512_setzero_ps(); R];
                        for (r, right) in right.iter_mut().enumerate() {
                            *right = _mm512_loadu_ps(b.add((k * R + r) * LANES).cast());
                        }
                        for (n, sums) in sums.iter_mut().enumerate() {
                            let left = _mm512_set1_ps(*a.add(n * strides[0] + k * strides[1]).cast::<f32>());
                            for (sum, right) in sums.iter_mut().zip(right) {
                                *sum = $multiply_add(*sum, left, right);
                            }
                        }
                    }
                    for (n, sums) in sums.iter().enumerate() {
                        for (r, sum) in sums.iter().enumerate() {
                            let to = out.add(n * out_row + r * LANES);
                            let before = if accumulate { _mm512_loadu_ps(to) } else { _mm512_setzero_ps() };
                            _mm512_storeu_ps(to, _mm512_add_ps(before, *sum));
                        }
                    }
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
register_tiles!(single, f32, "avx512f", |sum, a, b| _mm512_fmadd_ps(a, b, sum));
#[cfg(target_arch = "x86_64")]
register_tiles!(pairs, super::Pair, "avx512f,avx512bf16", |sum, a, b| {
    _mm512_dpbf16_ps(
        sum,
        std::mem::transmute::<__m512, __m512bh>(a),
        std::mem::transmute::<__m512, __m512bh>(b),
    )
});

#[cfg(test)]
mod tests {
    use super::*;

    /// Both layouts of the left operand, rows and columns that do not fill a tile, with and without adding.
    fn check_product<F: Float, W: Multiply<F>>(word: impl Fn(usize) -> (W, Vec<f64>)) {
        for (rows, depth, columns) in [(1, 1, 16), (6, 5, 64), (7, 3, 48), (13, 4, 96), (25, 9, 144)] {
            let size = Size { rows, depth, columns };
            let panel = W::panel(columns);
            let mut b = vec![W::default(); depth * columns];
            for k in 0..depth {
                for column in 0..columns {
                    b[place_in_panels(panel, size, k, column)] = word(k * 31 + column * 7).0;
                }
            }
            for (row, step) in [(depth, 1), (1, rows)] {
                let mut words = vec![W::default(); rows * depth];
                (0..rows * depth).for_each(|i| words[i / depth * row + i % depth * step] = word(i).0);
                for accumulate in [false, true] {
                    let mut out = vec![F::one(); rows * columns];
                    W::multiply(size, Left { words: &words, row, depth: step }, &b, &mut out, accumulate);
                    for (i, value) in out.iter().enumerate() {
                        let (m, n) = (i / columns, i % columns);
                        let term = |k: usize| {
                            let (a, b) = (word(m * depth + k).1, word(k * 31 + n * 7).1);
                            a.iter().zip(&b).map(|(a, b)| a * b).sum::<f64>()
                        };
                        let expected: f64 =
                            (0..depth).map(term).sum::<f64>() + f64::from(u8::from(accumulate));
                        assert_eq!(value.f64(), expected, "{size:?}, row {m}, column {n}");
                    }
                }
            }
        }
    }

    fn number(i: usize) -> f64 {
        (i * 37 % 23) as f64 - 11.0
    }

    #[test]
    fn products_of_numbers() {
        check_product::<f64, f64>(|i| (number(i), vec![number(i)]));
        check_product::<f32, f32>(|i| (number(i) as f32, vec![number(i)]));
    }

    #[test]
    fn products_of_pairs() {
        let word = |i| {
            let (first, second) = (number(i), number(i + 5));
            (Pair::pack([first; LANES], [second; LANES])[0], vec![first, second])
        };
        check_product::<f32, Pair>(word);
        check_product::<f64, Pair>(word);
    }
}
