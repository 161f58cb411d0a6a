//! One time-step forward and backward; as `model/step.rs`.

use super::buffer::{Target, View};
use super::copy::pass_on;
use super::device::Device;
use super::engine::Cuda;
use super::grid::{Chunk, Grid};
use super::kernels;
use super::layer::Layer;
use super::loss::cross_entropy;
use super::neuron::CurrentGradient;
use super::norm::Moments;
use super::norm_view::Current;
use super::pointer::Pointer;
use super::rounding::{clip_gradient, round};
use super::tape::{Moment, Slot};
use crate::error::Result;
use crate::layers::codes::Rounding;
use crate::model::{Learning, Pass, Plan, Source};
use crate::{Extents, Float};
use empf_ir::Shape;

impl<F: Float> Cuda<F> {
    /// Forward of all layers.
    pub(super) fn forward_step(
        &mut self,
        Moment { t, at, input, plans }: Moment<'_, F>,
        pass: Pass,
        steps: usize,
        roundings: &mut [Option<Rounding>],
    ) -> Result<()> {
        for (i, plan) in plans.iter().enumerate() {
            let fixed = plan.fixed(pass);
            if fixed && t > 0 {
                continue;
            }
            let reader = Reader { plans, tape: &self.tape, at, input, pass };
            let (x, current) = (reader.read(plan.inputs[0]), reader.current(plan.inputs[0]));
            let other = plan.inputs.get(1).map(|source| reader.read(*source));
            let (device, layer) = (&mut self.device, &mut self.layers[i]);
            let place = if fixed { 0 } else { at };
            let Shape { channels, height, width } = self.shapes[i];
            let extents = Extents { images: input.extents.images, height, width, channels };
            if layer.keeps_potential() {
                start_potential(device, &mut self.tape, i, t, at, extents.elements())?;
            }
            let Slot { output, norm, potential, attention } = &mut self.tape[place][i];
            let moments = |steps| match pass {
                Pass::Train => Moments::Batch(steps),
                Pass::Evaluate => Moments::Running(t),
            };
            if let Layer::BatchNorm(l) = layer {
                l.normalise(device, x, moments(if fixed { 0..steps } else { t..t + 1 }), norm)?;
                if plan.fused {
                    continue;
                }
            }
            let y = output.resize(device, extents)?;
            match layer {
                Layer::Conv(l) => l.forward(device, x, y)?,
                Layer::BatchNorm(_) => {
                    let current = Current::new(x, Some(norm.view()));
                    device.map(kernels::apply_norm(), Chunk::of(y.extents), (current, y.data))?;
                }
                Layer::Neuron(l) => l.forward(device, t, current, moments(t..t + 1), potential, y)?,
                Layer::Lif(l) => l.forward(device, current, potential, y)?,
                Layer::WindowPool(l) => l.forward(device, x, y)?,
                Layer::GlobalAvgPool(l) => l.forward(device, x, y)?,
                Layer::Seca(l) => l.forward(device, x, attention, y)?,
                Layer::Linear(l) => l.forward(device, x, y)?,
                Layer::Add => {
                    let (elements, other) = (extents.elements(), other.map_or(Pointer::NULL, |v| v.data));
                    device.launch(
                        kernels::add(),
                        Grid::elements(elements),
                        (x.data, other, elements as i32, y.data),
                    )?;
                }
            }
            if let Some(rounding) = &mut roundings[i] {
                round(device, rounding, output)?;
            }
        }
        Ok(())
    }

    /// The loss of the step in tape entry `at` and its gradient by the logits.
    pub(super) fn seed_gradient(
        &mut self,
        at: usize,
        targets: Pointer<F>,
        weight: f64,
        losses: Pointer<f64>,
    ) -> Result<()> {
        let last = self.layers.len() - 1;
        let logits = self.tape[at][last].output.view();
        let gradient = &mut self.grads[last];
        gradient.filled = true;
        let grad = gradient.maps.resize(&self.device, logits.extents)?.data;
        cross_entropy(&mut self.device, logits, targets, weight, grad, losses)
    }

    /// Backward of the layers whose results change with the step, or once of the `fixed` ones.
    pub(super) fn backward_step(
        &mut self,
        Moment { t, at, input, plans }: Moment<'_, F>,
        fixed: bool,
        learning: Learning,
        roundings: &[Option<Rounding>],
    ) -> Result<()> {
        for i in (0..plans.len()).rev() {
            if plans[i].fixed_in_training != fixed || !self.grads[i].filled {
                continue;
            }
            self.grads[i].filled = false;
            let upstream = self.grads[i].maps.view();
            let reader = Reader { plans, tape: &self.tape, at, input, pass: Pass::Train };
            if let Some(rounding) = &roundings[i] {
                clip_gradient(&mut self.device, rounding, reader.slot(i).output.view(), upstream)?;
            }
            let through_time = learning == Learning::ThroughTime && self.layers[i].keeps_potential();
            let carry = match through_time {
                true => Some(self.grads[i].carry(&self.device, upstream.extents.elements())?),
                false => None,
            };
            for source in &plans[i].inputs {
                let x = reader.read(*source);
                let target = match source {
                    Source::Input => &mut self.discard,
                    Source::Node(j) => &mut self.grads[*j],
                };
                let accumulate = target.filled;
                let to = Target { maps: target.maps.resize(&self.device, x.extents)?, accumulate };
                target.filled = *source != Source::Input;
                let (slot, current) = (reader.slot(i), reader.current(*source));
                let backward = Backward { t, x, current, slot, upstream, to, carry };
                let wanted = *source != Source::Input;
                backward.run(&mut self.device, &mut self.layers[i], wanted)?;
            }
        }
        Ok(())
    }
}

/// Lets node `i` start time-step `t`, in tape entry `at`, where the step before ended.
fn start_potential<F: Float>(
    device: &mut Device<F>,
    tape: &mut [Vec<Slot<F>>],
    i: usize,
    t: usize,
    at: usize,
    elements: usize,
) -> Result<()> {
    if t == 0 {
        return tape[at][i].potential.start(device, elements);
    }
    if at == 0 {
        return tape[at][i].potential.advance(device, elements);
    }
    let last = tape[at - 1][i].potential.after.address();
    let potential = &mut tape[at][i].potential;
    potential.after.resize(device, elements)?;
    let before = potential.before.resize(device, elements)?;
    pass_on(device, last, elements, before, false)
}

/// What the backward pass of a layer at a time-step sees.
#[derive(Debug)]
struct Backward<'a, F> {
    t: usize,
    x: View<F>,
    current: Current<F>,
    slot: &'a Slot<F>,
    upstream: View<F>,
    to: Target<F>,
    carry: Option<Pointer<F>>,
}

impl<F: Float> Backward<'_, F> {
    /// Adds the gradients of the parameters and writes that of the input, which a convolution leaves out where it
    /// is not `wanted`.
    fn run(self, device: &mut Device<F>, layer: &mut Layer<F>, wanted: bool) -> Result<()> {
        let Backward { t, x, current, slot, upstream, to, carry } = self;
        match layer {
            Layer::Conv(l) => l.backward(device, x, upstream, wanted.then_some(to)),
            Layer::BatchNorm(l) => l.backward(device, &slot.norm, x, upstream, to),
            Layer::Neuron(l) => {
                let to = CurrentGradient { to, carry };
                l.backward(device, t, current, &slot.potential, upstream, to)
            }
            Layer::Lif(l) => {
                let to = CurrentGradient { to, carry };
                l.backward(device, current, &slot.potential, upstream, to)
            }
            Layer::WindowPool(l) => l.backward(device, x, upstream, to),
            Layer::GlobalAvgPool(l) => l.backward(device, upstream, to),
            Layer::Seca(l) => l.backward(device, &slot.attention, x, upstream, to),
            Layer::Linear(l) => l.backward(device, x, upstream, to),
            Layer::Add => pass_on(device, upstream.data, x.extents.elements(), to.maps.data, to.accumulate),
        }
    }
}

/// Reading access to the results of a time-step.
#[derive(Clone, Copy)]
struct Reader<'a, F> {
    plans: &'a [Plan],
    tape: &'a [Vec<Slot<F>>],
    at: usize,
    input: View<F>,
    pass: Pass,
}

impl<'a, F: Float> Reader<'a, F> {
    fn slot(&self, i: usize) -> &'a Slot<F> {
        let at = if self.plans[i].fixed(self.pass) { 0 } else { self.at };
        &self.tape[at][i]
    }

    /// The maps of `source`; of a fused normalisation those in front of it.
    fn read(&self, source: Source) -> View<F> {
        match source {
            Source::Input => self.input,
            Source::Node(i) if self.plans[i].fused => self.read(self.plans[i].inputs[0]),
            Source::Node(i) => self.slot(i).output.view(),
        }
    }

    /// What a neuron that reads `source` sees.
    fn current(&self, source: Source) -> Current<F> {
        let norm = match source {
            Source::Node(i) if self.plans[i].fused => Some(self.slot(i).norm.view()),
            _ => None,
        };
        Current::new(self.read(source), norm)
    }
}
