//! Learnable tensors with their gradients.

use crate::Float;

/// How a parameter's elements are ordered in memory, relative to its public row-major shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// As in the public shape.
    Plain,
    /// Public `[out, inner, positions]`, in memory `[positions, inner, out]`: what a product with
    /// channels-last maps reads. A convolution's positions are its window, a classifier's are its map.
    Reversed { out: usize, inner: usize, positions: usize },
}

/// A learnable tensor.
#[derive(Clone, Debug)]
pub struct Param<F> {
    /// Public shape, outermost axis first.
    pub shape: Vec<usize>,
    /// Values, in the layer's own order.
    pub value: Vec<F>,
    /// Gradient of the loss, accumulated over the time-steps of a batch; same order as `value`.
    pub grad: Vec<F>,
    /// Whether weight decay applies.
    pub decay: bool,
    pub(crate) layout: Layout,
}

impl<F: Float> Param<F> {
    pub(crate) fn new(shape: Vec<usize>, value: Vec<F>, decay: bool, layout: Layout) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), value.len());
        Param { grad: vec![F::zero(); value.len()], shape, value, decay, layout }
    }

    pub(crate) fn filled(shape: Vec<usize>, value: f64) -> Self {
        let size = shape.iter().product();
        Param::new(shape, vec![F::of(value); size], false, Layout::Plain)
    }

    /// Index in memory of public element `i`.
    fn place(&self, i: usize) -> usize {
        match self.layout {
            Layout::Plain => i,
            Layout::Reversed { out, inner, positions } => {
                let (o, k, p) = (i / (inner * positions), i / positions % inner, i % positions);
                (p * inner + k) * out + o
            }
        }
    }

    /// Elements of `data`, which lies in the layer's order as `value` and `grad` do, in public order.
    pub fn public(&self, data: &[F]) -> Vec<F> {
        (0..data.len()).map(|i| data[self.place(i)]).collect()
    }

    /// Sets the values from public order; `values` has as many elements.
    pub(crate) fn assign(&mut self, values: impl Iterator<Item = F>) {
        for (i, value) in values.enumerate() {
            let at = self.place(i);
            self.value[at] = value;
        }
    }

    /// Values of a `[T, C]` or `[T, 1]` parameter at time-step `t`, one a channel.
    pub(crate) fn at_step(&self, t: usize, channels: usize) -> Vec<F> {
        let width = self.shape[1];
        (0..channels).map(|c| self.value[t * width + c % width]).collect()
    }

    /// Adds a sum a channel to the gradient of a `[T, C]` or `[T, 1]` parameter at time-step `t`.
    pub(crate) fn add_at_step(&mut self, t: usize, sums: &[f64]) {
        let width = self.shape[1];
        for (c, sum) in sums.iter().enumerate() {
            self.grad[t * width + c % width] += F::of(*sum);
        }
    }

    pub(crate) fn clear_grad(&mut self) {
        self.grad.fill(F::zero());
    }
}
