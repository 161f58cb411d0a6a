//! Judging a model by labelled images.

use crate::error::Result;
use crate::runs::batches::Batches;
use crate::{Float, Frames, Model, Tensor};
use empf_data::Dataset;
use empf_ir::trace::answer;

/// Answers on a data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// `confusion[true class][answer]` images.
    pub confusion: Vec<Vec<usize>>,
}

impl Evaluation {
    /// Counts of the given answers.
    pub fn new(classes: usize, labels: &[u16], answers: &[usize]) -> Self {
        let mut confusion = vec![vec![0; classes]; classes];
        for (label, answer) in labels.iter().zip(answers) {
            confusion[usize::from(*label)][*answer] += 1;
        }
        Evaluation { confusion }
    }

    /// Images.
    pub fn total(&self) -> usize {
        self.confusion.iter().flatten().sum()
    }

    /// Images whose answer is their class.
    pub fn correct(&self) -> usize {
        self.confusion.iter().enumerate().map(|(class, row)| row[class]).sum()
    }

    /// Share of correct answers, 0..=1.
    pub fn accuracy(&self) -> f64 {
        self.correct() as f64 / self.total().max(1) as f64
    }
}

/// Answers with the running statistics, `batch_size` images at a time.
pub fn evaluate<F: Float>(model: &mut Model<F>, data: &Dataset, batch_size: usize) -> Result<Evaluation> {
    judge_by(model, data, batch_size, |model, frames| model.evaluate(frames))
}

/// As [`evaluate`], by the processor; calls `watch` with the model, the batch and the step's number after every
/// time-step.
pub(crate) fn judge<F: Float>(
    model: &mut Model<F>,
    data: &Dataset,
    batch_size: usize,
    mut watch: impl FnMut(&Model<F>, Frames<'_, F>, usize),
) -> Result<Evaluation> {
    judge_by(model, data, batch_size, |model, frames| {
        model.evaluate_watched(frames, |model, t| watch(model, frames, t))
    })
}

fn judge_by<F: Float>(
    model: &mut Model<F>,
    data: &Dataset,
    batch_size: usize,
    mut logits: impl FnMut(&mut Model<F>, Frames<'_, F>) -> Result<Tensor<F>>,
) -> Result<Evaluation> {
    let batches = Batches::in_order(data, batch_size);
    let input = model.graph().input.clone();
    let mut answers = Vec::with_capacity(data.len());
    batches.in_background(0, &input, |x, _| {
        let logits = logits(model, Frames::of(x))?;
        answers.extend(logits.data.chunks_exact(logits.extents.channels).map(answer));
        Ok(())
    })?;
    Ok(Evaluation::new(model.graph().classes, &data.labels, &answers))
}
