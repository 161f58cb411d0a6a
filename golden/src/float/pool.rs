//! Average pooling.

use ndarray::{Array4, ArrayView4, s};

/// Mean over windows without padding; incomplete windows are dropped. `kernel` and `stride` are
/// (height, width).
pub fn avg_pool(x: ArrayView4<f64>, kernel: [usize; 2], stride: [usize; 2]) -> Array4<f64> {
    let (frames, channels, height, width) = x.dim();
    let rows = (height - kernel[0]) / stride[0] + 1;
    let columns = (width - kernel[1]) / stride[1] + 1;
    let elements = (kernel[0] * kernel[1]) as f64;
    Array4::from_shape_fn((frames, channels, rows, columns), |(f, c, i, j)| {
        let (top, left) = (i * stride[0], j * stride[1]);
        x.slice(s![f, c, top..top + kernel[0], left..left + kernel[1]]).sum() / elements
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn means() {
        let x = array![[[[1.0, 3.0, 9.0], [5.0, 7.0, 9.0]]]];
        assert_eq!(avg_pool(x.view(), [2, 2], [2, 2]), array![[[[4.0]]]]);
        assert_eq!(avg_pool(x.view(), [1, 3], [1, 1]), array![[[[13.0 / 3.0], [7.0]]]]);
    }
}
