//! Options of training that say how data enters.

use crate::data::ReadingArgs;
use crate::error::{Error, Result};
use clap::ValueEnum;
use empf_data::{GLYPHS, Policy, Split};
use empf_trainer::runs::train::TrainConfig;

/// Pairs of operations that AutoAugment found.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum PolicyName {
    Cifar10,
    Imagenet,
}

/// How data is read and changed at random.
#[derive(Debug, clap::Args)]
pub(crate) struct AugmentArgs {
    #[command(flatten)]
    pub(crate) reading: ReadingArgs,
    /// Rows and columns of what has no size of its own [default: 48 for events, 224 for photographs]
    #[arg(long, value_name = "SIDE")]
    side: Option<usize>,
    /// Shift images by up to so many pixels at random: a window of an image with a border, 0 for none
    /// [default: the network's]
    #[arg(long, value_name = "PIXELS")]
    crop: Option<usize>,
    /// Mirror half of the images [default: the network's]
    #[arg(long, value_name = "true|false", num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    flip: Option<bool>,
    /// Empty a square of this side at a random place, 0 for none [default: the network's]
    #[arg(long, value_name = "SIDE")]
    cutout: Option<usize>,
    /// Change images by AutoAugment's pairs of operations for this set [default: none]
    #[arg(long, value_enum, hide_possible_values = true, value_name = "cifar10|imagenet")]
    auto_augment: Option<PolicyName>,
    /// Mirror, roll, turn or cut out the frames of events [default: not at all]
    #[arg(long)]
    event_augment: bool,
    /// Mix images in pairs, with shares from Beta(ALPHA, ALPHA); 0 for none [default: the network's]
    #[arg(long, value_name = "ALPHA")]
    mixup: Option<f64>,
    /// Spread this share of each target over all classes [default: the network's]
    #[arg(long, value_name = "SHARE")]
    label_smoothing: Option<f64>,
}

impl AugmentArgs {
    /// The data set; recordings of events become `time_steps` frames.
    pub(crate) fn load(&self, source: &str, time_steps: usize) -> Result<Split> {
        if source == GLYPHS && self.side.is_some() {
            let message = format!("is for what has no size of its own; `{GLYPHS}` have one");
            return Err(Error::Option { option: "side", message });
        }
        self.reading.load(source, time_steps, self.side.map(|side| (side, side)))
    }

    /// Changes the settings where an option is given.
    pub(crate) fn apply(&self, config: &mut TrainConfig) {
        let augment = &mut config.augment;
        augment.shift = self.crop.unwrap_or(augment.shift);
        augment.flip = self.flip.unwrap_or(augment.flip);
        augment.cutout = self.cutout.unwrap_or(augment.cutout);
        augment.policy = match self.auto_augment {
            Some(PolicyName::Cifar10) => Some(Policy::Cifar10),
            Some(PolicyName::Imagenet) => Some(Policy::Imagenet),
            None => augment.policy,
        };
        augment.events |= self.event_augment;
        config.mixup = self.mixup.unwrap_or(config.mixup);
        config.label_smoothing = self.label_smoothing.unwrap_or(config.label_smoothing);
    }
}
