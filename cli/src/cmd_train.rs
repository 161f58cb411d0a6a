//! `empf train`: online training of a network.

use crate::augment_args::AugmentArgs;
use crate::error::{Error, Result};
use crate::judgement::Judgement;
use crate::output::{percent, print};
use crate::run_folder::RunFolder;
use clap::ValueEnum;
use clap::builder::PossibleValuesParser;
use empf_data::{Dataset, Split};
use empf_ir::formats::MAX_TIME_STEPS;
use empf_trainer::Device;
use empf_trainer::layers::conv::Precision;
use empf_trainer::presets::{PRESETS, Target, preset, settings};
use empf_trainer::runs::train::{Rule, Task, TrainConfig, train};
use std::path::PathBuf;

/// Train a network online: nothing flows back through time
///
/// The run's folder holds a checkpoint, metrics.jsonl and the same for TensorBoard,
/// curves.svg and .png, and best/, the network of the epoch with the best test
/// accuracy; at the end network/, the last one, evaluation.json with the confusion
/// matrix, confusion.svg and .png. The same options give the same weights, however
/// often a run is interrupted.
///
/// Classes are called as the data says, by the names of folders or files, and the
/// network keeps their names. A class without an image is refused.
///
/// Examples:
///   empf train --network tiny -o runs/tiny
///   empf train --data data/fashion_mnist --network vgg-small -o runs/fashion
///   empf train --data data/fashion_mnist --network vgg-small -o runs/fashion --resume
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// `glyphs`, which is generated, or a folder with an MNIST-like set (idx), CIFAR-10 or -100 (.bin), the UCI
    /// digits (csv), Tiny ImageNet, or photographs (JPEG, PNG) or events (N-MNIST, N-CARS, AEDAT) in a folder for each
    /// class; .gz, .xz, .tar and .zip are read in place
    #[arg(long, default_value = "glyphs", value_name = "glyphs|DIR")]
    data: String,
    /// tiny, vgg-small, resnet18, resnet34, vgg13, vgg-snn or a variant of theirs
    #[arg(long, default_value = "tiny", value_parser = PossibleValuesParser::new(PRESETS), hide_possible_values = true)]
    network: String,
    /// T, 1 to 63
    #[arg(long, default_value_t = 4)]
    time_steps: usize,
    /// Factor on the network's channel counts
    #[arg(long, default_value_t = 1.0)]
    width: f64,
    /// Passes over the data [default: the network's]
    #[arg(long)]
    epochs: Option<usize>,
    /// Images a batch [default: the network's]
    #[arg(long)]
    batch: Option<usize>,
    /// Learning rate [default: the network's]
    #[arg(long)]
    rate: Option<f64>,
    /// Decides initial weights, order and augmentation [default: the network's]
    #[arg(long)]
    seed: Option<u64>,
    /// Which time-steps pass back [default: the network's, which is random]
    #[arg(long, value_enum, value_name = "RULE")]
    rule: Option<RuleName>,
    /// How many steps of a batch pass back with --rule random, all different [default: 1]
    #[arg(long, value_name = "K")]
    random_steps: Option<usize>,
    /// Whether the momentum looks ahead [default: the network's]
    #[arg(long, value_name = "true|false")]
    nesterov: Option<bool>,
    /// Epochs in which the learning rate rises [default: the network's]
    #[arg(long, value_name = "EPOCHS")]
    warmup: Option<usize>,
    /// Judge and keep a running average of the weights, which keeps this share at each batch, such as 0.999
    #[arg(long, value_name = "DECAY")]
    ema: Option<f64>,
    /// Round spikes to this many bits, 2 to 8, so that the network learns with them [default: not at all]
    #[arg(long, value_name = "A")]
    act_bits: Option<u32>,
    /// Learn one leak and one threshold a layer and time-step, instead of one a channel [default: the network's]
    #[arg(long)]
    layer_wide: bool,
    /// Multiply in bf16 where convolutions are large: faster on processors with AVX512-BF16
    #[arg(long)]
    bf16: bool,
    /// Where batches are computed
    #[arg(long, value_enum, default_value = "cpu", value_name = "cpu|cuda")]
    device: DeviceName,
    #[command(flatten)]
    augment: AugmentArgs,
    /// Go on from the checkpoint in the run's folder, or start where there is no run
    #[arg(long)]
    resume: bool,
    /// Folder of the run
    #[arg(short, long, value_name = "RUN")]
    output: PathBuf,
}

/// Which time-steps pass back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum RuleName {
    /// Every one, by itself
    Online,
    /// Random ones of each batch
    Random,
    /// All, back through time; memory grows with T
    ThroughTime,
}

/// Where batches are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum DeviceName {
    /// All cores of the processor
    Cpu,
    /// The first NVIDIA GPU; the program has to be built with --features cuda
    Cuda,
}

impl From<DeviceName> for Device {
    fn from(name: DeviceName) -> Self {
        match name {
            DeviceName::Cpu => Device::Cpu,
            DeviceName::Cuda => Device::Cuda,
        }
    }
}

impl From<RuleName> for Rule {
    fn from(name: RuleName) -> Self {
        match name {
            RuleName::Online => Rule::Online,
            RuleName::Random => Rule::RandomBp,
            RuleName::ThroughTime => Rule::ThroughTime,
        }
    }
}

impl Args {
    fn config(&self) -> TrainConfig {
        let mut config = settings(&self.network);
        config.epochs = self.epochs.unwrap_or(config.epochs);
        config.batch_size = self.batch.unwrap_or(config.batch_size);
        config.rate = self.rate.unwrap_or(config.rate);
        config.seed = self.seed.unwrap_or(config.seed);
        config.act_bits = self.act_bits;
        config.layer_wide |= self.layer_wide;
        if self.bf16 {
            config.precision = Precision::Bf16;
        }
        self.augment.apply(&mut config);
        config.rule = self.rule.map_or(config.rule, Rule::from);
        config.random_steps = self.random_steps.unwrap_or(config.random_steps);
        config.sgd.nesterov = self.nesterov.unwrap_or(config.sgd.nesterov);
        config.warmup_epochs = self.warmup.unwrap_or(config.warmup_epochs);
        config.ema = self.ema;
        config.device = self.device.into();
        config
    }
}

/// Trains, saves the network and prints its accuracy.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut folder = RunFolder::new(&args.output, args.resume)?;
    if !(1..=MAX_TIME_STEPS).contains(&args.time_steps) {
        let message = format!("is {}, not 1 to {MAX_TIME_STEPS}", args.time_steps);
        return Err(Error::Option { option: "time-steps", message });
    }
    let config = args.config();
    if args.random_steps.is_some() && config.rule != Rule::RandomBp {
        return Err(Error::Option { option: "random-steps", message: "is for --rule random".into() });
    }
    let Split { train: images, test } = args.augment.load(&args.data, args.time_steps)?;
    check_classes(args, &images, &test)?;
    let target = Target::of(&images, args.time_steps, args.width)?;
    let mut network = preset(&args.network, &target)?;
    network.class_names = images.class_names.clone();
    let plan = folder.plan();
    let task = Task {
        network: &network,
        train: &images,
        test: Some(&test),
        config: &config,
        checkpoint: Some(&plan),
    };
    let mut model = train(task, &mut folder)?;
    folder.save(&model, "network")?;
    let judgement = Judgement::of(&mut model, &test)?;
    judgement.save(&args.output)?;
    let accuracy = percent(judgement.evaluation.accuracy());
    print(&format!("test accuracy {accuracy}; network in {}", args.output.join("network").display()))
}

/// There is something to learn of every class; what cannot be judged is noted.
fn check_classes(args: &Args, train: &Dataset, test: &Dataset) -> Result<()> {
    let reading = args.augment.reading;
    if let Some(missing) = reading.missing_classes(train, "to learn from") {
        return Err(Error::file(&args.data, missing));
    }
    if let Some(missing) = reading.missing_classes(test, "to judge by") {
        eprintln!("note: {} {missing}", args.data);
    }
    Ok(())
}
