//! What a network answers on test images, and what that costs.

use crate::confusion::Confusion;
use crate::error::Result;
use crate::output::{grouped, percent};
use crate::picture;
use crate::table::Table;
use empf_data::Dataset;
use empf_ir::{WeightKind, store};
use empf_trainer::Model;
use empf_trainer::runs::activity::{Activity, measure};
use empf_trainer::runs::evaluate::Evaluation;
use serde_json::json;
use std::path::Path;

/// Images that are judged at a time.
const BATCH: usize = 64;

/// Answers and activity.
pub(crate) struct Judgement {
    pub(crate) evaluation: Evaluation,
    activity: Activity,
}

impl Judgement {
    /// Of `model` on all of `data`.
    pub(crate) fn of(model: &mut Model<f32>, data: &Dataset) -> Result<Self> {
        let (evaluation, activity) = measure(model, data, BATCH)?;
        Ok(Judgement { evaluation, activity })
    }

    /// Writes `evaluation.json`, `confusion.svg` and `confusion.png` into `folder`.
    pub(crate) fn save(&self, folder: &Path) -> Result<()> {
        let Judgement { evaluation, activity } = self;
        let value = json!({
            "images": evaluation.total(),
            "correct": evaluation.correct(),
            "accuracy": evaluation.accuracy(),
            "confusion": evaluation.confusion,
            "neurons": activity.neurons,
            "synapses": activity.synapses,
        });
        store::write_json(&folder.join("evaluation.json"), &value)?;
        picture::save(&Confusion(evaluation), folder, "confusion")
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
