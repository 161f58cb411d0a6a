//! Networks by name.

mod builder;
mod memory;
mod resnet;
mod target;
mod vgg;

pub use memory::ParameterMemory;
pub use target::Target;

use crate::error::{Error, Result};
use crate::layers::conv::Precision;
use crate::runs::train::{Rule, TrainConfig};
use crate::{Device, SgdConfig};
use builder::Builder;
use empf_data::Augment;
use empf_ir::{Network, NeuronVersion};
use resnet::{Block, Depth};
use vgg::Small;

/// Names that [`preset`] knows.
///
/// `tiny`, `vgg-small`: for tests and for hours of a desktop; the latter mixes versions I and III, and with the
/// suffixes `-vanilla`, `-parallel`, `-membrane`, `-seca1` and `-seca2` it has version I, III, II, and II with
/// channel attention. The paper's networks: `resnet18` and `resnet34`
/// of blocks whose inner neuron is parallel (Fig. 3b), and with the suffixes `-vanilla` (3a), `-parallel` (every
/// neuron), `-seca1` and `-seca2` (3c, 3d, membrane normalisation); `vgg13`, and with attention `vgg13-seca1`;
/// `vgg-snn`. With the suffix `-lif` LIF neurons and float weights, for comparison.
pub const PRESETS: [&str; 23] = [
    "tiny",
    "vgg-small",
    "vgg-small-vanilla",
    "vgg-small-parallel",
    "vgg-small-membrane",
    "vgg-small-seca1",
    "vgg-small-seca2",
    "vgg-small-lif",
    "vgg13",
    "vgg13-seca1",
    "vgg-snn",
    "resnet18",
    "resnet18-vanilla",
    "resnet18-parallel",
    "resnet18-seca1",
    "resnet18-seca2",
    "resnet18-lif",
    "resnet34",
    "resnet34-vanilla",
    "resnet34-parallel",
    "resnet34-seca1",
    "resnet34-seca2",
    "resnet34-lif",
];

/// Settings that suit the network called `name`: `tiny` reaches 98 % on the generated glyphs in under a
/// minute of two cores, `vgg-small` 92 to 93 % on Fashion-MNIST in 15 to 20 minutes; the others have the
/// paper's.
pub fn settings(name: &str) -> TrainConfig {
    let config = TrainConfig {
        epochs: 300,
        batch_size: 64,
        rate: 0.01,
        warmup_epochs: 0,
        sgd: SgdConfig { momentum: 0.9, nesterov: true, weight_decay: 5e-4 },
        rule: Rule::RandomBp,
        random_steps: 1,
        augment: Augment { shift: 4, flip: true, cutout: 8, ..Augment::default() },
        label_smoothing: 0.0,
        mixup: 0.0,
        seed: 1,
        layer_wide: false,
        act_bits: None,
        ema: None,
        precision: Precision::Full,
        device: Device::Cpu,
    };
    match name {
        "tiny" => TrainConfig {
            epochs: 16,
            rate: 0.6,
            augment: Augment { shift: 2, ..Augment::default() },
            ..config
        },
        name if name.starts_with("vgg-small") => TrainConfig {
            epochs: 10,
            rate: 0.2,
            augment: Augment { flip: true, ..Augment::default() },
            ..config
        },
        "vgg-snn" => TrainConfig { batch_size: 32, ..config },
        name if name.starts_with("resnet34") => TrainConfig { epochs: 120, batch_size: 256, ..config },
        _ => config,
    }
}

/// The graph called `name`, without tensors. An input too small for its poolings is refused.
pub fn preset(name: &str, target: &Target) -> Result<Network> {
    use NeuronVersion::{I, II};
    if !(target.width.is_finite() && target.width > 0.0) {
        return Err(Error::Setting {
            setting: "width",
            message: format!("is {}, not a positive factor", target.width),
        });
    }
    let small = |variant: &str| variant.strip_prefix("small").and_then(Small::named);
    let mut b = Builder::new(target);
    let (base, variant) = name.split_once('-').unwrap_or((name, ""));
    match (base, variant) {
        ("tiny", "") => vgg::tiny(&mut b),
        ("vgg", variant) if small(variant).is_some() => {
            vgg::small(&mut b, small(variant).unwrap_or(Small::Mixed));
        }
        ("vgg", "snn") => vgg::snn(&mut b),
        ("vgg13", "") => vgg::vgg13(&mut b, I, false),
        ("vgg13", "seca1") => vgg::vgg13(&mut b, II, true),
        ("resnet18" | "resnet34", variant) if Block::named(variant).is_some() => {
            let depth = if base == "resnet18" { Depth::RESNET18 } else { Depth::RESNET34 };
            resnet::resnet(&mut b, depth, Block::named(variant).unwrap_or(Block::Half));
        }
        _ => {
            return Err(Error::Setting {
                setting: "network",
                message: format!("`{name}` is not known; there are {}", PRESETS.join(", ")),
            });
        }
    }
    b.finish(name)
}
