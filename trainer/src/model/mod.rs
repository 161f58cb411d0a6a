//! A network in training: forward of all layers at a time-step, then backward of that step at once.

mod codes;
mod learning;
mod plan;
mod slot;
mod step;

pub(crate) use learning::Action;
pub use learning::{Frames, Learning, Outcome, Steps};
#[cfg(any(feature = "cuda", test))]
pub(crate) use plan::Source;
pub(crate) use plan::{Pass, Plan};

use crate::error::{Error, Result};
use crate::layers::codes::Rounding;
use crate::layers::conv::Precision;
use crate::layers::layer::Layer;
use crate::layers::param::Param;
use crate::layers::targets::smoothed;
use crate::{Extents, Float, Tensor};
use empf_ir::{Network, Tensors, counted};
use plan::plan;
use rand::SeedableRng;
use rand_pcg::Pcg64;
use slot::{Gradient, Slot};
use std::fmt::Debug;

/// Computes batches of a model elsewhere. It has checked what it is given.
pub(crate) trait Engine<F>: Debug + Send + Sync {
    /// As [`Model::train_batch_towards`]: leaves gradients and running statistics in the model.
    fn train_batch(
        &mut self,
        model: &mut Model<F>,
        frames: Frames<'_, F>,
        targets: &[F],
        learning: Learning,
    ) -> Result<Outcome<F>>;

    /// As [`Model::evaluate`].
    fn evaluate(&mut self, model: &mut Model<F>, frames: Frames<'_, F>) -> Result<Tensor<F>>;

    /// Whether the result of node number `node` in the last batch has finite numbers alone.
    fn is_finite(&self, node: usize) -> Result<bool>;
}

/// A network with its parameters, gradients and buffers.
///
/// Online, the buffers hold one time-step: activations, residual potentials and gradients are overwritten
/// at the next one, so their size does not depend on T.
#[derive(Debug)]
pub struct Model<F> {
    graph: Network,
    pub(crate) plans: Vec<Plan>,
    pub(crate) layers: Vec<Layer<F>>,
    /// One entry, or T of them through time; results that are fixed lie in the first.
    tape: Vec<Vec<Slot<F>>>,
    grads: Vec<Gradient<F>>,
    /// Of the layers that give codes, where the model rounds.
    pub(crate) roundings: Vec<Option<Rounding>>,
    discard: Tensor<F>,
    /// What computes batches in the processor's place.
    engine: Option<Box<dyn Engine<F>>>,
}

impl<F: Float> Model<F> {
    /// A model of `graph`, whose tensors are ignored, with weights drawn from `seed`; neurons have one
    /// leak and threshold a channel, or a layer where `layer_wide`.
    pub fn new(graph: &Network, seed: u64, layer_wide: bool) -> Result<Self> {
        Self::build(graph, seed, |_| layer_wide)
    }

    /// The model that `network` and its tensors describe.
    pub fn from_network(network: &Network) -> Result<Self> {
        network.validate()?;
        let layer_wide = |node: &str| {
            network.tensor(node, "theta").is_ok_and(|(shape, _)| shape.len() == 2 && shape[1] == 1)
        };
        let mut model = Self::build(network, 0, layer_wide)?;
        for (name, tensor) in &network.tensors.0 {
            let values: Vec<f64> = tensor.as_f32(name)?.iter().map(|x| f64::from(*x)).collect();
            model.set(name, &tensor.shape, &values)?;
        }
        Ok(model)
    }

    fn build(graph: &Network, seed: u64, layer_wide: impl Fn(&str) -> bool) -> Result<Self> {
        let shapes = graph.shapes()?;
        let mut rng = Pcg64::seed_from_u64(seed);
        let layers: Vec<Layer<F>> = (graph.nodes.iter())
            .map(|node| {
                let input = graph.shape_of(&node.inputs[0], &shapes);
                Layer::new(node, input, graph.time_steps, layer_wide(&node.name), &mut rng)
            })
            .collect();
        let graph = Network { tensors: Tensors::default(), ..graph.clone() };
        let grads = layers.iter().map(|_| Gradient::default()).collect();
        let (plans, tape, discard) = (plan(&graph), vec![], Tensor::default());
        let roundings = vec![None; layers.len()];
        let mut model = Model { graph, plans, layers, tape, grads, roundings, discard, engine: None };
        if let Some(codes) = model.graph.codes.take() {
            model.set_codes(&codes)?;
        }
        Ok(model)
    }

    /// The graph, without tensors.
    pub fn graph(&self) -> &Network {
        &self.graph
    }

    /// The network with its present parameters.
    pub fn to_network(&self) -> Network {
        let mut network = Network { codes: self.codes(), ..self.graph.clone() };
        for (name, shape, values) in self.tensors() {
            let values = values.iter().map(|x| x.f64() as f32).collect();
            network.tensors.insert(name, empf_ir::Tensor::f32(shape, values));
        }
        network
    }

    /// Every parameter and running statistic as `<node>.<tensor>`, with its shape, row-major.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>, Vec<F>)> {
        let mut all = vec![];
        for (node, layer) in self.graph.nodes.iter().zip(&self.layers) {
            for (name, param) in layer.params() {
                all.push((format!("{}.{name}", node.name), param.shape.clone(), param.public(&param.value)));
            }
            for (name, values) in
                layer.running().map(|r| [("mean", &r.mean), ("var", &r.var)]).into_iter().flatten()
            {
                let t = self.graph.time_steps;
                all.push((format!("{}.{name}", node.name), vec![t, values.len() / t], values.clone()));
            }
        }
        all
    }

    /// Sets the parameter or running statistic `<node>.<tensor>` from row-major values.
    pub fn set(&mut self, name: &str, shape: &[usize], values: &[f64]) -> Result<()> {
        let wrong = |message: String| Error::Tensor { name: name.into(), message };
        let (node, tensor) = name.rsplit_once('.').ok_or_else(|| wrong("is not `<node>.<tensor>`".into()))?;
        let at = self.graph.nodes.iter().position(|n| n.name == node);
        let layer = &mut self.layers[at.ok_or_else(|| wrong("belongs to no node".into()))?];
        let elements: usize = shape.iter().product();
        let check = |expected: &[usize]| match shape == expected && values.len() == elements {
            true => Ok(()),
            false => Err(wrong(format!("has shape {shape:?}, expected {expected:?}"))),
        };
        if let Some((_, param)) = layer.params_mut().into_iter().find(|(n, _)| *n == tensor) {
            check(&param.shape)?;
            param.assign(values.iter().map(|x| F::of(*x)));
            return Ok(());
        }
        let t = self.graph.time_steps;
        let moments = layer.running_mut().and_then(|r| match tensor {
            "mean" => Some(&mut r.mean),
            "var" => Some(&mut r.var),
            _ => None,
        });
        match moments {
            Some(row) => {
                check(&[t, row.len() / t])?;
                row.iter_mut().zip(values).for_each(|(to, from)| *to = F::of(*from));
                Ok(())
            }
            None => Err(wrong(format!("node `{node}` has no such tensor"))),
        }
    }

    /// Learnable tensors as `<node>.<tensor>`, in the order of the graph.
    pub fn params(&self) -> Vec<(String, &Param<F>)> {
        let nodes = self.graph.nodes.iter().zip(&self.layers);
        nodes
            .flat_map(|(node, layer)| {
                layer.params().into_iter().map(|(name, p)| (format!("{}.{name}", node.name), p))
            })
            .collect()
    }

    /// Learnable tensors in the order of the graph.
    pub fn params_mut(&mut self) -> impl Iterator<Item = &mut Param<F>> {
        self.layers.iter_mut().flat_map(|layer| layer.params_mut()).map(|(_, param)| param)
    }

    /// Forward and backward over all time-steps. Gradients are left in the parameters.
    /// The loss is the mean over time-steps, or with [`Learning::Random`] over the chosen ones.
    pub fn train_batch(
        &mut self,
        frames: Frames<'_, F>,
        labels: &[usize],
        learning: Learning,
    ) -> Result<Outcome<F>> {
        let classes = self.graph.classes;
        if labels.iter().any(|label| *label >= classes) {
            return Err(Error::Batch(format!("a label is not below the {classes} classes")));
        }
        self.train_batch_towards(frames, &smoothed(labels, classes, 0.0), learning)
    }

    /// As [`Model::train_batch`], towards distributions over the classes, one row an image.
    pub fn train_batch_towards(
        &mut self,
        frames: Frames<'_, F>,
        targets: &[F],
        learning: Learning,
    ) -> Result<Outcome<F>> {
        let steps = self.graph.time_steps;
        let images = self.check(frames)?;
        if targets.len() != images * self.graph.classes {
            let rows = targets.len() as f64 / self.graph.classes as f64;
            return Err(Error::Batch(format!("has {rows} rows of targets for {}", counted(images, "image"))));
        }
        if let Learning::Random(chosen) = learning
            && chosen.last().is_none_or(|t| t >= steps)
        {
            let message = format!("the steps that pass back are none, or not below {steps}, the time-steps");
            return Err(Error::Batch(message));
        }
        if let Some(mut engine) = self.engine.take() {
            let outcome = engine.train_batch(self, frames, targets, learning);
            self.engine = Some(engine);
            return outcome;
        }
        self.params_mut().for_each(Param::clear_grad);
        self.begin(learning.depth(steps));
        let mut outcome = Outcome { loss: 0.0, logits: Vec::with_capacity(steps) };
        for action in learning.actions(steps) {
            match action {
                Action::Forward { t, at } => {
                    self.forward_step(at, t, frames.at(t), Pass::Train);
                    outcome.logits.push(self.logits(at).clone());
                }
                Action::Backward { t, at, weight } => {
                    outcome.loss += self.seed_gradient(at, targets, weight);
                    self.backward_step(at, t, frames.at(t), false, learning);
                }
            }
        }
        self.backward_step(0, 0, frames.at(0), true, learning);
        Ok(outcome)
    }

    /// Every parameter and running statistic, each in its layer's order.
    pub(crate) fn for_each_state(&mut self, mut act: impl FnMut(&mut Vec<F>)) {
        for layer in &mut self.layers {
            layer.params_mut().into_iter().for_each(|(_, param)| act(&mut param.value));
            if let Some(running) = layer.running_mut() {
                act(&mut running.mean);
                act(&mut running.var);
            }
        }
    }

    /// Batches are computed by `engine` from now on, or by the processor.
    pub(crate) fn set_engine(&mut self, engine: Option<Box<dyn Engine<F>>>) {
        self.engine = engine;
    }

    /// Large convolutions multiply in `precision` from the next batch on.
    pub fn set_precision(&mut self, precision: Precision) {
        for layer in &mut self.layers {
            if let Layer::Conv(conv) = layer {
                conv.set_precision(precision);
            }
        }
    }

    /// Whether the result of node `source`, or the input, is the same at every time-step of an evaluation.
    pub(crate) fn is_fixed(&self, source: Option<usize>) -> bool {
        match source {
            Some(node) => self.plans[node].fixed_in_evaluation,
            None => self.graph.input.frames == 1,
        }
    }

    /// Result of node number `node` at the last time-step that went forward.
    pub(crate) fn output(&self, node: usize) -> &Tensor<F> {
        &self.tape[0][node].output
    }

    /// Logits summed over the time-steps, with the running statistics: `[images, classes]`.
    pub fn evaluate(&mut self, frames: Frames<'_, F>) -> Result<Tensor<F>> {
        if let Some(mut engine) = self.engine.take() {
            let logits = self.check(frames).and_then(|_| engine.evaluate(self, frames));
            self.engine = Some(engine);
            return logits;
        }
        self.evaluate_watched(frames, |_, _| ())
    }

    /// As [`Model::evaluate`], by the processor; calls `watch` with the model and the step's number after every
    /// time-step.
    pub(crate) fn evaluate_watched(
        &mut self,
        frames: Frames<'_, F>,
        mut watch: impl FnMut(&Self, usize),
    ) -> Result<Tensor<F>> {
        self.check(frames)?;
        self.begin(1);
        let mut sum = Tensor::default();
        for t in 0..self.graph.time_steps {
            self.forward_step(0, t, frames.at(t), Pass::Evaluate);
            watch(self, t);
            let logits = self.logits(0);
            if t == 0 {
                sum = logits.clone();
            } else {
                sum.data.iter_mut().zip(&logits.data).for_each(|(s, x)| *s += *x);
            }
        }
        Ok(sum)
    }

    /// First parameter or node, in the order of the graph, with a number that is not finite.
    pub fn first_non_finite(&self) -> Option<String> {
        let bad = |values: &[F]| values.iter().any(|x| !x.is_finite());
        let bad_output = |i: usize| match &self.engine {
            // A device that cannot tell has its own error at the next batch.
            Some(engine) => !engine.is_finite(i).unwrap_or(true),
            None => self.tape.iter().any(|step| bad(&step[i].output.data)),
        };
        for (i, node) in self.graph.nodes.iter().enumerate() {
            if let Some((name, _)) = self.layers[i].params().into_iter().find(|(_, p)| bad(&p.value)) {
                return Some(format!("{}.{name}", node.name));
            }
            if bad_output(i) {
                return Some(node.name.clone());
            }
        }
        None
    }

    /// Number of images, where they are as the network takes them.
    fn check(&self, frames: Frames<'_, F>) -> Result<usize> {
        let wrong = |message: String| Err(Error::Batch(message));
        let (steps, input) = (self.graph.time_steps, &self.graph.input);
        match frames {
            Frames::Static(_) if input.frames != 1 => {
                return wrong("is static, the network takes frames".into());
            }
            Frames::PerStep(f) if input.frames == 1 || f.len() != steps => {
                return wrong(format!(
                    "has {} for {}",
                    counted(f.len(), "frame"),
                    counted(steps, "time-step")
                ));
            }
            _ => {}
        }
        let images = frames.at(0).extents.images;
        let expected = Extents { images, height: input.height, width: input.width, channels: input.channels };
        let mut given = (0..steps).map(|t| frames.at(t).extents);
        if let Some(other) = given.find(|extents| images == 0 || *extents != expected) {
            return wrong(format!("has {other}, the network takes {}", input.shape()));
        }
        Ok(images)
    }
}
