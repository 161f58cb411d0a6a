//! Matrix products on the `gemm` crate.

use crate::Float;
use gemm::Parallelism;

/// A strided view of a matrix.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a, F> {
    data: &'a [F],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a, F> Matrix<'a, F> {
    /// `rows` x `cols` elements, row after row.
    pub(crate) fn new(data: &'a [F], rows: usize, cols: usize) -> Self {
        assert_eq!(data.len(), rows * cols, "a {rows}x{cols} matrix");
        Matrix { data, rows, cols, row_stride: cols, col_stride: 1 }
    }

    /// The same elements with rows and columns exchanged.
    pub(crate) fn transposed(self) -> Self {
        Matrix {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }
}

/// `out = a b`, or `out += a b` when `accumulate`; `out` is row-major. Runs on the calling thread.
pub(crate) fn matmul<F: Float>(out: &mut [F], a: Matrix<'_, F>, b: Matrix<'_, F>, accumulate: bool) {
    let (m, k, n) = (a.rows, a.cols, b.cols);
    assert_eq!(k, b.rows, "inner extents of a product");
    assert_eq!(out.len(), m * n, "a {m}x{n} product");
    // SAFETY: `Matrix::new` ties rows, columns and strides to the slice's length and transposition keeps
    // them, `out` was just checked and is exclusively borrowed, so every access lies inside its slice.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            n as isize,
            accumulate,
            a.data.as_ptr(),
            a.col_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.col_stride as isize,
            b.row_stride as isize,
            F::one(),
            F::one(),
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn product_of_transposed_views() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let b = [1.0, 0.0, 2.0, 1.0, 0.0, 3.0];
        let mut out = [10.0; 9];
        matmul(&mut out, Matrix::new(&a, 2, 3).transposed(), Matrix::new(&b, 2, 3), true);
        assert_eq!(out, [15.0, 10.0, 24.0, 17.0, 10.0, 29.0, 19.0, 10.0, 34.0]);
        matmul(&mut out[..4], Matrix::new(&a, 2, 3), Matrix::new(&b, 2, 3).transposed(), false);
        assert_eq!(out[..4], [7.0, 10.0, 16.0, 22.0]);
    }
}
