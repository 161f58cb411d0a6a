//! What enters a network, with classes where they are known.

use crate::data::{Interface, ReadingArgs, SplitName};
use crate::error::{Error, Result};
use empf_ir::counted;
use empf_sim::interleaved;
use empf_sim::numpy::{Inputs, read_inputs};
use ndarray::{ArrayView5, Axis, Slice};
use std::path::Path;

/// How many samples are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    /// As many, and no fewer.
    Exactly(usize),
    /// What is there, up to as many.
    AtMost(usize),
}

impl Count {
    /// What the user says, or what is there up to `most`.
    pub(crate) fn or_default(said: Option<usize>, most: usize) -> Self {
        said.map_or(Count::AtMost(most), Count::Exactly)
    }

    /// How many of the samples that `source` has are taken.
    pub(crate) fn of(self, source: &str, available: usize) -> Result<usize> {
        match self {
            _ if available == 0 => Err(Error::file(source, "holds no samples")),
            Count::AtMost(most) => Ok(most.min(available)),
            Count::Exactly(count) if (1..=available).contains(&count) => Ok(count),
            Count::Exactly(count) => {
                let (verb, samples) = (if count == 1 { "is" } else { "are" }, counted(count, "sample"));
                let message =
                    format!("{samples} {verb} asked for, there are {available}; give 1 to {available}");
                Err(Error::Option { option: "samples", message })
            }
        }
    }
}

/// Samples in the shape that a network takes.
#[derive(Debug)]
pub(crate) struct Samples {
    inputs: Inputs,
}

impl Samples {
    /// The first `count` samples of a `.npy` or `.npz` file or of a data set's split, which must fit a
    /// network; events are cut into the frames that it takes.
    pub(crate) fn load(
        source: &str,
        split: SplitName,
        reading: ReadingArgs,
        network: &Interface,
        count: Count,
    ) -> Result<Self> {
        let is_numpy = Path::new(source).extension().is_some_and(|e| e == "npy" || e == "npz");
        if !is_numpy {
            let data = network.part(source, split, reading)?;
            let count = count.of(source, data.len())?;
            let labels = data.labels[..count].iter().map(|label| usize::from(*label)).collect();
            return Ok(Samples { inputs: Inputs { frames: data.codes(count)?, labels: Some(labels) } });
        }
        if reading.first_label != 0 {
            let message = "is for idx files; shift the array `labels`".into();
            return Err(Error::Option { option: "first-label", message });
        }
        let mut inputs = read_inputs(Path::new(source), &network.input)?;
        network.check_labels(source, inputs.labels.as_deref().unwrap_or_default())?;
        let count = count.of(source, inputs.frames.len_of(Axis(0)))?;
        inputs.frames.slice_axis_inplace(Axis(0), Slice::from(..count));
        inputs.labels.iter_mut().for_each(|labels| labels.truncate(count));
        Ok(Samples { inputs })
    }

    /// Number of samples.
    pub(crate) fn len(&self) -> usize {
        self.inputs.frames.len_of(Axis(0))
    }

    /// All samples, `[sample, frame, channel, y, x]`.
    pub(crate) fn frames(&self) -> ArrayView5<'_, u8> {
        self.inputs.frames.view()
    }

    /// Sample `index` as engines read it.
    pub(crate) fn bytes(&self, index: usize) -> Vec<u8> {
        interleaved(self.inputs.frames.index_axis(Axis(0), index))
    }

    /// Sample `index` by itself, without its class.
    pub(crate) fn only(&self, index: usize) -> Inputs {
        let sample = Slice::from(index..index + 1);
        Inputs { frames: self.inputs.frames.slice_axis(Axis(0), sample).to_owned(), labels: None }
    }

    /// All samples and their classes.
    pub(crate) fn inputs(&self) -> &Inputs {
        &self.inputs
    }

    /// Class of sample `index`, where it is known.
    pub(crate) fn label(&self, index: usize) -> Option<usize> {
        self.inputs.labels.as_ref().map(|labels| labels[index])
    }

    /// How many of the answers are right, where the classes are known.
    pub(crate) fn correct(&self, answers: &[usize]) -> Option<usize> {
        let labels = self.inputs.labels.as_ref()?;
        Some(labels.iter().zip(answers).filter(|(label, answer)| label == answer).count())
    }
}
