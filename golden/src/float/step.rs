//! Values of single time-steps.

use ndarray::{Array2, Array4, ArrayView3, ArrayView4, Axis};

/// Frame of step `t`; a tensor of one frame is the same at every step.
pub(super) fn frame(x: ArrayView4<f64>, t: usize) -> ArrayView3<f64> {
    let last = x.len_of(Axis(0)) - 1;
    x.index_axis_move(Axis(0), t.min(last))
}

/// `f(step, channel, value)` of every element at every step, `[steps, channel, y, x]`.
pub fn per_step(x: ArrayView4<f64>, steps: usize, f: impl Fn(usize, usize, f64) -> f64) -> Array4<f64> {
    let (_, channels, height, width) = x.dim();
    Array4::from_shape_fn((steps, channels, height, width), |(t, c, i, j)| {
        f(t, c, frame(x.view(), t)[[c, i, j]])
    })
}

/// A parameter of a node, `[T, C]`; what was stored as `[T, 1]` is repeated.
pub(super) fn per_channel(
    network: &empf_ir::Network,
    node: &str,
    name: &str,
    channels: usize,
) -> crate::Result<Array2<f64>> {
    let (shape, values) = network.tensor(node, name)?;
    let columns = shape[1];
    Ok(Array2::from_shape_fn((shape[0], channels), |(t, c)| f64::from(values[t * columns + c % columns])))
}
