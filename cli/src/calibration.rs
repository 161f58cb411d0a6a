//! What `empf compile` says about the samples that it calibrates on.

use crate::activity;
use crate::error::Result;
use crate::output::{percent, print};
use crate::table::Table;
use empf_compiler::saturation::Number;
use empf_compiler::{Compilation, Pass, Saturation, saturation};
use empf_ir::counted;
use ndarray::{ArrayView5, Axis};
use serde::Serialize;

/// Fewer samples than this show little.
const FEW: usize = 16;

/// Says how many samples there are, and warns where they are few.
pub(crate) fn say_count(samples: usize) {
    eprintln!("note: calibrating on {}", counted(samples, "sample"));
    if samples < FEW {
        eprintln!("warning: so few show little of what numbers a network takes; give {FEW} samples or more");
    }
}

/// What the samples show of a network's integers.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Calibration {
    samples: usize,
    /// Neurons that did not spike once.
    silent: Vec<String>,
    saturation: Vec<Saturation>,
}

impl Calibration {
    /// Runs the integers of `compilation`, which has passed `last`, on all of `images`.
    pub(crate) fn new(compilation: &Compilation, last: Pass, images: ArrayView5<u8>) -> Result<Self> {
        let count = || saturation(compilation.quantized(last)?, images);
        Ok(Calibration {
            samples: images.len_of(Axis(0)),
            silent: compilation.silent().iter().map(ToString::to_string).collect(),
            saturation: activity::during("Counting what saturates", count)?,
        })
    }

    /// Prints which numbers saturate; warns where many do, and of neurons that did not spike.
    pub(crate) fn print(&self) -> Result<()> {
        for neuron in &self.silent {
            eprintln!(
                "warning: neuron `{neuron}` did not spike once in calibration, so that its format is a guess; \
                 calibrate on other samples, or train it to spike"
            );
        }
        for Saturation { node, number, .. } in self.saturation.iter().filter(|numbers| numbers.is_notable()) {
            let key = if *number == Number::Spike { "act_bits" } else { "membrane_bits" };
            eprintln!("warning: many {number} of `{node}` saturate on the calibration samples; raise {key}");
        }
        let some: Vec<_> = self.saturation.iter().filter(|numbers| numbers.saturated > 0).collect();
        if some.is_empty() {
            return print("no number saturates on the calibration samples\n");
        }
        let mut table = Table::new(&["layer", "numbers", "saturate"]);
        for numbers in some {
            table.row([numbers.node.clone(), numbers.number.to_string(), percent(numbers.share())]);
        }
        print(&format!("{table}\n"))
    }
}
