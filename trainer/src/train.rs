//! A training run.

use crate::checkpoint::{self, Identity, Position};
use crate::data::{Augment, Batches, Dataset, Purpose, describe, stream};
use crate::error::{Error, Result};
use crate::evaluate::{Evaluation, answer, evaluate};
use crate::optimizer::{Sgd, SgdConfig};
use crate::schedule::Schedule;
use crate::targets::{mix, smoothed};
use crate::{Frames, Learning, Model, Outcome, Tensor};
use empf_ir::Network;
use empf_ir::arch::ACT_BITS;
use rand::Rng;
use rand::seq::SliceRandom;
use rand_distr::{Beta, Distribution};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

/// How a batch becomes gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Every time-step passes back.
    Online,
    /// One random time-step of each batch passes back.
    RandomBp,
    /// Back through time.
    ThroughTime,
}

/// Settings that decide a run's weights, together with network and data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Passes over the data.
    pub epochs: usize,
    /// Images a batch.
    pub batch_size: usize,
    /// Largest learning rate.
    pub rate: f64,
    /// Epochs in which the rate rises to `rate`; then it falls to zero along half a cosine.
    pub warmup_epochs: usize,
    /// Momentum and weight decay.
    pub sgd: SgdConfig,
    /// Online, random back-propagation, through time.
    pub rule: Rule,
    /// Random changes to the images.
    pub augment: Augment,
    /// Share of a target that is spread over all classes, 0 for none.
    #[serde(default)]
    pub label_smoothing: f64,
    /// alpha of mixup: images and targets of a batch are mixed in pairs, with a share from Beta(alpha, alpha);
    /// 0 for none.
    #[serde(default)]
    pub mixup: f64,
    /// Decides initial weights, order, changes and random steps.
    pub seed: u64,
    /// One leak and threshold for a whole layer instead of one a channel.
    pub layer_wide: bool,
    /// A: spikes and means are rounded to this many bits in training, 2..=8; `None`: they are not.
    pub act_bits: Option<u32>,
}

impl TrainConfig {
    fn validate(&self) -> Result<()> {
        let positive = [
            ("epochs", self.epochs as f64),
            ("batch size", self.batch_size as f64),
            ("learning rate", self.rate),
        ];
        for (setting, value) in positive {
            if !(value.is_finite() && value > 0.0) {
                return Err(Error::Setting { setting, message: format!("is {value}, not above 0") });
            }
        }
        if let Some(bits) = self.act_bits.filter(|bits| !ACT_BITS.contains(bits)) {
            let message = format!("is {bits}, not in {ACT_BITS:?}");
            return Err(Error::Setting { setting: "number of spike bits", message });
        }
        if !(self.mixup.is_finite() && self.mixup >= 0.0) {
            return Err(Error::Setting { setting: "mixup", message: format!("is {}, below 0", self.mixup) });
        }
        let shares = [
            ("momentum", self.sgd.momentum),
            ("weight decay", self.sgd.weight_decay),
            ("label smoothing", self.label_smoothing),
        ];
        match shares.iter().find(|(_, value)| !(0.0..1.0).contains(value)) {
            Some((setting, value)) => {
                Err(Error::Setting { setting, message: format!("is {value}, not from 0 to below 1") })
            }
            None => Ok(()),
        }
    }
}

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

/// Watches a run.
pub trait Progress {
    /// After each batch; `Break` ends the run with a checkpoint and [`Error::Stopped`].
    fn batch(&mut self, report: &BatchReport) -> ControlFlow<()>;
    /// After each epoch.
    fn epoch(&mut self, report: &EpochReport);
}

/// Nobody watches.
impl Progress for () {
    fn batch(&mut self, _: &BatchReport) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn epoch(&mut self, _: &EpochReport) {}
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
    while run.position.epoch < task.config.epochs {
        run.epoch(progress)?;
    }
    Ok(run.model)
}

struct Run<'a> {
    task: Task<'a>,
    identity: Identity,
    model: Model<f32>,
    sgd: Sgd<f32>,
    position: Position,
}

impl<'a> Run<'a> {
    fn start(task: Task<'a>) -> Result<Self> {
        let Task { network, train, config, .. } = task;
        config.validate()?;
        let takes = describe(network.input.frames, network.input.shape(), network.classes);
        let has = train.describe();
        if takes != has || train.is_empty() {
            let images = train.len();
            return Err(Error::Batch(format!("the network takes {takes}, the {images} images are {has}")));
        }
        let graph = serde_json::json!({
            "name": network.name,
            "time_steps": network.time_steps,
            "classes": network.classes,
            "input": network.input,
            "nodes": network.nodes,
        });
        let identity = Identity { config: config.clone(), graph, data: train.digest() };
        let mut model = Model::new(network, config.seed, config.layer_wide)?;
        if let Some(bits) = config.act_bits {
            model.round_to(bits)?;
        }
        let mut sgd = Sgd::new(&model, config.sgd);
        let position = match task.checkpoint {
            Some(plan) if plan.path.exists() => {
                checkpoint::load(&plan.path, &identity, &mut model, &mut sgd)?
            }
            _ => Position::default(),
        };
        Ok(Run { task, identity, model, sgd, position })
    }

    fn epoch(&mut self, progress: &mut dyn Progress) -> Result<()> {
        let Task { train, test, config, .. } = self.task;
        let epoch = self.position.epoch;
        let batches = Batches::shuffled(train, config.batch_size, config.seed, epoch, config.augment);
        let schedule = Schedule {
            rate: config.rate,
            warmup: config.warmup_epochs * batches.count(),
            total: config.epochs * batches.count(),
        };
        let (start, seen_before) = (Instant::now(), self.position.seen);
        let input = &self.task.network.input;
        batches.in_background(self.position.batch, input, |x, labels| {
            let rate = schedule.at(epoch * batches.count() + self.position.batch);
            self.batch(x, labels, rate)?;
            let report = BatchReport {
                epoch,
                epochs: config.epochs,
                batch: self.position.batch,
                batches: batches.count(),
                images: labels.len(),
                loss: self.position.loss / self.position.seen as f64,
                accuracy: self.position.correct as f64 / self.position.seen as f64,
            };
            self.position.batch += 1;
            let flow = progress.batch(&report);
            let due =
                self.task.checkpoint.is_some_and(|c| self.position.batch.is_multiple_of(c.every.max(1)));
            if due || flow.is_break() {
                self.save()?;
            }
            if flow.is_break() {
                return Err(Error::Stopped { epoch, batch: self.position.batch });
            }
            Ok(())
        })?;
        let Position { loss, correct, seen, .. } = self.position;
        let seconds = start.elapsed().as_secs_f64();
        self.position = Position { epoch: epoch + 1, ..Position::default() };
        self.save()?;
        let test = test.map(|data| evaluate(&mut self.model, data, config.batch_size)).transpose()?;
        progress.epoch(&EpochReport {
            epoch,
            epochs: config.epochs,
            loss: loss / seen as f64,
            accuracy: correct as f64 / seen as f64,
            seconds,
            images: seen - seen_before,
            test,
        });
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
                Learning::RandomStep(rng.random_range(0..self.task.network.time_steps))
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
    fn save(&self) -> Result<()> {
        if let Some(error) = self.diverged() {
            return Err(error);
        }
        match self.task.checkpoint {
            Some(plan) => checkpoint::save(&plan.path, &self.identity, self.position, &self.model, &self.sgd),
            None => Ok(()),
        }
    }
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
