//! `empf train`: online training of a network.

use crate::augment_args::AugmentArgs;
use crate::error::{Error, Result};
use crate::output::{percent, print};
use clap::builder::PossibleValuesParser;
use empf_ir::store;
use empf_trainer::Bar;
use empf_trainer::conv::Precision;
use empf_trainer::data::Split;
use empf_trainer::evaluate::evaluate;
use empf_trainer::presets::{PRESETS, Target, preset, settings};
use empf_trainer::train::{CheckpointPlan, Rule, Task, TrainConfig, train};
use std::path::PathBuf;

/// Name of the checkpoint in a run's folder.
const CHECKPOINT: &str = "checkpoint.safetensors";

/// Train a network online: nothing flows back through time
///
/// The run's folder holds a checkpoint and, at the end, network/ with network.json
/// and weights.safetensors. The same options give the same weights, however often a
/// run is interrupted.
///
/// Examples:
///   empf train --network tiny -o runs/tiny
///   empf train --data data/fashion_mnist --network vgg-small -o runs/fashion
///   empf train --data data/fashion_mnist --network vgg-small -o runs/fashion --resume
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// `glyphs`, which is generated, or a folder with an MNIST-like set (idx), CIFAR-10 or -100 (.bin), the UCI
    /// digits (csv), Tiny ImageNet, or photographs (JPEG) or events (N-MNIST, N-CARS, AEDAT) in a folder for each
    /// class; .gz, .xz, .tar and .zip are read in place
    #[arg(long, default_value = "glyphs", value_name = "glyphs|DIR")]
    data: String,
    /// tiny, vgg-small, resnet18, resnet34, vgg13, vgg-snn or a variant of theirs
    #[arg(long, default_value = "tiny", value_parser = PossibleValuesParser::new(PRESETS), hide_possible_values = true)]
    network: String,
    /// T
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
    /// Pass every time-step back, not one random step of each batch
    #[arg(long)]
    online: bool,
    /// Round spikes to this many bits, 2 to 8, so that the network learns with them [default: not at all]
    #[arg(long, value_name = "A")]
    act_bits: Option<u32>,
    /// Multiply in bf16 where convolutions are large: faster on processors with AVX512-BF16
    #[arg(long)]
    bf16: bool,
    #[command(flatten)]
    augment: AugmentArgs,
    /// Go on from the checkpoint in the run's folder
    #[arg(long)]
    resume: bool,
    /// Folder of the run
    #[arg(short, long, value_name = "RUN")]
    output: PathBuf,
}

impl Args {
    fn config(&self) -> TrainConfig {
        let mut config = settings(&self.network);
        config.epochs = self.epochs.unwrap_or(config.epochs);
        config.batch_size = self.batch.unwrap_or(config.batch_size);
        config.rate = self.rate.unwrap_or(config.rate);
        config.seed = self.seed.unwrap_or(config.seed);
        config.act_bits = self.act_bits;
        if self.bf16 {
            config.precision = Precision::Bf16;
        }
        self.augment.apply(&mut config);
        if self.online {
            config.rule = Rule::Online;
        }
        config
    }
}

/// Trains, saves the network and prints its accuracy.
pub(crate) fn run(args: &Args) -> Result<()> {
    let checkpoint = args.output.join(CHECKPOINT);
    if checkpoint.exists() && !args.resume {
        let message = "holds a checkpoint of an earlier run; add --resume to go on, or choose another output";
        return Err(Error::file(&args.output, message));
    }
    let Split { train: images, test, .. } = args.augment.load(&args.data, args.time_steps)?;
    let target = Target::of(&images, args.time_steps, args.width)?;
    let network = preset(&args.network, &target)?;
    store::create_dir(&args.output)?;
    let config = args.config();
    let plan = CheckpointPlan { path: checkpoint, every: 200 };
    let task = Task {
        network: &network,
        train: &images,
        test: Some(&test),
        config: &config,
        checkpoint: Some(&plan),
    };
    let mut model = train(task, &mut Bar::default())?;
    let folder = args.output.join("network");
    model.to_network().save(&folder)?;
    let judged = evaluate(&mut model, &test, config.batch_size)?;
    print(&format!("test accuracy {}; network in {}", percent(judged.accuracy()), folder.display()))
}
