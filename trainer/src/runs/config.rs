//! Settings of a training run.

use crate::Device;
use crate::error::{Error, Result};
use crate::layers::conv::Precision;
use crate::runs::optimizer::SgdConfig;
use empf_data::Augment;
use empf_ir::formats::{ACT_BITS, MAX_TIME_STEPS};
use serde::{Deserialize, Serialize};

/// How a batch becomes gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Every time-step passes back.
    Online,
    /// Some random time-steps of each batch pass back.
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
    /// k: time-steps of a batch that pass back in random back-propagation, 1..=T, all different.
    #[serde(default = "one")]
    pub random_steps: usize,
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
    /// Share of its past that a running average of the weights keeps at each batch, 0 to below 1. The average is
    /// what is judged and what is the result; `None`: the weights themselves.
    #[serde(default)]
    pub ema: Option<f64>,
    /// What large convolutions multiply.
    #[serde(default)]
    pub precision: Precision,
    /// Where batches are computed; checkpoints of one device are not gone on from on another.
    #[serde(default)]
    pub device: Device,
}

fn one() -> usize {
    1
}

impl TrainConfig {
    pub(super) fn validate(&self, time_steps: usize) -> Result<()> {
        if !(1..=MAX_TIME_STEPS).contains(&time_steps) {
            let message = format!("is {time_steps}, not 1 to {MAX_TIME_STEPS}");
            return Err(Error::Setting { setting: "number of time-steps", message });
        }
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
        if !(1..=time_steps).contains(&self.random_steps) {
            let message = format!("is {}, not in 1..={time_steps}", self.random_steps);
            return Err(Error::Setting { setting: "number of random steps", message });
        }
        if self.device == Device::Cpu && !self.precision.is_native() {
            let message = "is bf16, for which this processor has no instructions (AVX512-BF16)".into();
            return Err(Error::Setting { setting: "precision", message });
        }
        let shares = [
            ("decay of the average", self.ema.unwrap_or_default()),
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
