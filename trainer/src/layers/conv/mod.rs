//! 2-D convolution with float or sign weights.

mod lanes;
mod method;
mod product;
mod tiles;
mod transform;
mod unfolded;
mod winograd;
mod word;

use crate::layers::param::{Layout, Param};
use crate::{Extents, Float, Tensor};
use empf_ir::{WeightKind, Window};
use method::Method;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use unfolded::Unfolded;
use winograd::Winograd;
use word::Pair;

/// Most parts into which a batch is cut for the weight gradient. Each is summed by itself and the parts are
/// added in order, so the result does not depend on the number of cores.
const GRADIENT_PARTS: usize = 8;
/// Least positions of a part, which are worth a gradient of their own.
const GRADIENT_POSITIONS: usize = 512;

/// Numbers that large convolutions multiply; sums have the trainer's own type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// The trainer's own type.
    #[default]
    Full,
    /// Maps and gradients are rounded to bf16: the 8 leading bits. +-1 is exact.
    Bf16,
}

impl Precision {
    /// Whether the processor has instructions for it.
    pub fn is_native(self) -> bool {
        self == Precision::Full || product::has_pairs()
    }
}

/// `Sign(w)` with `Sign(0) = +1`.
pub(crate) fn sign<F: Float>(w: F) -> F {
    if w >= F::zero() { F::one() } else { -F::one() }
}

/// Convolution without bias (`I = W s`).
#[derive(Debug)]
pub struct Conv<F> {
    /// Window of each side.
    pub window: Window,
    /// Float or sign.
    pub kind: WeightKind,
    /// `[out, in, kernel, kernel]`; for sign weights the real numbers behind the signs.
    pub weight: Param<F>,
    in_channels: usize,
    out_channels: usize,
    precision: Precision,
    signs: Vec<F>,
    method: Box<dyn Method<F>>,
}

impl<F: Float> Conv<F> {
    /// With weights `value(i)` for element `i` of `[out, in, kernel, kernel]`.
    pub fn new(
        in_channels: usize,
        out_channels: usize,
        window: Window,
        kind: WeightKind,
        value: impl FnMut(usize) -> F,
    ) -> Self {
        let positions = window.kernel * window.kernel;
        let shape = vec![out_channels, in_channels, window.kernel, window.kernel];
        let size = shape.iter().product();
        let layout = Layout::Reversed { out: out_channels, inner: in_channels, positions };
        let mut weight = Param::new(shape, vec![F::zero(); size], true, layout);
        weight.assign((0..size).map(value));
        let precision = Precision::default();
        let method = method(window, in_channels, out_channels, precision);
        Conv { window, kind, weight, in_channels, out_channels, precision, signs: vec![], method }
    }

    /// Multiplies in `precision` from the next [`Conv::prepare`] on, where the convolution is of the kind that
    /// it serves.
    pub fn set_precision(&mut self, precision: Precision) {
        self.precision = precision;
        self.method = method(self.window, self.in_channels, self.out_channels, precision);
    }

    /// What it multiplies in.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Takes the signs of the weights; once after they have changed, before the next pass.
    pub fn prepare(&mut self) {
        if self.kind == WeightKind::Sign {
            self.signs.clear();
            self.signs.extend(self.weight.value.iter().map(|w| sign(*w)));
        }
        let Conv { kind, weight, signs, method, .. } = self;
        method.prepare(effective(*kind, weight, signs));
    }

    fn effective(&self) -> &[F] {
        effective(self.kind, &self.weight, &self.signs)
    }

    /// Extents of the result for an input of extents `x`.
    pub fn output_extents(&self, x: Extents) -> Extents {
        Extents {
            images: x.images,
            height: self.window.positions(x.height),
            width: self.window.positions(x.width),
            channels: self.out_channels,
        }
    }

    /// `y = W x`.
    pub fn forward(&self, x: &Tensor<F>, y: &mut Tensor<F>) {
        y.resize(self.output_extents(x.extents));
        self.method.forward(self.effective(), x, y);
    }

    /// Adds `dL/dW`, where for sign weights only `-1 <= w <= 1` passes (clipped straight-through), and
    /// writes `dL/dx` to `grad_in` where it is asked for, adding when `accumulate`.
    pub fn backward(&mut self, x: &Tensor<F>, grad_out: &Tensor<F>, grad_in: Option<(&mut Tensor<F>, bool)>) {
        if let Some((grad_in, accumulate)) = grad_in {
            grad_in.resize(x.extents);
            self.method.input_gradient(self.effective(), grad_out, grad_in, accumulate);
        }
        let parts = self.weight_gradient_parts(x, grad_out);
        let clip = self.kind == WeightKind::Sign;
        let Param { value, grad, .. } = &mut self.weight;
        for part in parts {
            for ((g, p), w) in grad.iter_mut().zip(&part).zip(value.iter()) {
                if !clip || w.abs() <= F::one() {
                    *g += *p;
                }
            }
        }
    }

    fn weight_gradient_parts(&self, x: &Tensor<F>, grad_out: &Tensor<F>) -> Vec<Vec<F>> {
        let (xe, ye) = (x.extents, grad_out.extents);
        let images = ye.images.div_ceil(GRADIENT_PARTS).max(GRADIENT_POSITIONS.div_ceil(ye.positions()));
        let parts = x.data.par_chunks(images * xe.image()).zip(grad_out.data.par_chunks(images * ye.image()));
        parts
            .map(|(x, g)| {
                let mut sum = vec![F::zero(); self.weight.value.len()];
                self.method.weight_gradient((x, xe), (g, ye), &mut sum);
                sum
            })
            .collect()
    }
}

fn effective<'a, F>(kind: WeightKind, weight: &'a Param<F>, signs: &'a [F]) -> &'a [F] {
    match kind {
        WeightKind::Float => &weight.value,
        WeightKind::Sign => signs,
    }
}

fn method<F: Float>(window: Window, from: usize, to: usize, precision: Precision) -> Box<dyn Method<F>> {
    if precision == Precision::Bf16 && winograd::applies::<F, Pair>(window, from, to) {
        Box::new(Winograd::<F, Pair>::new(window.padding, from, to))
    } else if winograd::applies::<F, F>(window, from, to) {
        Box::new(Winograd::<F, F>::new(window.padding, from, to))
    } else {
        Box::new(Unfolded::new(window, from, to))
    }
}
