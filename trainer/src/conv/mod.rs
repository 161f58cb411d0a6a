//! 2-D convolution with float or sign weights.

mod lanes;
mod unfolded;
mod window;
mod winograd;

pub use window::Window;

use crate::parallel::Scratch;
use crate::param::{Layout, Param};
use crate::{Extents, Float, Tensor};
use empf_ir::WeightKind;
use rayon::prelude::*;
use unfolded::Unfolded;
use winograd::Correlation;

/// Parts into which a batch is cut for the weight gradient. Each is summed by itself and the parts are
/// added in order, so the result does not depend on the number of cores.
const GRADIENT_PARTS: usize = 8;

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
    signs: Vec<F>,
    /// `[4, 4, in, out]` where Winograd's tiles serve, else empty.
    transformed: Vec<F>,
    scratch: Scratch<F>,
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
        Conv {
            window,
            kind,
            weight,
            in_channels,
            out_channels,
            signs: vec![],
            transformed: vec![],
            scratch: Scratch::default(),
        }
    }

    /// Takes the signs of the weights; once after they have changed, before the next pass.
    pub fn prepare(&mut self) {
        if self.kind == WeightKind::Sign {
            self.signs.clear();
            self.signs.extend(self.weight.value.iter().map(|w| sign(*w)));
        }
        if self.in_tiles() {
            let mut transformed = std::mem::take(&mut self.transformed);
            winograd::transform_weights(self.effective(), &mut transformed);
            self.transformed = transformed;
        }
    }

    fn in_tiles(&self) -> bool {
        winograd::applies(self.window, self.in_channels, self.out_channels)
    }

    fn effective(&self) -> &[F] {
        match self.kind {
            WeightKind::Float => &self.weight.value,
            WeightKind::Sign => &self.signs,
        }
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
        if self.in_tiles() {
            self.tiles(false, false).apply(x, y);
        } else {
            self.unfolded().forward(self.effective(), x, y);
        }
    }

    /// Adds `dL/dW`, where for sign weights only `-1 <= w <= 1` passes (clipped straight-through), and
    /// writes `dL/dx` to `grad_in` where it is asked for, adding when `accumulate`.
    pub fn backward(&mut self, x: &Tensor<F>, grad_out: &Tensor<F>, grad_in: Option<(&mut Tensor<F>, bool)>) {
        if let Some((grad_in, accumulate)) = grad_in {
            grad_in.resize(x.extents);
            if self.in_tiles() {
                self.tiles(true, accumulate).apply(grad_out, grad_in);
            } else {
                self.unfolded().input_gradient(self.effective(), grad_out, grad_in, accumulate);
            }
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
        let images = ye.images.div_ceil(GRADIENT_PARTS).max(1);
        let parts = x.data.par_chunks(images * xe.image()).zip(grad_out.data.par_chunks(images * ye.image()));
        parts
            .map(|(x, g)| {
                let mut sum = vec![F::zero(); self.weight.value.len()];
                if self.in_tiles() {
                    winograd::weight_gradient(self.window.padding, (x, xe), (g, ye), &self.scratch, &mut sum);
                } else {
                    self.unfolded().weight_gradient((x, xe), (g, ye), &mut sum);
                }
                sum
            })
            .collect()
    }

    /// The convolution in Winograd's tiles, or its gradient by the input.
    fn tiles(&self, gradient: bool, accumulate: bool) -> Correlation<'_, F> {
        let Window { padding, .. } = self.window;
        Correlation {
            transformed: &self.transformed,
            turned: gradient,
            padding: if gradient { 2 - padding } else { padding },
            accumulate,
            scratch: &self.scratch,
        }
    }

    fn unfolded(&self) -> Unfolded<'_, F> {
        let Conv { window, in_channels, out_channels, ref scratch, .. } = *self;
        Unfolded { window, in_channels, out_channels, scratch }
    }
}
