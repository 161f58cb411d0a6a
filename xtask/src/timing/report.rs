//! What nextpnr says of a placement.

use serde_json::Value;
use std::path::Path;

/// Kinds of cells that are counted, and what they are called.
const CELLS: [(&str, &str); 4] =
    [("TRELLIS_COMB", "LUT"), ("TRELLIS_FF", "FF"), ("DP16KD", "block RAM"), ("MULT18X18D", "DSP")];
/// What yosys appends to the name of a signal for the cells and wires that it makes of it.
const MADE: [&str; 8] = [
    "_LUT4_",
    "_CCU2C_",
    "_TRELLIS_FF_",
    "_PFUMX_",
    "_L6MUX21_",
    "_MULT18X18D_",
    "_DP16KD_",
    "_TRELLIS_DPR16X4_",
];

/// A placement.
pub(super) struct Report {
    /// The clock that it reaches.
    pub(super) megahertz: f64,
    /// Cells by kind.
    pub(super) cells: String,
    /// The longest path between registers, by the names of the emitted text.
    pub(super) path: String,
}

impl Report {
    /// Reads nextpnr's file.
    pub(super) fn read(path: &Path) -> crate::error::Result<Self> {
        let value: Value = serde_json::from_slice(&std::fs::read(path)?)?;
        let clocks = value["fmax"].as_object().into_iter().flatten();
        let reached = clocks.filter_map(|(_, clock)| clock["achieved"].as_f64()).reduce(f64::min);
        let used = |(kind, name): (&str, &str)| {
            let count = value["utilization"][kind]["used"].as_u64().unwrap_or(0);
            (count > 0).then(|| format!("{count} {name}"))
        };
        Ok(Report {
            megahertz: reached.ok_or("nextpnr reports no clock")?,
            cells: CELLS.into_iter().filter_map(used).collect::<Vec<_>>().join(", "),
            path: longest(&value).unwrap_or_default(),
        })
    }
}

/// Delays along the longest path that begins and ends at a clock edge.
fn longest(value: &Value) -> Option<String> {
    let at_clock = |path: &&Value| {
        [&path["from"], &path["to"]].iter().all(|end| end.as_str().is_some_and(|end| end != "<async>"))
    };
    let path = value["critical_paths"].as_array()?.iter().find(at_clock)?;
    let steps = path["path"].as_array()?;
    let sum = |routing: bool| -> f64 {
        let wanted = steps.iter().filter(|step| (step["type"] == "routing") == routing);
        wanted.filter_map(|step| step["delay"].as_f64()).sum()
    };
    let mut lines = vec![format!("  logic {:.2} ns, routing {:.2} ns", sum(false), sum(true))];
    let mut levels = 0;
    let mut last = String::new();
    for step in steps {
        let (kind, delay) = (step["type"].as_str()?, step["delay"].as_f64()?);
        levels += usize::from(kind == "logic");
        let place = if kind == "routing" { &step["net"] } else { &step["to"]["cell"] };
        let name = signal(place.as_str().unwrap_or_default());
        if delay >= 0.005 && name != last {
            lines.push(format!("  {delay:5.2} {kind:9} {name}"));
        }
        last = name;
    }
    lines.push(format!("  {levels} levels of logic"));
    Some(lines.join("\n"))
}

/// The signal of the emitted text from which yosys made `name`.
fn signal(name: &str) -> String {
    let end = MADE.iter().filter_map(|made| name.find(made)).min().unwrap_or(name.len());
    let name = name[..end].trim_start_matches("unit.");
    // What is a wire of its own has its bit behind it.
    name.trim_end_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_are_told_by_signals() {
        let step = |kind: &str, delay: f64, net: &str, cell: &str| json!({"type": kind, "delay": delay, "net": net, "to": {"cell": cell}});
        let value = json!({
            "fmax": {"clock": {"achieved": 123.4}},
            "utilization": {"TRELLIS_FF": {"used": 7}, "DP16KD": {"used": 0}},
            "critical_paths": [
                {"from": "<async>", "to": "posedge", "path": []},
                {"from": "posedge", "to": "posedge", "path": [
                    step("clk-to-q", 0.5, "", "unit.left_TRELLIS_FF_Q"),
                    step("routing", 1.0, "unit.left[3]", "unit.end_LUT4_Z"),
                    step("logic", 0.25, "", "unit.end_LUT4_Z_1"),
                    step("setup", 0.0, "", "unit.end_TRELLIS_FF_Q_DI"),
                ]},
            ],
        });
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), value.to_string()).unwrap();
        let report = Report::read(file.path()).unwrap();
        assert_eq!((report.megahertz, &report.cells[..]), (123.4, "7 FF"));
        assert!(report.path.starts_with("  logic 0.75 ns, routing 1.00 ns\n"), "{}", report.path);
        assert!(
            report.path.contains("left[3]") && report.path.ends_with("1 levels of logic"),
            "{}",
            report.path
        );
    }
}
