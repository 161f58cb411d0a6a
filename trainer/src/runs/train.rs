//! A training run.

use crate::error::{Error, Result};
use crate::layers::targets::{mix, smoothed};
use crate::runs::average::Average;
use crate::runs::batches::{Batches, Purpose, stream};
use crate::runs::checkpoint::{self, Identity, Position, State};
pub use crate::runs::config::{Rule, TrainConfig};

use crate::runs::evaluate::{Evaluation, evaluate};
use crate::runs::optimizer::Sgd;
use crate::runs::schedule::Schedule;
use crate::{Frames, Learning, Model, Outcome, Steps, Tensor};
use empf_data::{Dataset, describe};
use empf_ir::trace::answer;
use empf_ir::{Network, counted};
use rand::seq::{SliceRandom, index};
use rand_distr::{Beta, Distribution};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

/// A file that a run saves its state to, and goes on from where it exists.
#[derive(Clone, Debug)]
pub struct CheckpointPlan {
    /// The file.
    pub path: PathBuf,
    /// Batches between two writes; the end of an epoch always writes.
    pub every: usize,
}

/// A batch that is done.
#[derive(Clone, Copy, Debug)]
pub struct BatchReport {
    /// Counted from 0.
    pub epoch: usize,
    /// Of the run.
    pub epochs: usize,
    /// Counted from 0 within the epoch.
    pub batch: usize,
    /// Of the epoch.
    pub batches: usize,
    /// Batches of the run that are done, this one included.
    pub step: usize,
    /// Learning rate of this batch.
    pub rate: f64,
    /// In this batch.
    pub images: usize,
    /// Mean loss of the epoch so far.
    pub loss: f64,
    /// Share of correct answers in the epoch so far, 0..=1.
    pub accuracy: f64,
}

/// An epoch that is done.
#[derive(Clone, Debug)]
pub struct EpochReport {
    /// Counted from 0.
    pub epoch: usize,
    /// Of the run.
    pub epochs: usize,
    /// Batches of the run that are done.
    pub step: usize,
    /// Learning rate of the last batch.
    pub rate: f64,
    /// Mean loss.
    pub loss: f64,
    /// Share of correct answers in training, 0..=1.
    pub accuracy: f64,
    /// Time of this process for the epoch's batches.
    pub seconds: f64,
    /// Images that this process trained in that time.
    pub images: usize,
    /// On the test images, where there are some.
    pub test: Option<Evaluation>,
}

/// Where a process takes up a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// Epochs whose report has been given, and that are not repeated.
    pub epochs: usize,
    /// Batches of the run that are done, and that are not repeated.
    pub step: usize,
}

/// Watches a run. What is kept of a report before the checkpoint of its place is written may be repeated by a
/// process that goes on; [`Progress::start`] says from where.
pub trait Progress {
    /// Before the first batch.
    fn start(&mut self, _: Start) -> Result<()> {
        Ok(())
    }

    /// After each batch; `Break` ends the run with a checkpoint and [`Error::Stopped`].
    fn batch(&mut self, report: &BatchReport) -> Result<ControlFlow<()>>;

    /// After each epoch, with what would be the result if the run ended here.
    fn epoch(&mut self, report: &EpochReport, model: &Model<f32>) -> Result<()>;
}

/// Nobody watches.
impl Progress for () {
    fn batch(&mut self, _: &BatchReport) -> Result<ControlFlow<()>> {
        Ok(ControlFlow::Continue(()))
    }

    fn epoch(&mut self, _: &EpochReport, _: &Model<f32>) -> Result<()> {
        Ok(())
    }
}

/// What a run works on.
#[derive(Clone, Copy, Debug)]
pub struct Task<'a> {
    /// The graph; its tensors are ignored.
    pub network: &'a Network,
    /// Learned from.
    pub train: &'a Dataset,
    /// Judged by after every epoch; has no influence on the weights.
    pub test: Option<&'a Dataset>,
    /// The run's settings.
    pub config: &'a TrainConfig,
    /// Where the state is kept, if anywhere.
    pub checkpoint: Option<&'a CheckpointPlan>,
}

/// Trains from the start, or from the checkpoint where there is one, to the end. The same task gives the
/// same weights bit for bit, on any number of cores and however often it was interrupted.
pub fn train(task: Task<'_>, progress: &mut dyn Progress) -> Result<Model<f32>> {
    let mut run = Run::start(task)?;
    progress.start(Start { epochs: run.position.epoch, step: run.step() })?;
    while run.position.epoch < task.config.epochs {
        run.epoch(progress)?;
    }
    run.swap_average();
    Ok(run.model)
}

struct Run<'a> {
    task: Task<'a>,
    identity: Identity,
    model: Model<f32>,
    sgd: Sgd<f32>,
    average: Option<Average>,
    position: Position,
}

impl<'a> Run<'a> {
    fn start(task: Task<'a>) -> Result<Self> {
        let Task { network, train, config, .. } = task;
        config.validate(network.time_steps)?;
        let takes = describe(network.input.frames, network.input.shape(), network.classes);
        let has = train.describe();
        if takes != has || train.is_empty() {
            let images = counted(train.len(), "image");
            return Err(Error::Batch(format!("the network takes {takes}, there are {images} of {has}")));
        }
        config.augment.check(train.height, train.width)?;
        check_memory(network, config.batch_size)?;
        let graph = serde_json::json!({
            "name": network.name,
            "time_steps": network.time_steps,
            "classes": network.classes,
            "input": network.input,
            "nodes": network.nodes,
        });
        let identity = Identity { config: config.clone(), graph, data: train.digest() };
        let mut model = Model::new(network, config.seed, config.layer_wide)?;
        model.set_precision(config.precision);
        model.set_device(config.device)?;
        if let Some(bits) = config.act_bits {
            model.round_to(bits)?;
        }
        let mut sgd = Sgd::new(&model, config.sgd);
        let mut average = config.ema.map(|decay| Average::new(&mut model, decay));
        let position = match task.checkpoint {
            Some(plan) if plan.path.exists() => {
                let state = State { model: &mut model, sgd: &mut sgd, average: average.as_mut() };
                checkpoint::load(&plan.path, &identity, state)?
            }
            _ => Position::default(),
        };
        Ok(Run { task, identity, model, sgd, average, position })
    }

    /// Batches of an epoch.
    fn batches(&self) -> usize {
        self.task.train.len().div_ceil(self.task.config.batch_size)
    }

    /// Batches of the run that are done.
    fn step(&self) -> usize {
        self.position.epoch * self.batches() + self.position.batch
    }

    /// Learning rate of the batch that follows `step` others.
    fn rate(&self, step: usize) -> f64 {
        let TrainConfig { rate, epochs, warmup_epochs, .. } = *self.task.config;
        let schedule =
            Schedule { rate, warmup: warmup_epochs * self.batches(), total: epochs * self.batches() };
        schedule.at(step)
    }

    /// Exchanges the weights and their average, where there is one.
    fn swap_average(&mut self) {
        if let Some(average) = &mut self.average {
            average.swap(&mut self.model);
        }
    }

    fn epoch(&mut self, progress: &mut dyn Progress) -> Result<()> {
        let Task { train, config, .. } = self.task;
        let epoch = self.position.epoch;
        let batches = Batches::shuffled(train, config.batch_size, config.seed, epoch, config.augment);
        let (start, seen_before) = (Instant::now(), self.position.seen);
        let input = &self.task.network.input;
        batches.in_background(self.position.batch, input, |x, labels| {
            let rate = self.rate(self.step());
            self.batch(x, labels, rate)?;
            let batch = self.position.batch;
            self.position.batch += 1;
            let flow = progress.batch(&BatchReport {
                epoch,
                epochs: config.epochs,
                batch,
                batches: batches.count(),
                step: self.step(),
                rate,
                images: labels.len(),
                loss: self.position.loss / self.position.seen as f64,
                accuracy: self.position.correct as f64 / self.position.seen as f64,
            })?;
            let due = self.position.batch == batches.count()
                || self.task.checkpoint.is_some_and(|c| self.position.batch.is_multiple_of(c.every.max(1)));
            if due || flow.is_break() {
                self.save()?;
            }
            if flow.is_break() {
                return Err(Error::Stopped { epoch, batch: self.position.batch });
            }
            Ok(())
        })?;
        let seconds = start.elapsed().as_secs_f64();
        self.report(progress, seconds, self.position.seen - seen_before)?;
        self.position = Position { epoch: epoch + 1, ..Position::default() };
        self.save()
    }

    /// Judges the epoch that is done and reports it.
    fn report(&mut self, progress: &mut dyn Progress, seconds: f64, images: usize) -> Result<()> {
        let Task { test, config, .. } = self.task;
        let (Position { epoch, loss, correct, seen, .. }, step) = (self.position, self.step());
        self.swap_average();
        let test = test.map(|data| evaluate(&mut self.model, data, config.batch_size)).transpose()?;
        let (loss, accuracy) = (loss / seen as f64, correct as f64 / seen as f64);
        let (epochs, rate) = (config.epochs, self.rate(step - 1));
        let report = EpochReport { epoch, epochs, step, rate, loss, accuracy, seconds, images, test };
        progress.epoch(&report, &self.model)?;
        self.swap_average();
        Ok(())
    }

    fn batch(&mut self, x: &mut [Tensor<f32>], labels: &[usize], rate: f64) -> Result<()> {
        let Position { epoch, batch, .. } = self.position;
        let targets = self.targets(x, labels);
        let learning = match self.task.config.rule {
            Rule::Online => Learning::Online,
            Rule::ThroughTime => Learning::ThroughTime,
            Rule::RandomBp => {
                let mut rng = stream(self.task.config.seed, Purpose::Step, epoch, batch);
                let (steps, k) = (self.task.network.time_steps, self.task.config.random_steps);
                Learning::Random(Steps::of(index::sample(&mut rng, steps, k)))
            }
        };
        // The first half of a run finds its weights undisturbed; then formats follow the weights once an epoch.
        let rounds = self.task.config.act_bits.is_some() && 2 * epoch >= self.task.config.epochs;
        let calibrates = rounds && batch == 0;
        if calibrates {
            self.model.observe_codes();
        }
        let outcome = self.model.train_batch_towards(Frames::of(x), &targets, learning)?;
        if calibrates {
            self.model.adopt_codes();
        }
        if !outcome.loss.is_finite() {
            return Err(self.diverged().unwrap_or(Error::Diverged { epoch, batch, layer: "loss".into() }));
        }
        self.sgd.step(&mut self.model, rate);
        let step = self.step();
        if let Some(average) = &mut self.average {
            average.update(&mut self.model, step);
        }
        self.position.loss += outcome.loss * labels.len() as f64;
        self.position.correct += correct(&outcome, labels);
        self.position.seen += labels.len();
        Ok(())
    }

    /// Targets of the batch, whose images are mixed where that is wanted.
    fn targets(&self, x: &mut [Tensor<f32>], labels: &[usize]) -> Vec<f32> {
        let (config, Position { epoch, batch, .. }) = (self.task.config, self.position);
        let mut targets = smoothed(labels, self.task.network.classes, config.label_smoothing);
        if let Ok(beta) = Beta::new(config.mixup, config.mixup) {
            let mut rng = stream(config.seed, Purpose::Mix, epoch, batch);
            let mut partners: Vec<usize> = (0..labels.len()).collect();
            partners.shuffle(&mut rng);
            mix(x, &mut targets, beta.sample(&mut rng), &partners);
        }
        targets
    }

    fn diverged(&self) -> Option<Error> {
        let Position { epoch, batch, .. } = self.position;
        self.model.first_non_finite().map(|layer| Error::Diverged { epoch, batch, layer })
    }

    /// Writes the checkpoint, but never one that could not be gone on from.
    fn save(&mut self) -> Result<()> {
        if let Some(error) = self.diverged() {
            return Err(error);
        }
        match self.task.checkpoint {
            Some(plan) => {
                let average = self.average.as_mut();
                let state = State { model: &mut self.model, sgd: &mut self.sgd, average };
                checkpoint::save(&plan.path, &self.identity, self.position, state)
            }
            None => Ok(()),
        }
    }
}

/// There is memory for what training keeps at least: each weight, its gradient and its velocity, and the maps of one
/// time-step of a batch, in 32 bits.
fn check_memory(network: &Network, batch: usize) -> Result<()> {
    let shapes = network.shapes()?;
    let product =
        |sizes: &[usize]| sizes.iter().fold(1, |product: u64, size| product.saturating_mul(*size as u64));
    let mut bytes = 0u64;
    for (node, output) in network.nodes.iter().zip(&shapes) {
        let input = network.shape_of(&node.inputs[0], &shapes);
        for (_, sizes) in Network::expected_tensors(&node.op, input, *output, network.time_steps) {
            bytes = bytes.saturating_add(product(&sizes).saturating_mul(3 * 4));
        }
        bytes = bytes.saturating_add(product(&[4, batch, output.elements()]));
    }
    Ok(empf_ir::memory::check("training", bytes)?)
}

/// Images whose logits, summed over the time-steps, are largest for their class.
fn correct(outcome: &Outcome<f32>, labels: &[usize]) -> usize {
    let classes = outcome.logits[0].extents.channels;
    let sum = |i: usize| -> Vec<f32> {
        let row = |c: usize| outcome.logits.iter().map(|l| l.data[i * classes + c]).sum();
        (0..classes).map(row).collect()
    };
    labels.iter().enumerate().filter(|(i, label)| answer(&sum(*i)) == **label).count()
}
