//! The operators of a model and their parameters.

use crate::layers::batch_norm::{BatchNorm, Running};
use crate::layers::conv::Conv;
use crate::layers::lif::Lif;
use crate::layers::linear::Linear;
use crate::layers::membrane::MembraneNorm;
use crate::layers::neuron::Neuron;
use crate::layers::param::Param;
use crate::layers::pool::{AvgPool, GlobalAvgPool, MaxPool};
use crate::layers::seca::Seca;
use crate::{Extents, Float};
use empf_ir::{Node, Op, Shape, Window};
use rand::Rng;
use rand_pcg::Pcg64;

/// One operator of a model.
#[derive(Debug)]
pub(crate) enum Layer<F> {
    Conv(Conv<F>),
    BatchNorm(BatchNorm<F>),
    Neuron(Box<Neuron<F>>),
    Lif(Lif<F>),
    AvgPool(AvgPool),
    GlobalAvgPool(GlobalAvgPool),
    MaxPool(MaxPool),
    Seca(Seca<F>),
    Linear(Linear<F>),
    Add,
}

impl<F: Float> Layer<F> {
    /// The operator of `node` for maps of shape `input`, with freshly drawn weights.
    pub(crate) fn new(
        node: &Node<Op>,
        input: Shape,
        time_steps: usize,
        layer_wide: bool,
        rng: &mut Pcg64,
    ) -> Self {
        match node.op {
            Op::Conv { out_channels, kernel, stride, padding, weights } => {
                let window = Window { kernel, stride, padding };
                let value = draw(rng, he(input.channels * kernel * kernel));
                Layer::Conv(Conv::new(input.channels, out_channels, window, weights, value))
            }
            Op::BatchNorm { eps } => {
                Layer::BatchNorm(BatchNorm::new(input.channels, time_steps, decimal(eps)))
            }
            Op::Neuron { version, eps } => {
                let eps = decimal(eps);
                Layer::Neuron(Box::new(Neuron::new(version, time_steps, input.channels, layer_wide, eps)))
            }
            Op::Lif { leak, threshold } => {
                Layer::Lif(Lif::new(F::of(decimal(leak)), F::of(decimal(threshold)), input.channels))
            }
            Op::AvgPool { kernel, stride } => Layer::AvgPool(AvgPool { kernel, stride }),
            Op::GlobalAvgPool => Layer::GlobalAvgPool(GlobalAvgPool),
            Op::MaxPool { kernel, stride, padding } => {
                Layer::MaxPool(MaxPool(Window { kernel, stride, padding }))
            }
            Op::Seca { kernel } => Layer::Seca(Seca::new(kernel, draw(rng, neutral(kernel)))),
            Op::Linear { out_features } => {
                let map =
                    Extents { images: 1, height: input.height, width: input.width, channels: input.channels };
                Layer::Linear(Linear::new(map, out_features, draw(rng, he(input.elements()))))
            }
            Op::Add => Layer::Add,
        }
    }

    /// Whether it keeps a potential from one time-step to the next.
    pub(crate) fn keeps_potential(&self) -> bool {
        match self {
            Layer::Neuron(l) => l.lambda.is_some(),
            layer => matches!(layer, Layer::Lif(_)),
        }
    }

    /// Learnable tensors by name.
    pub(crate) fn params(&self) -> Vec<(&'static str, &Param<F>)> {
        match self {
            Layer::Conv(l) => vec![("weight", &l.weight)],
            Layer::BatchNorm(l) => vec![("gamma", &l.gamma), ("bias", &l.bias)],
            Layer::Neuron(l) => {
                let Neuron { lambda, theta, membrane, .. } = &**l;
                let mut params: Vec<_> = lambda.iter().map(|p| ("lambda", p)).collect();
                params.push(("theta", theta));
                if let Some(n) = membrane {
                    params.extend([("alpha", &n.alpha), ("beta", &n.beta), ("gamma", &n.gamma), ("b", &n.b)]);
                }
                params
            }
            Layer::Linear(l) => vec![("weight", &l.weight), ("bias", &l.bias)],
            Layer::Seca(l) => vec![("weight", &l.weight)],
            Layer::Lif(_) | Layer::AvgPool(_) | Layer::GlobalAvgPool(_) | Layer::MaxPool(_) | Layer::Add => {
                vec![]
            }
        }
    }

    /// As [`Layer::params`].
    pub(crate) fn params_mut(&mut self) -> Vec<(&'static str, &mut Param<F>)> {
        match self {
            Layer::Conv(l) => vec![("weight", &mut l.weight)],
            Layer::BatchNorm(l) => vec![("gamma", &mut l.gamma), ("bias", &mut l.bias)],
            Layer::Neuron(l) => {
                let Neuron { lambda, theta, membrane, .. } = &mut **l;
                let mut params: Vec<_> = lambda.iter_mut().map(|p| ("lambda", p)).collect();
                params.push(("theta", theta));
                if let Some(MembraneNorm { alpha, beta, gamma, b, .. }) = membrane {
                    params.extend([("alpha", alpha), ("beta", beta), ("gamma", gamma), ("b", b)]);
                }
                params
            }
            Layer::Linear(l) => vec![("weight", &mut l.weight), ("bias", &mut l.bias)],
            Layer::Seca(l) => vec![("weight", &mut l.weight)],
            Layer::Lif(_) | Layer::AvgPool(_) | Layer::GlobalAvgPool(_) | Layer::MaxPool(_) | Layer::Add => {
                vec![]
            }
        }
    }

    /// Moments that follow the data instead of a gradient.
    pub(crate) fn running(&self) -> Option<&Running<F>> {
        match self {
            Layer::BatchNorm(l) => Some(&l.running),
            Layer::Neuron(l) => l.membrane.as_ref().map(|n| &n.running),
            _ => None,
        }
    }

    /// As [`Layer::running`].
    pub(crate) fn running_mut(&mut self) -> Option<&mut Running<F>> {
        match self {
            Layer::BatchNorm(l) => Some(&mut l.running),
            Layer::Neuron(l) => l.membrane.as_mut().map(|n| &mut n.running),
            _ => None,
        }
    }
}

/// Initial weights: uniform in `-bound..bound`.
fn draw<F: Float>(rng: &mut Pcg64, bound: f64) -> impl FnMut(usize) -> F {
    move |_| F::of(rng.random_range(-bound..bound))
}

/// Bound of the variance that keeps a rectified signal's power (He). Of sign weights only the signs matter at first,
/// and a small |w| lets training flip them.
fn he(fan_in: usize) -> f64 {
    (6.0 / fan_in as f64).sqrt()
}

/// Bound of weights whose sum over random signs has a variance of 1/3: at first attention only leans to some channels.
fn neutral(kernel: usize) -> f64 {
    1.0 / (kernel as f64).sqrt()
}

/// The double that has `x`'s shortest decimal form: 1e-5 in `f32` means 1e-5.
fn decimal(x: f32) -> f64 {
    x.to_string().parse().unwrap_or(f64::from(x))
}
