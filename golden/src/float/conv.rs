//! Convolution and linear layer.

use ndarray::{Array1, Array4, ArrayView1, ArrayView2, ArrayView4, s};

/// Convolution without bias over a border of zeros. `weight` is `[C, C_in, kernel, kernel]`.
pub fn conv(x: ArrayView4<f64>, weight: ArrayView4<f64>, stride: usize, padding: usize) -> Array4<f64> {
    let (frames, _, height, width) = x.dim();
    let (channels, _, kernel, _) = weight.dim();
    let along = |size: usize| (size + 2 * padding - kernel) / stride + 1;
    // Channels innermost: the loop over output channels vectorises.
    let taps = weight.permuted_axes([2, 3, 1, 0]).as_standard_layout().into_owned();
    let x = x.permuted_axes([0, 2, 3, 1]).as_standard_layout().into_owned();
    let mut result = Array4::zeros((frames, along(height), along(width), channels));
    let mut sums = vec![0.0; channels];
    for (f, y, column) in ndarray::indices((frames, along(height), along(width))) {
        sums.fill(0.0);
        for (ky, kx) in ndarray::indices((kernel, kernel)) {
            let (row, col) = (y * stride + ky, column * stride + kx);
            let inside =
                (padding..height + padding).contains(&row) && (padding..width + padding).contains(&col);
            if inside {
                let seen = x.slice(s![f, row - padding, col - padding, ..]);
                add_products(seen, taps.slice(s![ky, kx, .., ..]), &mut sums);
            }
        }
        result.slice_mut(s![f, y, column, ..]).assign(&ArrayView1::from(&sums));
    }
    result.permuted_axes([0, 3, 1, 2]).as_standard_layout().into_owned()
}

/// `sums[o] += sum over i of seen[i] * tap[i][o]`.
fn add_products(seen: ArrayView1<f64>, tap: ArrayView2<f64>, sums: &mut [f64]) {
    for (value, weights) in seen.iter().zip(tap.outer_iter()) {
        if *value != 0.0 {
            for (sum, w) in sums.iter_mut().zip(weights) {
                *sum += value * w;
            }
        }
    }
}

/// `W x + b` of every frame; `weight` is `[out, C * H * W]`. The result is `[frame, out, 1, 1]`.
pub(super) fn linear(x: ArrayView4<f64>, weight: ArrayView2<f64>, bias: &[f32]) -> Array4<f64> {
    let frames: Vec<Array1<f64>> = x.outer_iter().map(|f| f.iter().copied().collect()).collect();
    Array4::from_shape_fn((frames.len(), bias.len(), 1, 1), |(f, o, _, _)| {
        weight.row(o).dot(&frames[f]) + f64::from(bias[o])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn border_and_stride() {
        let x = Array4::from_shape_fn((1, 1, 3, 3), |(_, _, y, x)| (3 * y + x) as f64);
        let weight = Array4::from_shape_fn((1, 1, 3, 3), |(_, _, y, x)| if y == x { 1.0 } else { 0.5 });
        let y = conv(x.view(), weight.view(), 2, 1);
        // Window (0, 0) sees rows 0..2 and columns 0..2 through taps 1..3 of either side.
        let expected = array![[[
            [0.0 + 0.5 + 1.5 + 4.0, 0.5 + 2.0 + 2.0 + 2.5],
            [1.5 + 2.0 + 6.0 + 3.5, 4.0 + 2.5 + 3.5 + 8.0]
        ]]];
        assert_eq!(y, expected);
    }

    #[test]
    fn channels_are_summed() {
        let x = Array4::from_shape_vec((2, 2, 1, 1), vec![1.0, 2.0, 3.0, 4.0]).unwrap();
        let weight = Array4::from_shape_vec((2, 2, 1, 1), vec![1.0, 10.0, -1.0, 0.5]).unwrap();
        let y = conv(x.view(), weight.view(), 1, 0);
        assert_eq!(y.into_raw_vec_and_offset().0, [21.0, 0.0, 43.0, -1.0]);
    }

    #[test]
    fn linear_of_each_frame() {
        let x = Array4::from_shape_vec((2, 2, 1, 1), vec![1.0, 2.0, 3.0, 4.0]).unwrap();
        let y = linear(x.view(), array![[1.0, -2.0]].view(), &[0.25]);
        assert_eq!(y.into_raw_vec_and_offset().0, [-2.75, -4.75]);
    }
}
