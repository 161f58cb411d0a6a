//! One time-step forward and backward.

use super::Model;
use super::learning::Learning;
use super::plan::{Pass, Plan, Source};
use super::slot::{Gradient, Slot};
use crate::layers::layer::Layer;
use crate::layers::loss::cross_entropy;
use crate::layers::membrane::Statistics;
use crate::layers::neuron::{Current, CurrentGradient};
use crate::{Float, Tensor};

impl<F: Float> Model<F> {
    pub(super) fn begin(&mut self, depth: usize) {
        let nodes = self.layers.len();
        self.tape.resize_with(depth, || (0..nodes).map(|_| Slot::default()).collect());
        for layer in &mut self.layers {
            if let Layer::Conv(conv) = layer {
                conv.prepare();
            }
        }
        for gradient in &mut self.grads {
            gradient.filled = false;
            gradient.carry.clear();
        }
    }

    pub(super) fn logits(&self, at: usize) -> &Tensor<F> {
        &self.tape[at][self.layers.len() - 1].output
    }

    pub(super) fn seed_gradient(&mut self, at: usize, targets: &[F], weight: f64) -> f64 {
        let last = self.layers.len() - 1;
        let gradient = &mut self.grads[last];
        gradient.filled = true;
        cross_entropy(&self.tape[at][last].output, targets, weight, &mut gradient.tensor)
    }

    /// Forward of all layers at time-step `t` into tape entry `at`.
    pub(super) fn forward_step(&mut self, at: usize, t: usize, input: &Tensor<F>, pass: Pass) {
        for i in 0..self.layers.len() {
            let fixed = self.plans[i].fixed(pass);
            if fixed && t > 0 {
                continue;
            }
            let place = if fixed { 0 } else { at };
            let mut slot = std::mem::take(&mut self.tape[place][i]);
            let view = View { plans: &self.plans, tape: &self.tape, at, input, pass };
            let x = view.read(self.plans[i].inputs[0]);
            let current = view.current(self.plans[i].inputs[0]);
            if self.layers[i].keeps_potential() {
                if t == 0 {
                    slot.potential.reset(current.x.data.len());
                } else if at > 0 {
                    slot.potential.after.clone_from(&self.tape[at - 1][i].potential.after);
                }
                slot.potential.advance();
            }
            match &mut self.layers[i] {
                Layer::Conv(l) => l.forward(x, &mut slot.output),
                Layer::BatchNorm(l) => {
                    slot.norm = match pass {
                        Pass::Train if fixed => l.observe(x, 0..self.graph.time_steps),
                        Pass::Train => l.observe(x, t..t + 1),
                        Pass::Evaluate => l.recall(t),
                    };
                    if !self.plans[i].fused {
                        l.apply(&slot.norm, x, &mut slot.output);
                    }
                }
                Layer::Neuron(l) => {
                    let statistics = match pass {
                        Pass::Train => Statistics::Batch,
                        Pass::Evaluate => Statistics::Running,
                    };
                    l.forward(t, current, statistics, &mut slot.potential, &mut slot.output);
                }
                Layer::Lif(l) => l.forward(current, &mut slot.potential, &mut slot.output),
                Layer::AvgPool(l) => l.forward(x, &mut slot.output),
                Layer::GlobalAvgPool(l) => l.forward(x, &mut slot.output),
                Layer::MaxPool(l) => l.forward(x, &mut slot.output),
                Layer::Seca(l) => l.forward(x, &mut slot.attention, &mut slot.output),
                Layer::Linear(l) => l.forward(x, &mut slot.output),
                Layer::Add => {
                    let other = view.read(self.plans[i].inputs[1]);
                    slot.output.clone_from(x);
                    slot.output.data.iter_mut().zip(&other.data).for_each(|(y, o)| *y += *o);
                }
            }
            if let Some(rounding) = &mut self.roundings[i] {
                rounding.round(&mut slot.output);
            }
            self.tape[place][i] = slot;
        }
    }

    /// Backward of time-step `t`, whose results lie in tape entry `at`: of the layers whose results change
    /// with the step, or once at the end of the batch of the `fixed` ones.
    pub(super) fn backward_step(
        &mut self,
        at: usize,
        t: usize,
        input: &Tensor<F>,
        fixed: bool,
        learning: Learning,
    ) {
        for i in (0..self.layers.len()).rev() {
            if self.plans[i].fixed_in_training != fixed || !self.grads[i].filled {
                continue;
            }
            let Gradient { tensor: mut upstream, mut carry, .. } = std::mem::take(&mut self.grads[i]);
            if let Some(rounding) = &self.roundings[i] {
                let place = if self.plans[i].fixed(Pass::Train) { 0 } else { at };
                rounding.clip_gradient(&self.tape[place][i].output, &mut upstream);
            }
            for n in 0..self.plans[i].inputs.len() {
                let source = self.plans[i].inputs[n];
                let mut target = match source {
                    Source::Input => {
                        Gradient { tensor: std::mem::take(&mut self.discard), ..Gradient::default() }
                    }
                    Source::Node(j) => std::mem::take(&mut self.grads[j]),
                };
                let (grad, accumulate) = (&mut target.tensor, target.filled);
                let view = View { plans: &self.plans, tape: &self.tape, at, input, pass: Pass::Train };
                let x = view.read(source);
                let slot = view.slot(i);
                let through_time = learning == Learning::ThroughTime && self.layers[i].keeps_potential();
                if through_time && carry.is_empty() {
                    carry.resize(upstream.data.len(), F::zero());
                }
                match &mut self.layers[i] {
                    Layer::Conv(l) => {
                        let wanted = (source != Source::Input).then_some((grad, accumulate));
                        l.backward(x, &upstream, wanted);
                    }
                    Layer::BatchNorm(l) => l.backward(&slot.norm, x, &upstream, grad, accumulate),
                    Layer::Neuron(l) => {
                        let carry = through_time.then_some(&mut carry);
                        let to = CurrentGradient { grad, accumulate, carry };
                        l.backward(t, view.current(source), &slot.potential, &upstream, to);
                    }
                    Layer::Lif(l) => {
                        let carry = through_time.then_some(&mut carry);
                        let to = CurrentGradient { grad, accumulate, carry };
                        l.backward(view.current(source), &slot.potential, &upstream, to);
                    }
                    Layer::AvgPool(l) => l.backward(x.extents, &upstream, grad, accumulate),
                    Layer::GlobalAvgPool(l) => l.backward(x.extents, &upstream, grad, accumulate),
                    Layer::MaxPool(l) => l.backward(x, &upstream, grad, accumulate),
                    Layer::Seca(l) => l.backward(&slot.attention, x, &upstream, grad, accumulate),
                    Layer::Linear(l) => l.backward(x, &upstream, grad, accumulate),
                    Layer::Add if accumulate => {
                        grad.data.iter_mut().zip(&upstream.data).for_each(|(g, u)| *g += *u);
                    }
                    Layer::Add => grad.clone_from(&upstream),
                }
                match source {
                    Source::Input => self.discard = target.tensor,
                    Source::Node(j) => self.grads[j] = Gradient { filled: true, ..target },
                }
            }
            self.grads[i] = Gradient { tensor: upstream, filled: false, carry };
        }
    }
}

/// Reading access to the results of a time-step.
struct View<'a, F> {
    plans: &'a [Plan],
    tape: &'a [Vec<Slot<F>>],
    at: usize,
    input: &'a Tensor<F>,
    pass: Pass,
}

impl<'a, F: Float> View<'a, F> {
    fn slot(&self, i: usize) -> &'a Slot<F> {
        let at = if self.plans[i].fixed(self.pass) { 0 } else { self.at };
        &self.tape[at][i]
    }

    fn read(&self, source: Source) -> &'a Tensor<F> {
        match source {
            Source::Input => self.input,
            Source::Node(i) => &self.slot(i).output,
        }
    }

    /// What a neuron that reads `source` sees: the maps in front of a fused normalisation, and its affine
    /// form.
    fn current(&self, source: Source) -> Current<'a, F> {
        match source {
            Source::Node(i) if self.plans[i].fused => {
                Current { x: self.read(self.plans[i].inputs[0]), affine: Some(&self.slot(i).norm.affine) }
            }
            _ => Current { x: self.read(source), affine: None },
        }
    }
}
