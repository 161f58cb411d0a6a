//! What random back-propagation and parallel neurons save, beside the ratios of the paper's Fig. 4.

use empf_ir::{Input, Network, NeuronVersion, Op};
use empf_trainer::presets::{Target, preset};
use empf_trainer::{Extents, Frames, Learning, Model, Sgd, SgdConfig, Steps, Tensor};
use std::time::Instant;

const SIDE: usize = 32;
const CLASSES: usize = 10;

/// Options of `bench-neurons`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Factor on the channel counts of ResNet-18
    #[arg(long, default_value_t = 0.5)]
    width: f64,
    /// Images a batch
    #[arg(long, default_value_t = 32)]
    batch: usize,
    /// T
    #[arg(long, default_value_t = 4)]
    time_steps: usize,
    /// Batches of each contender, in turn, after one that is not measured
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
}

#[derive(Clone, Copy)]
enum Work {
    Online,
    RandomBp,
    Inference,
}

/// A way to train or to run ResNet-18.
struct Contender {
    label: &'static str,
    network: &'static str,
    /// Of the neurons behind an addition, and of those inside a block.
    versions: [NeuronVersion; 2],
    work: Work,
    /// Speed in the paper, as a multiple of the first contender of the same work's kind.
    paper: f64,
}

const CONTENDERS: [Contender; 7] = {
    use NeuronVersion::{I, III};
    use Work::{Inference, Online, RandomBp};
    const fn plain(label: &'static str, versions: [NeuronVersion; 2], work: Work, paper: f64) -> Contender {
        Contender { label, network: "resnet18-vanilla", versions, work, paper }
    }
    [
        plain("training: online", [I, I], Online, 1.0),
        plain("training: random BP", [I, I], RandomBp, 1.8),
        plain("training: random BP, 50 % parallel", [I, III], RandomBp, 1.9),
        Contender {
            label: "training: random BP, 50 % parallel, SECA-II",
            network: "resnet18-seca2",
            versions: [I, III],
            work: RandomBp,
            paper: 1.3,
        },
        plain("inference: 0 % parallel", [I, I], Inference, 1.0),
        plain("inference: 50 % parallel", [I, III], Inference, 1.15),
        plain("inference: 100 % parallel", [III, III], Inference, 1.3),
    ]
};

/// Runs a batch of each contender in turn, again and again; prints the medians.
pub(crate) fn run(args: &Args) -> crate::error::Result {
    let mut runners = CONTENDERS.iter().map(|c| Runner::new(args, c)).collect::<Result<Vec<_>, _>>()?;
    for _ in 0..=args.rounds {
        for runner in &mut runners {
            runner.batch()?;
        }
    }
    println!("ResNet-18 at {} of its width, batch {}, T = {}", args.width, args.batch, args.time_steps);
    println!("{:46} {:>10} {:>8} {:>8}", "", "images/s", "ratio", "paper");
    let mut first = 0.0;
    for runner in &mut runners {
        let rate = args.batch as f64 / runner.median();
        if runner.contender.paper == 1.0 {
            first = rate;
        }
        let Contender { label, paper, .. } = runner.contender;
        println!("{label:46} {rate:10.1} {:8.2} {paper:8.2}", rate / first);
    }
    Ok(())
}

struct Runner<'a> {
    contender: &'a Contender,
    model: Model<f32>,
    sgd: Sgd<f32>,
    images: Tensor<f32>,
    labels: Vec<usize>,
    time_steps: usize,
    seconds: Vec<f64>,
}

impl<'a> Runner<'a> {
    fn new(args: &Args, contender: &'a Contender) -> Result<Self, empf_trainer::Error> {
        let input = Input {
            channels: 3,
            height: SIDE,
            width: SIDE,
            frames: 1,
            zero_point: 128.0.into(),
            scale: (1.0 / 64.0).into(),
        };
        let target = Target { input, classes: CLASSES, time_steps: args.time_steps, width: args.width };
        let network = with_neurons(preset(contender.network, &target)?, contender.versions);
        let model = Model::new(&network, 1, false)?;
        let sgd = Sgd::new(&model, SgdConfig { momentum: 0.9, nesterov: true, weight_decay: 5e-4 });
        let mut images =
            Tensor::zeros(Extents { images: args.batch, height: SIDE, width: SIDE, channels: 3 });
        for (i, pixel) in images.data.iter_mut().enumerate() {
            *pixel = (i * 7919 % 256) as f32 / 128.0 - 1.0;
        }
        let labels = (0..args.batch).map(|i| i % CLASSES).collect();
        Ok(Runner { contender, model, sgd, images, labels, time_steps: args.time_steps, seconds: vec![] })
    }

    fn batch(&mut self) -> Result<(), empf_trainer::Error> {
        let frames = Frames::Static(&self.images);
        let learning = match self.contender.work {
            Work::Online => Some(Learning::Online),
            Work::RandomBp => Some(Learning::Random(Steps::of([self.seconds.len() % self.time_steps]))),
            Work::Inference => None,
        };
        let start = Instant::now();
        match learning {
            Some(learning) => {
                self.model.train_batch(frames, &self.labels, learning)?;
                self.sgd.step(&mut self.model, 0.01);
            }
            None => drop(self.model.evaluate(frames)?),
        }
        self.seconds.push(start.elapsed().as_secs_f64());
        Ok(())
    }

    /// Seconds of a batch; the first one allocates memory and does not count.
    fn median(&self) -> f64 {
        let mut seconds = self.seconds[1..].to_vec();
        seconds.sort_by(f64::total_cmp);
        seconds[seconds.len() / 2]
    }
}

/// `network` with neurons of the two versions in turn: the first convolution's and those behind an addition have
/// the first, those inside a block the second.
fn with_neurons(mut network: Network, versions: [NeuronVersion; 2]) -> Network {
    let neurons = network.nodes.iter_mut().filter_map(|node| match &mut node.op {
        Op::Neuron { version, .. } => Some(version),
        _ => None,
    });
    neurons.enumerate().for_each(|(i, version)| *version = versions[i % 2]);
    network
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_neurons_are_those_of_the_preset() {
        let input = Input {
            channels: 3,
            height: SIDE,
            width: SIDE,
            frames: 1,
            zero_point: 0.0.into(),
            scale: 1.0.into(),
        };
        let target = Target { input, classes: CLASSES, time_steps: 2, width: 0.25 };
        let vanilla = preset("resnet18-vanilla", &target).unwrap();
        let half = with_neurons(vanilla, [NeuronVersion::I, NeuronVersion::III]);
        assert_eq!(half.nodes, preset("resnet18", &target).unwrap().nodes);
    }
}
