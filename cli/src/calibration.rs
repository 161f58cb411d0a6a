//! What `empf compile` says about the samples that it calibrates on.

use crate::error::Result;
use crate::output::{percent, print};
use crate::table::Table;
use empf_compiler::Saturation;
use empf_compiler::saturation::Number;
use empf_ir::counted;

/// Fewer samples than this show little.
const FEW: usize = 16;

/// Says how many samples there are, and warns where they are few.
pub(crate) fn say_count(samples: usize) {
    eprintln!("note: calibrating on {}", counted(samples, "sample"));
    if samples < FEW {
        eprintln!("warning: so few show little of what numbers a network takes; give {FEW} samples or more");
    }
}

/// Names the neurons that did not spike.
pub(crate) fn warn_of_silence(neurons: &[&str]) {
    for neuron in neurons {
        eprintln!(
            "warning: neuron `{neuron}` did not spike once in calibration, so that its format is a guess; calibrate on \
             other samples, or train it to spike"
        );
    }
}

/// Prints which numbers saturate on the samples, and warns where many do.
pub(crate) fn report(saturation: &[Saturation]) -> Result<()> {
    for Saturation { node, number, .. } in saturation.iter().filter(|numbers| numbers.is_notable()) {
        let key = if *number == Number::Spike { "act_bits" } else { "membrane_bits" };
        eprintln!("warning: many {number} of `{node}` saturate on the calibration samples; raise {key}");
    }
    let mut table = Table::new(&["layer", "numbers", "saturate"]);
    let some = saturation.iter().filter(|numbers| numbers.saturated > 0);
    let rows =
        some.map(|numbers| [numbers.node.clone(), numbers.number.to_string(), percent(numbers.share())]);
    let mut count = 0;
    for row in rows {
        table.row(row);
        count += 1;
    }
    match count {
        0 => print("no number saturates on the calibration samples\n"),
        _ => print(&format!("{table}\n")),
    }
}
