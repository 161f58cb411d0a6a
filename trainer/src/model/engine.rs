//! What may compute a model's batches in the processor's place.

use super::{Frames, Learning, Model, Outcome};
#[cfg(not(feature = "cuda"))]
use crate::error::Error;
use crate::error::Result;
use crate::{Float, Tensor};
use serde::{Deserialize, Serialize};
use std::fmt::Debug;

/// Where batches are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Device {
    /// All cores of the processor.
    #[default]
    Cpu,
    /// The first NVIDIA GPU. Sums round in another order than on the processor.
    Cuda,
}

impl Device {
    /// What computes batches of models like `model` there; nothing for the processor.
    pub(super) fn engine<F: Float>(self, model: &Model<F>) -> Result<Option<Box<dyn Engine<F>>>> {
        match self {
            Device::Cpu => Ok(None),
            Device::Cuda => cuda(model).map(Some),
        }
    }
}

#[cfg(feature = "cuda")]
fn cuda<F: Float>(model: &Model<F>) -> Result<Box<dyn Engine<F>>> {
    Ok(Box::new(crate::cuda::Cuda::new(model)?))
}

#[cfg(not(feature = "cuda"))]
fn cuda<F: Float>(_: &Model<F>) -> Result<Box<dyn Engine<F>>> {
    Err(Error::Gpu("this program was built without it; build with `--features cuda`".into()))
}

/// Computes batches of a model elsewhere. It has checked what it is given.
pub(crate) trait Engine<F>: Debug + Send + Sync {
    /// As [`Model::train_batch_towards`]: leaves gradients and running statistics in the model.
    fn train_batch(
        &mut self,
        model: &mut Model<F>,
        frames: Frames<'_, F>,
        targets: &[F],
        learning: Learning,
    ) -> Result<Outcome<F>>;

    /// As [`Model::evaluate`].
    fn evaluate(&mut self, model: &mut Model<F>, frames: Frames<'_, F>) -> Result<Tensor<F>>;

    /// Whether the result of node number `node` in the last batch has finite numbers alone.
    fn is_finite(&self, node: usize) -> Result<bool>;
}
