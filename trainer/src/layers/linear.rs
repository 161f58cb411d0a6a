//! The classifier.

use crate::layers::matmul::{Matrix, matmul};
use crate::layers::param::{Layout, Param};
use crate::{Extents, Float, Tensor};

/// `y = W x + b` over the flattened feature map.
#[derive(Debug)]
pub struct Linear<F> {
    /// `[out, C * H * W]`.
    pub weight: Param<F>,
    /// `[out]`.
    pub bias: Param<F>,
}

impl<F: Float> Linear<F> {
    /// For maps of `input`'s rows, columns and channels, with weights `value(i)` for element `i` of
    /// `[out, C * H * W]` and biases of zero.
    pub fn new(input: Extents, out: usize, value: impl FnMut(usize) -> F) -> Self {
        let (inner, positions) = (input.channels, input.positions());
        let size = out * inner * positions;
        let layout = Layout::Reversed { out, inner, positions };
        let mut weight = Param::new(vec![out, inner * positions], vec![F::zero(); size], true, layout);
        weight.assign((0..size).map(value));
        Linear { weight, bias: Param::filled(vec![out], 0.0) }
    }

    fn weights(&self) -> Matrix<'_, F> {
        let out = self.bias.value.len();
        Matrix::new(&self.weight.value, self.weight.value.len() / out, out)
    }

    /// `y = W x + b`.
    pub fn forward(&self, x: &Tensor<F>, y: &mut Tensor<F>) {
        let (images, features, out) = (x.extents.images, x.extents.image(), self.bias.value.len());
        y.resize(Extents { images, height: 1, width: 1, channels: out });
        for row in y.data.chunks_exact_mut(out) {
            row.copy_from_slice(&self.bias.value);
        }
        matmul(&mut y.data, Matrix::new(&x.data, images, features), self.weights(), true);
    }

    /// Adds `dL/dW` and `dL/db` and writes `dL/dx` to `grad_in`, adding when `accumulate`.
    pub fn backward(
        &mut self,
        x: &Tensor<F>,
        grad_out: &Tensor<F>,
        grad_in: &mut Tensor<F>,
        accumulate: bool,
    ) {
        let (images, features, out) = (x.extents.images, x.extents.image(), self.bias.value.len());
        grad_in.resize(x.extents);
        let g = Matrix::new(&grad_out.data, images, out);
        matmul(&mut grad_in.data, g, self.weights().transposed(), accumulate);
        matmul(&mut self.weight.grad, Matrix::new(&x.data, images, features).transposed(), g, true);
        for row in grad_out.data.chunks_exact(out) {
            self.bias.grad.iter_mut().zip(row).for_each(|(b, g)| *b += *g);
        }
    }
}
