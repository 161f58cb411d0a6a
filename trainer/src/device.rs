//! Where batches are computed.

use crate::Float;
#[cfg(not(feature = "cuda"))]
use crate::error::Error;
use crate::error::Result;
use crate::model::{Engine, Model};
use serde::{Deserialize, Serialize};

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

impl<F: Float> Model<F> {
    /// Batches are computed on `device` from now on; nothing else about the model changes.
    pub fn set_device(&mut self, device: Device) -> Result<()> {
        let engine = match device {
            Device::Cpu => None,
            Device::Cuda => Some(cuda(self)?),
        };
        self.set_engine(engine);
        Ok(())
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
