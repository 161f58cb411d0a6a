//! The operators of a model, as the device sees them.

use super::buffer::Buffer;
use super::conv::Conv;
use super::lif::Lif;
use super::linear::Linear;
use super::neuron::Neuron;
use super::norm::{BatchNorm, MembraneNorm, Running, Slopes};
use super::pool::{GlobalAvgPool, WindowPool};
use super::seca::Seca;
use super::state::Places;
use crate::Float;
use crate::layers::conv::Precision;
use crate::layers::layer;
use empf_ir::{WeightKind, Window};

/// One operator of a model.
#[derive(Debug)]
pub(super) enum Layer<F> {
    Conv(Conv<F>),
    BatchNorm(BatchNorm<F>),
    Neuron(Box<Neuron<F>>),
    Lif(Lif<F>),
    WindowPool(WindowPool<F>),
    GlobalAvgPool(GlobalAvgPool),
    Seca(Seca<F>),
    Linear(Linear<F>),
    Add,
}

impl<F: Float> Layer<F> {
    /// The operator of `host`, whose tensors lie where `places` says.
    pub(super) fn new(host: &layer::Layer<F>, places: &Places<F>) -> Self {
        match host {
            layer::Layer::Conv(l) => Layer::Conv(Conv {
                window: l.window,
                kind: l.kind,
                weight: places.param("weight"),
                out_channels: l.weight.shape[0],
                precision: l.precision(),
            }),
            layer::Layer::BatchNorm(l) => Layer::BatchNorm(BatchNorm {
                gains: [places.param("gamma"), places.param("bias")],
                running: places.running(l.running.eps),
                slopes: Slopes::default(),
            }),
            layer::Layer::Neuron(l) => Layer::Neuron(Box::new(Neuron {
                lambda: l.lambda.is_some().then(|| places.param("lambda")),
                theta: places.param("theta"),
                membrane: l.membrane.as_ref().map(|norm| membrane(places.running(norm.running.eps), places)),
                gradient: Buffer::default(),
            })),
            layer::Layer::Lif(l) => Layer::Lif(Lif { leak: l.leak, threshold: l.threshold }),
            layer::Layer::AvgPool(l) => Layer::WindowPool(WindowPool::average(l.kernel, l.stride)),
            layer::Layer::GlobalAvgPool(_) => Layer::GlobalAvgPool(GlobalAvgPool),
            layer::Layer::MaxPool(l) => Layer::WindowPool(WindowPool::maximum(l.0)),
            layer::Layer::Seca(l) => Layer::Seca(Seca {
                weight: places.param("weight"),
                kernel: l.weight.value.len(),
                gradients: Buffer::default(),
            }),
            layer::Layer::Linear(l) => Layer::Linear(Linear {
                product: Conv {
                    window: Window { kernel: 1, stride: 1, padding: 0 },
                    kind: WeightKind::Float,
                    weight: places.param("weight"),
                    out_channels: l.bias.value.len(),
                    precision: Precision::Full,
                },
                bias: places.param("bias"),
            }),
            layer::Layer::Add => Layer::Add,
        }
    }

    /// Whether it keeps a potential from one time-step to the next.
    pub(super) fn keeps_potential(&self) -> bool {
        match self {
            Layer::Neuron(l) => l.lambda.is_some(),
            layer => matches!(layer, Layer::Lif(_)),
        }
    }
}

fn membrane<F: Float>(running: Running<F>, places: &Places<F>) -> MembraneNorm<F> {
    MembraneNorm {
        alpha: places.param("alpha"),
        beta: places.param("beta"),
        gains: [places.param("gamma"), places.param("b")],
        running,
        affine: Buffer::default(),
        slopes: Slopes::default(),
    }
}
