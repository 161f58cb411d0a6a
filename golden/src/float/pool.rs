//! Average and maximum pooling.

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

/// Maximum over windows; a border of `padding` never wins. Every window meets the map.
pub fn max_pool(x: ArrayView4<f64>, kernel: usize, stride: usize, padding: usize) -> Array4<f64> {
    let (frames, channels, height, width) = x.dim();
    let along = |size: usize| (size + 2 * padding - kernel) / stride + 1;
    let seen = |at: usize, size: usize| {
        let inside = |edge: usize| edge.saturating_sub(padding).min(size);
        inside(at * stride)..inside(at * stride + kernel)
    };
    Array4::from_shape_fn((frames, channels, along(height), along(width)), |(f, c, i, j)| {
        let window = x.slice(s![f, c, seen(i, height), seen(j, width)]);
        window.fold(f64::NEG_INFINITY, |top, value| top.max(*value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn maxima() {
        let x = array![[[[-1.0, -3.0, -9.0], [-5.0, -7.0, 2.0]]]];
        assert_eq!(max_pool(x.view(), 3, 2, 1), array![[[[-1.0, 2.0]]]]);
        assert_eq!(max_pool(x.view(), 2, 1, 0), array![[[[-1.0, 2.0]]]]);
        assert_eq!(max_pool(x.view(), 2, 3, 1), array![[[[-1.0, -9.0]]]]);
    }

    #[test]
    fn means() {
        let x = array![[[[1.0, 3.0, 9.0], [5.0, 7.0, 9.0]]]];
        assert_eq!(avg_pool(x.view(), [2, 2], [2, 2]), array![[[[4.0]]]]);
        assert_eq!(avg_pool(x.view(), [1, 3], [1, 1]), array![[[[13.0 / 3.0], [7.0]]]]);
    }
}
