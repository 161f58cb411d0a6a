//! What a network answers on test images, and what that costs.

use crate::confusion::Confusion;
use crate::error::Result;
use crate::folder::Kind;
use crate::output::{grouped, percent};
use crate::picture;
use crate::table::Table;
use empf_data::Dataset;
use empf_ir::{ClassNames, WeightKind, store};
use empf_trainer::Model;
use empf_trainer::runs::activity::{Activity, Neurons, Synapses, measure};
use empf_trainer::runs::evaluate::Evaluation;
use serde::Serialize;
use std::cmp::Reverse;
use std::path::Path;

/// Name of the file of figures.
pub(crate) const EVALUATION: &str = "evaluation.json";
/// What [`Judgement::save`] writes.
pub(crate) const FILES: Kind =
    Kind { header: EVALUATION, mark: "empf-evaluation", files: &["confusion.svg", "confusion.png"] };

/// Images that are judged at a time.
const BATCH: usize = 64;
/// Of more classes than this, only the worst are listed.
const LISTED: usize = 50;

/// The file of figures.
#[derive(Serialize)]
struct Figures<'a> {
    format: &'static str,
    images: usize,
    correct: usize,
    accuracy: f64,
    class_names: &'a ClassNames,
    neurons: &'a [Neurons],
    synapses: &'a [Synapses],
    confusion: &'a [Vec<usize>],
}

/// Answers and activity.
pub(crate) struct Judgement {
    pub(crate) evaluation: Evaluation,
    /// What the classes are called.
    names: ClassNames,
    activity: Activity,
}

impl Judgement {
    /// Of `model` on all of `data`.
    pub(crate) fn of(model: &mut Model<f32>, data: &Dataset) -> Result<Self> {
        let (evaluation, activity) = measure(model, data, BATCH)?;
        let names = model.graph().class_names.clone();
        Ok(Judgement { evaluation, names, activity })
    }

    /// Writes `evaluation.json`, `confusion.svg` and `confusion.png` into `folder`.
    pub(crate) fn save(&self, folder: &Path) -> Result<()> {
        let Judgement { evaluation, names, activity } = self;
        let figures = Figures {
            format: FILES.mark,
            images: evaluation.total(),
            correct: evaluation.correct(),
            accuracy: evaluation.accuracy(),
            class_names: names,
            neurons: &activity.neurons,
            synapses: &activity.synapses,
            confusion: &evaluation.confusion,
        };
        store::write_json(&folder.join(EVALUATION), &figures)?;
        picture::save(&Confusion { evaluation, names }, folder, "confusion")
    }

    /// A row for each class; of many, of those that are taken for others most often.
    pub(crate) fn classes(&self) -> Table {
        let confusion = &self.evaluation.confusion;
        let right = |class: usize| confusion[class][class] as f64 / sum(&confusion[class]).max(1) as f64;
        let mut listed: Vec<usize> = (0..confusion.len()).collect();
        if listed.len() > LISTED {
            listed.retain(|class| sum(&confusion[*class]) > 0);
            listed.sort_by(|a, b| right(*a).total_cmp(&right(*b)));
            listed.truncate(LISTED);
        }
        let mut table = Table::new(&["class", "images", "right", "mostly taken for"]);
        for class in listed {
            let row = &confusion[class];
            let others = row.iter().enumerate().filter(|(answer, count)| *answer != class && **count > 0);
            let wrong = others.max_by_key(|(answer, count)| (**count, Reverse(*answer)));
            let share = if sum(row) == 0 { "-".into() } else { percent(right(class)) };
            table.row([
                self.names.name(class).into_owned(),
                grouped(sum(row)),
                share,
                wrong.map_or(String::new(), |(answer, count)| {
                    format!("{} ({count})", self.names.name(answer))
                }),
            ]);
        }
        table
    }

    /// A row for each layer with neurons or synapses, for an inference.
    pub(crate) fn table(&self) -> Table {
        let mut table = Table::new(&["layer", "spikes", "silent", "additions", "multiplications", "of all"]);
        let rounded = |count: f64| grouped(count.round() as u64);
        let nothing = String::new;
        for neurons in &self.activity.neurons {
            let silent = percent(1.0 - neurons.spikes / neurons.places.max(1) as f64);
            let row =
                [neurons.node.clone(), rounded(neurons.spikes), silent, nothing(), nothing(), nothing()];
            table.row(row);
        }
        let mut sums = [0.0; 2];
        for synapses in &self.activity.synapses {
            let multiplies = synapses.weights == WeightKind::Float;
            sums[0] += synapses.operations;
            sums[1] += if multiplies { synapses.operations } else { 0.0 };
            let additions = rounded(synapses.operations);
            let multiplications = if multiplies { additions.clone() } else { "0".into() };
            let share = percent(synapses.operations / synapses.dense.max(1) as f64);
            table.row([synapses.node.clone(), nothing(), nothing(), additions, multiplications, share]);
        }
        let [additions, multiplications] = sums.map(rounded);
        table.row(["an inference".into(), nothing(), nothing(), additions, multiplications, nothing()]);
        table
    }
}

fn sum(row: &[usize]) -> usize {
    row.iter().sum()
}
