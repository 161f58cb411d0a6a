//! Batches of a model on the device.

use super::buffer::{Buffer, Maps, View};
use super::copy::pass_on;
use super::device::Device;
use super::layer::Layer;
use super::state::State;
use super::tape::{Gradient, Moment, Slot};
use crate::error::{Error, Result};
use crate::layers::conv::Precision;
use crate::layers::layer;
use crate::model::{Action, Engine, Frames, Learning, Model, Outcome, Pass};
use crate::{Extents, Float, Tensor};
use empf_ir::Shape;

/// Elements of a tensor that kernels can count.
const MOST_ELEMENTS: usize = i32::MAX as usize;

/// A model's buffers on the device.
#[derive(Debug)]
pub(crate) struct Cuda<F> {
    pub(super) device: Device<F>,
    pub(super) layers: Vec<Layer<F>>,
    /// Of each layer's result.
    pub(super) shapes: Vec<Shape>,
    pub(super) tape: Vec<Vec<Slot<F>>>,
    pub(super) grads: Vec<Gradient<F>>,
    /// Where gradients of the input go.
    pub(super) discard: Gradient<F>,
    state: State<F>,
    inputs: Vec<Maps<F>>,
    targets: Buffer<F>,
    logits: Buffer<F>,
    losses: Buffer<f64>,
}

impl<F: Float> Cuda<F> {
    /// An engine for models like `model`.
    pub(crate) fn new(model: &Model<F>) -> Result<Self> {
        let device = Device::open()?;
        let (state, places) = State::new(&device, &model.layers)?;
        let layers: Vec<Layer<F>> =
            model.layers.iter().zip(&places).map(|(layer, places)| Layer::new(layer, places)).collect();
        Ok(Cuda {
            grads: layers.iter().map(|_| Gradient::default()).collect(),
            device,
            layers,
            shapes: model.graph().shapes()?,
            tape: vec![],
            discard: Gradient::default(),
            state,
            inputs: vec![],
            targets: Buffer::default(),
            logits: Buffer::default(),
            losses: Buffer::default(),
        })
    }

    fn begin(&mut self, model: &Model<F>, depth: usize, frames: Frames<'_, F>) -> Result<()> {
        self.set_precision(model)?;
        self.state.upload(&self.device, &model.layers)?;
        self.tape.resize_with(depth, || self.layers.iter().map(|_| Slot::default()).collect());
        for gradient in &mut self.grads {
            (gradient.filled, gradient.carries) = (false, false);
        }
        let frames = match &frames {
            Frames::Static(x) => std::slice::from_ref(*x),
            Frames::PerStep(frames) => frames,
        };
        self.check_size(frames[0].extents.images)?;
        self.inputs.resize_with(frames.len(), Maps::default);
        for (to, from) in self.inputs.iter_mut().zip(frames) {
            to.resize(&self.device, from.extents)?;
            to.data.fill(&self.device, &from.data)?;
        }
        Ok(())
    }

    /// Convolutions multiply as the model's do.
    fn set_precision(&mut self, model: &Model<F>) -> Result<()> {
        for (layer, host) in self.layers.iter_mut().zip(&model.layers) {
            if let (Layer::Conv(conv), layer::Layer::Conv(host)) = (layer, host) {
                conv.precision = host.precision();
                if conv.precision == Precision::Bf16 && !self.device.has_tensor_cores() {
                    return Err(Error::Gpu("has no tensor cores for bf16".into()));
                }
            }
        }
        Ok(())
    }

    /// Kernels count in 32 bits.
    fn check_size(&self, images: usize) -> Result<()> {
        let most = self.shapes.iter().map(|shape| shape.elements()).max().unwrap_or(0);
        if images * most > MOST_ELEMENTS {
            let message =
                format!("{images} images have more than {MOST_ELEMENTS} elements in a layer on the GPU");
            return Err(Error::Batch(message));
        }
        Ok(())
    }

    fn input(&self, t: usize) -> View<F> {
        self.inputs[if self.inputs.len() == 1 { 0 } else { t }].view()
    }

    /// Keeps the logits of step `t`, which lie in tape entry `at`.
    fn keep_logits(&mut self, t: usize, at: usize, steps: usize) -> Result<Extents> {
        let last = self.layers.len() - 1;
        let logits = self.tape[at][last].output.view();
        let elements = logits.extents.elements();
        let all = self.logits.resize(&self.device, steps * elements)?;
        pass_on(&mut self.device, logits.data, elements, all.skip(t * elements), false)?;
        Ok(logits.extents)
    }

    /// The logits of all steps.
    fn read_logits(&self, steps: usize, extents: Extents) -> Result<Vec<Tensor<F>>> {
        let mut all = vec![F::zero(); steps * extents.elements()];
        self.logits.read(&self.device, &mut all)?;
        Ok(all.chunks(extents.elements()).map(|data| Tensor { extents, data: data.to_vec() }).collect())
    }
}

impl<F: Float> Engine<F> for Cuda<F> {
    fn train_batch(
        &mut self,
        model: &mut Model<F>,
        frames: Frames<'_, F>,
        targets: &[F],
        learning: Learning,
    ) -> Result<Outcome<F>> {
        let steps = model.graph().time_steps;
        let images = frames.at(0).extents.images;
        self.begin(model, learning.depth(steps), frames)?;
        let targets = self.targets.fill(&self.device, targets)?;
        let losses = self.losses.zeros(&self.device, steps * images)?;
        let mut extents = Extents::default();
        for action in learning.actions(steps) {
            match action {
                Action::Forward { t, at } => {
                    let moment = Moment { t, at, input: self.input(t), plans: &model.plans };
                    self.forward_step(moment, Pass::Train, steps, &mut model.roundings)?;
                    extents = self.keep_logits(t, at, steps)?;
                }
                Action::Backward { t, at, weight } => {
                    self.seed_gradient(at, targets, weight, losses.skip(t * images))?;
                    let moment = Moment { t, at, input: self.input(t), plans: &model.plans };
                    self.backward_step(moment, false, learning, &model.roundings)?;
                }
            }
        }
        let moment = Moment { t: 0, at: 0, input: self.input(0), plans: &model.plans };
        self.backward_step(moment, true, learning, &model.roundings)?;
        self.state.download(&self.device, &mut model.layers)?;
        let mut terms = vec![0.0; steps * images];
        self.losses.read(&self.device, &mut terms)?;
        Ok(Outcome { loss: terms.iter().sum(), logits: self.read_logits(steps, extents)? })
    }

    fn evaluate(&mut self, model: &mut Model<F>, frames: Frames<'_, F>) -> Result<Tensor<F>> {
        let steps = model.graph().time_steps;
        self.begin(model, 1, frames)?;
        let mut extents = Extents::default();
        for t in 0..steps {
            let moment = Moment { t, at: 0, input: self.input(t), plans: &model.plans };
            self.forward_step(moment, Pass::Evaluate, steps, &mut model.roundings)?;
            extents = self.keep_logits(t, 0, steps)?;
        }
        let mut sum = Tensor::zeros(extents);
        for logits in self.read_logits(steps, extents)? {
            sum.data.iter_mut().zip(&logits.data).for_each(|(sum, x)| *sum += *x);
        }
        Ok(sum)
    }

    fn is_finite(&self, node: usize) -> Result<bool> {
        for step in &self.tape {
            let output = &step[node].output;
            let mut values = vec![F::zero(); output.extents.elements()];
            output.data.read(&self.device, &mut values)?;
            if values.iter().any(|x| !x.is_finite()) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
