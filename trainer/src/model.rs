//! A network in training: forward of all layers at a time-step, then backward of that step at once.

use crate::batch_norm::Normalisation;
use crate::error::{Error, Result};
use crate::layer::Layer;
use crate::loss::cross_entropy;
use crate::membrane::Statistics;
use crate::neuron::{Current, CurrentGradient, Potential};
use crate::param::Param;
use crate::seca::Attention;
use crate::{Extents, Float, Tensor};
use empf_ir::{INPUT, Network, Op, Tensors};
use rand::SeedableRng;
use rand_pcg::Pcg64;

/// What a batch feeds to the network.
#[derive(Clone, Copy, Debug)]
pub enum Frames<'a, F> {
    /// The same images at every time-step.
    Static(&'a Tensor<F>),
    /// One batch of frames a time-step.
    PerStep(&'a [Tensor<F>]),
}

impl<'a, F> Frames<'a, F> {
    /// A single tensor is static.
    pub fn of(frames: &'a [Tensor<F>]) -> Self {
        match frames {
            [image] => Frames::Static(image),
            frames => Frames::PerStep(frames),
        }
    }

    fn at(self, t: usize) -> &'a Tensor<F> {
        match self {
            Frames::Static(x) => x,
            Frames::PerStep(frames) => &frames[t],
        }
    }
}

/// How gradients are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learning {
    /// Every time-step passes back by itself; memory does not grow with T.
    Online,
    /// One time-step (counted from 0) passes back, the others only go forward.
    RandomStep(usize),
    /// Back through time; memory grows with T. The yardstick for the other two.
    ThroughTime,
}

/// What a training batch gives besides gradients.
#[derive(Clone, Debug)]
pub struct Outcome<F> {
    /// Cross entropy: mean over the time-steps, or that of the chosen one.
    pub loss: f64,
    /// Logits of each time-step, `[images, classes]` each.
    pub logits: Vec<Tensor<F>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pass {
    Train,
    Evaluate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Input,
    Node(usize),
}

/// What is known about a node from the graph alone.
#[derive(Debug)]
struct Plan {
    inputs: Vec<Source>,
    /// Its result in training is the same at every time-step: a static image reaches it through no neuron.
    fixed_in_training: bool,
    /// As above, and through no batch normalisation either, whose running statistics belong to a step.
    fixed_in_evaluation: bool,
    /// A batch normalisation that only a neuron reads, which applies it on the fly.
    fused: bool,
}

impl Plan {
    fn fixed(&self, pass: Pass) -> bool {
        match pass {
            Pass::Train => self.fixed_in_training,
            Pass::Evaluate => self.fixed_in_evaluation,
        }
    }
}

/// What a node keeps of a time-step.
#[derive(Debug, Default)]
struct Slot<F> {
    output: Tensor<F>,
    norm: Normalisation<F>,
    potential: Potential<F>,
    attention: Attention<F>,
}

/// `dL/d(output)` of a node at the time-step in progress.
#[derive(Debug, Default)]
struct Gradient<F> {
    tensor: Tensor<F>,
    /// Whether `tensor` holds something to add to.
    filled: bool,
    /// `dL/dv` on its way back through time.
    carry: Vec<F>,
}

/// A network with its parameters, gradients and buffers.
///
/// Online, the buffers hold one time-step: activations, residual potentials and gradients are overwritten
/// at the next one, so their size does not depend on T.
#[derive(Debug)]
pub struct Model<F> {
    graph: Network,
    plans: Vec<Plan>,
    layers: Vec<Layer<F>>,
    /// One entry, or T of them through time; results that are fixed lie in the first.
    tape: Vec<Vec<Slot<F>>>,
    grads: Vec<Gradient<F>>,
    discard: Tensor<F>,
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
        Ok(Model { graph, plans, layers, tape, grads, discard })
    }

    /// The graph, without tensors.
    pub fn graph(&self) -> &Network {
        &self.graph
    }

    /// The network with its present parameters.
    pub fn to_network(&self) -> Network {
        let mut network = self.graph.clone();
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
    /// The loss is the mean over time-steps, or with [`Learning::RandomStep`] that of the chosen one.
    pub fn train_batch(
        &mut self,
        frames: Frames<'_, F>,
        labels: &[usize],
        learning: Learning,
    ) -> Result<Outcome<F>> {
        let steps = self.graph.time_steps;
        self.check(frames, Some(labels))?;
        if let Learning::RandomStep(t) = learning
            && t >= steps
        {
            return Err(Error::Batch(format!("time-step {t} was chosen of {steps}")));
        }
        self.params_mut().for_each(Param::clear_grad);
        self.begin(if learning == Learning::ThroughTime { steps } else { 1 });
        let mut outcome = Outcome { loss: 0.0, logits: Vec::with_capacity(steps) };
        for t in 0..steps {
            let at = if learning == Learning::ThroughTime { t } else { 0 };
            self.forward_step(at, t, frames.at(t), Pass::Train);
            outcome.logits.push(self.logits(at).clone());
            let weight = match learning {
                Learning::Online => 1.0 / steps as f64,
                Learning::RandomStep(chosen) if chosen == t => 1.0,
                Learning::RandomStep(_) | Learning::ThroughTime => continue,
            };
            outcome.loss += self.seed_gradient(at, labels, weight);
            self.backward_step(at, t, frames.at(t), false, learning);
        }
        if learning == Learning::ThroughTime {
            for t in (0..steps).rev() {
                outcome.loss += self.seed_gradient(t, labels, 1.0 / steps as f64);
                self.backward_step(t, t, frames.at(t), false, learning);
            }
        }
        self.backward_step(0, 0, frames.at(0), true, learning);
        Ok(outcome)
    }

    /// Logits summed over the time-steps, with the running statistics: `[images, classes]`.
    pub fn evaluate(&mut self, frames: Frames<'_, F>) -> Result<Tensor<F>> {
        self.check(frames, None)?;
        self.begin(1);
        let mut sum = Tensor::default();
        for t in 0..self.graph.time_steps {
            self.forward_step(0, t, frames.at(t), Pass::Evaluate);
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
        for (i, node) in self.graph.nodes.iter().enumerate() {
            if let Some((name, _)) = self.layers[i].params().into_iter().find(|(_, p)| bad(&p.value)) {
                return Some(format!("{}.{name}", node.name));
            }
            if self.tape.iter().any(|step| bad(&step[i].output.data)) {
                return Some(node.name.clone());
            }
        }
        None
    }

    fn check(&self, frames: Frames<'_, F>, labels: Option<&[usize]>) -> Result<()> {
        let wrong = |message: String| Err(Error::Batch(message));
        let (steps, input) = (self.graph.time_steps, &self.graph.input);
        match frames {
            Frames::Static(_) if input.frames != 1 => {
                return wrong("is static, the network takes frames".into());
            }
            Frames::PerStep(f) if input.frames == 1 || f.len() != steps => {
                return wrong(format!("has {} frames for {steps} time-steps", f.len()));
            }
            _ => {}
        }
        let images = frames.at(0).extents.images;
        let expected = Extents { images, height: input.height, width: input.width, channels: input.channels };
        if images == 0 || (0..steps).any(|t| frames.at(t).extents != expected) {
            return wrong(format!("is {:?}, the network takes {}", frames.at(0).extents, input.shape()));
        }
        let classes = self.graph.classes;
        match labels {
            Some(l) if l.len() != images => wrong(format!("{} labels for {images} images", l.len())),
            Some(l) if l.iter().any(|l| *l >= classes) => {
                wrong(format!("a label is not below the {classes} classes"))
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, depth: usize) {
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

    fn logits(&self, at: usize) -> &Tensor<F> {
        &self.tape[at][self.layers.len() - 1].output
    }

    fn seed_gradient(&mut self, at: usize, labels: &[usize], weight: f64) -> f64 {
        let last = self.layers.len() - 1;
        let gradient = &mut self.grads[last];
        gradient.filled = true;
        cross_entropy(&self.tape[at][last].output, labels, weight, &mut gradient.tensor)
    }

    /// Forward of all layers at time-step `t` into tape entry `at`.
    fn forward_step(&mut self, at: usize, t: usize, input: &Tensor<F>, pass: Pass) {
        for i in 0..self.layers.len() {
            let fixed = self.plans[i].fixed(pass);
            if fixed && t > 0 {
                continue;
            }
            let place = if fixed { 0 } else { at };
            let mut slot = std::mem::take(&mut self.tape[place][i]);
            if at > 0 && matches!(self.layers[i], Layer::Neuron(_)) {
                slot.potential.after.clone_from(&self.tape[at - 1][i].potential.after);
            }
            let view = View { plans: &self.plans, tape: &self.tape, at, input, pass };
            let x = view.read(self.plans[i].inputs[0]);
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
                    let current = view.current(self.plans[i].inputs[0]);
                    if l.lambda.is_some() {
                        if t == 0 {
                            slot.potential.reset(current.x.data.len());
                        }
                        slot.potential.advance();
                    }
                    let statistics = match pass {
                        Pass::Train => Statistics::Batch,
                        Pass::Evaluate => Statistics::Running,
                    };
                    l.forward(t, current, statistics, &mut slot.potential, &mut slot.output);
                }
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
            self.tape[place][i] = slot;
        }
    }

    /// Backward of time-step `t`, whose results lie in tape entry `at`: of the layers whose results change
    /// with the step, or once at the end of the batch of the `fixed` ones.
    fn backward_step(&mut self, at: usize, t: usize, input: &Tensor<F>, fixed: bool, learning: Learning) {
        for i in (0..self.layers.len()).rev() {
            if self.plans[i].fixed_in_training != fixed || !self.grads[i].filled {
                continue;
            }
            let Gradient { tensor: upstream, mut carry, .. } = std::mem::take(&mut self.grads[i]);
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
                match &mut self.layers[i] {
                    Layer::Conv(l) => {
                        let wanted = (source != Source::Input).then_some((grad, accumulate));
                        l.backward(x, &upstream, wanted);
                    }
                    Layer::BatchNorm(l) => l.backward(&slot.norm, x, &upstream, grad, accumulate),
                    Layer::Neuron(l) => {
                        let through_time = learning == Learning::ThroughTime && l.lambda.is_some();
                        if through_time && carry.is_empty() {
                            carry.resize(upstream.data.len(), F::zero());
                        }
                        let carry = through_time.then_some(&mut carry);
                        let to = CurrentGradient { grad, accumulate, carry };
                        l.backward(t, view.current(source), &slot.potential, &upstream, to);
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

fn plan(graph: &Network) -> Vec<Plan> {
    let mut plans: Vec<Plan> = Vec::with_capacity(graph.nodes.len());
    for node in &graph.nodes {
        // Every name is known: the graph's shapes were inferred before.
        let source = |name: &String| match graph.nodes.iter().position(|n| &n.name == name) {
            Some(i) if name != INPUT => Source::Node(i),
            _ => Source::Input,
        };
        let inputs: Vec<Source> = node.inputs.iter().map(source).collect();
        let all = |fixed: &dyn Fn(&Plan) -> bool| {
            inputs.iter().all(|s| match s {
                Source::Input => graph.input.frames == 1,
                Source::Node(i) => fixed(&plans[*i]),
            })
        };
        let neuron = matches!(node.op, Op::Neuron { .. });
        let norm = matches!(node.op, Op::BatchNorm { .. });
        let fixed_in_training = !neuron && all(&|p| p.fixed_in_training);
        let fixed_in_evaluation = !neuron && !norm && all(&|p| p.fixed_in_evaluation);
        let mut readers = graph.nodes.iter().filter(|n| n.inputs.contains(&node.name));
        let read_by_neuron = readers.next().is_some_and(|n| matches!(n.op, Op::Neuron { .. }));
        let fused = norm && read_by_neuron && readers.next().is_none();
        plans.push(Plan { inputs, fixed_in_training, fixed_in_evaluation, fused });
    }
    plans
}
