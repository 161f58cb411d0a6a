//! Networks by name.

use crate::SgdConfig;
use crate::data::Augment;
use crate::error::{Error, Result};
use crate::train::{Rule, TrainConfig};
use empf_ir::{INPUT, Input, Network, NeuronVersion, Node, Op, Tensors, WeightKind};

/// Names that [`preset`] knows.
pub const PRESETS: [&str; 2] = ["tiny", "vgg-small"];

/// Settings that suit the network called `name`: `tiny` reaches 98 % on the generated glyphs in under a
/// minute of two cores, `vgg-small` 92 to 93 % on Fashion-MNIST in 15 to 20 minutes.
pub fn settings(name: &str) -> TrainConfig {
    let tiny = name == "tiny";
    TrainConfig {
        epochs: if tiny { 16 } else { 10 },
        batch_size: 64,
        rate: if tiny { 0.6 } else { 0.2 },
        warmup_epochs: 0,
        sgd: SgdConfig { momentum: 0.9, nesterov: true, weight_decay: 5e-4 },
        rule: Rule::RandomBp,
        augment: Augment { shift: if tiny { 2 } else { 0 }, flip: !tiny },
        seed: 1,
        layer_wide: false,
    }
}

/// What a network is built for.
#[derive(Clone, Debug)]
pub struct Target {
    /// What enters.
    pub input: Input,
    /// Number of classes.
    pub classes: usize,
    /// T.
    pub time_steps: usize,
    /// Factor on every channel count but input and classes, rounded to at least 1.
    pub width: f64,
}

/// The graph called `name`, without tensors.
pub fn preset(name: &str, target: &Target) -> Result<Network> {
    use NeuronVersion::{I, III};
    if !(target.width.is_finite() && target.width > 0.0) {
        return Err(Error::Setting {
            setting: "width",
            message: format!("is {}, not a positive factor", target.width),
        });
    }
    let mut b = Builder { nodes: vec![], width: target.width };
    match name {
        "tiny" => {
            b.conv(16, WeightKind::Float, 2, I);
            b.conv(32, WeightKind::Sign, 1, I);
            b.pool();
            b.conv(32, WeightKind::Sign, 1, III);
        }
        "vgg-small" => {
            b.conv(32, WeightKind::Float, 1, I);
            b.conv(32, WeightKind::Sign, 1, III);
            b.pool();
            b.conv(64, WeightKind::Sign, 1, I);
            b.conv(64, WeightKind::Sign, 1, III);
            b.pool();
            b.conv(128, WeightKind::Sign, 1, I);
        }
        other => {
            return Err(Error::Setting {
                setting: "network",
                message: format!("`{other}` is not known; there are {}", PRESETS.join(", ")),
            });
        }
    }
    b.head(target.classes);
    let network = Network {
        name: name.into(),
        time_steps: target.time_steps,
        classes: target.classes,
        input: target.input.clone(),
        nodes: b.nodes,
        tensors: Tensors::default(),
    };
    network.shapes()?;
    Ok(network)
}

struct Builder {
    nodes: Vec<Node<Op>>,
    width: f64,
}

impl Builder {
    fn push(&mut self, kind: &str, op: Op) {
        let count = self.nodes.iter().filter(|n| n.name.starts_with(kind)).count();
        let input = self.nodes.last().map_or(INPUT.to_string(), |n| n.name.clone());
        self.nodes.push(Node { name: format!("{kind}{}", count + 1), inputs: vec![input], op });
    }

    /// 3x3 convolution, batch normalisation, neuron.
    fn conv(&mut self, channels: usize, weights: WeightKind, stride: usize, version: NeuronVersion) {
        let out_channels = ((channels as f64 * self.width).round() as usize).max(1);
        self.push("conv", Op::Conv { out_channels, kernel: 3, stride, padding: 1, weights });
        self.push("bn", Op::BatchNorm { eps: 1e-5 });
        self.push("neuron", Op::Neuron { version, eps: 1e-5 });
    }

    fn pool(&mut self) {
        self.push("pool", Op::AvgPool { kernel: 2, stride: 2 });
    }

    fn head(&mut self, classes: usize) {
        self.push("gap", Op::GlobalAvgPool);
        self.push("fc", Op::Linear { out_features: classes });
    }
}
