//! Mutants of the emitted Verilog, drawn by yosys: inverted, constant and swapped bits at the ports of cells.
//!
//! All mutants of an accelerator are in one text, behind a control signal that the simulation reads from a file in the
//! folder it runs in.

use crate::tool;
use empf_ir::ArchConfig;
use std::path::Path;

/// The control signal, and the file that holds its value.
const SIGNAL: &str = "mutant";
const BITS: usize = 16;
/// The file that holds its value.
pub(super) const VALUE_FILE: &str = "mutant.mem";

/// Verilog with mutants.
pub(super) struct Mutated {
    /// The whole accelerator.
    pub(super) text: String,
    /// What each mutant is; the first has number 1.
    pub(super) mutants: Vec<Description>,
}

/// A mutant in words.
#[derive(Clone, Debug)]
pub(super) struct Description {
    pub(super) module: String,
    /// The bit of a signal; else the emitted text that the cell was made of, or the cell's name.
    pub(super) place: String,
    /// What is done to which bit of which port of which kind of cell, and by which bit of the port.
    pub(super) change: String,
}

/// `count` mutants in `modules` of the accelerator of `arch`; yosys works in `folder`.
pub(super) fn mutate(
    arch: &ArchConfig,
    names: &[&str],
    count: usize,
    seed: u64,
    folder: &Path,
) -> crate::error::Result<Mutated> {
    let text = empf_hw::emit_without_images(arch)?;
    // The images of ROMs come at run time, so yosys sees nothing but their ports.
    let (roms, logic): (Vec<&str>, Vec<&str>) =
        modules(&text).into_iter().partition(|module| module.contains("$readmemh"));
    let logic = logic.concat();
    std::fs::write(folder.join("logic.v"), &logic)?;
    std::fs::write(folder.join("roms.v"), roms.concat())?;
    let design = "read_verilog -lib roms.v; read_verilog logic.v; hierarchy -top empf_top; proc; opt_clean";
    let list = format!(
        "{design}; mutate -list {count} -seed {seed} -ctrl {SIGNAL} {BITS} 1 -o list.ys {}; write_rtlil \
         design.il",
        names.join(" ")
    );
    yosys(folder, &list)?;
    let list = std::fs::read_to_string(folder.join("list.ys"))?;
    let mutants: Vec<_> = list.lines().map(|line| Description::of_command(line, &logic)).collect();
    yosys(folder, "read_rtlil design.il; script list.ys; write_verilog -noattr mutated.v")?;
    // Yosys writes the empty names of the images as no bits, which no simulator takes.
    let mutated = std::fs::read_to_string(folder.join("mutated.v"))?.replace("{0{1'b0}}", "\"\"");
    Ok(Mutated { text: roms.concat() + &with_switch(&mutated)?, mutants })
}

fn yosys(folder: &Path, script: &str) -> crate::error::Result {
    tool::run(folder, "yosys", &["-q", "-p", script], "the Debian package yosys")
}

/// The text of each module, with what stands before it.
fn modules(text: &str) -> Vec<&str> {
    text.split_inclusive("\nendmodule\n").collect()
}

/// The top's control port becomes a register that reads its value at the start.
fn with_switch(text: &str) -> crate::error::Result<String> {
    let start = text.find("module empf_top").ok_or("no module empf_top")?;
    let (before, top) = text.split_at(start);
    let ports = top.find(';').ok_or("no ports")?;
    let header = top[..ports].replace(&format!(", {SIGNAL}"), "").replace(&format!("{SIGNAL}, "), "");
    let declared = [format!("input [{}:0] {SIGNAL};", BITS - 1), format!("wire [{}:0] {SIGNAL};", BITS - 1)];
    let mut body = top[ports..].to_owned();
    for line in &declared {
        body = body.replacen(line, "", 1);
    }
    let read = format!(
        ";\n  reg [{}:0] {SIGNAL}_value [0:0];\n  wire [{}:0] {SIGNAL} = {SIGNAL}_value[0];\n  \
         initial $readmemh(\"{VALUE_FILE}\", {SIGNAL}_value);",
        BITS - 1,
        BITS - 1
    );
    Ok(format!("{before}{header}{read}{}", &body[1..]))
}

impl Description {
    /// From a line of yosys's list of mutants in `text`.
    fn of_command(line: &str, text: &str) -> Self {
        let words: Vec<&str> = line.split_whitespace().collect();
        let of = |key: &str| {
            let at = words.iter().position(|word| *word == key);
            at.and_then(|at| words.get(at + 1)).copied().unwrap_or_default()
        };
        let named = |key: &str| of(key).trim_start_matches('\\').to_owned();
        let cell = named("-cell");
        let place = match of("-wire") {
            "" => of_sources(&words, text).unwrap_or(&cell).to_owned(),
            _ => format!("{}[{}]", named("-wire"), of("-wirebit")),
        };
        // Cells without a name are numbered, which says nothing.
        let kind = cell.strip_prefix('$').and_then(|kind| kind.split('$').next()).unwrap_or(&cell);
        let by = match of("-ctrlbit") {
            "" => String::new(),
            bit => format!(" by bit {bit}"),
        };
        let change = format!("{} {kind} port {} bit {}{by}", of("-mode"), named("-port"), of("-portbit"));
        Description { module: named("-module"), place, change }
    }
}

/// What stands in `text` at the first place of a mutant. A reset says nothing, so that its statement stands for it, which
/// is the last place.
fn of_sources<'t>(words: &[&str], text: &'t str) -> Option<&'t str> {
    let mut places = words.windows(2).filter(|pair| pair[0] == "-src").map(|pair| of_source(pair[1], text));
    match places.next()? {
        Some("reset_i") => places.next_back().unwrap_or(Some("reset_i")),
        first => first,
    }
}

/// What stands in `text` at a place such as `logic.v:12.3-12.9`; of several lines, the rest of the first.
fn of_source<'t>(place: &str, text: &'t str) -> Option<&'t str> {
    let (start, end) = place.split_once(':')?.1.split_once('-')?;
    let position =
        |at: &str| Some((at.split_once('.')?.0.parse().ok()?, at.split_once('.')?.1.parse().ok()?));
    let ((line, from), (last, to)): ((usize, usize), (usize, usize)) = (position(start)?, position(end)?);
    let line_text = text.lines().nth(line.checked_sub(1)?)?;
    let to = if last == line { to } else { line_text.len() + 1 };
    line_text.get(from.checked_sub(1)?..to.checked_sub(1)?)
}

#[cfg(test)]
mod tests {
    use super::Description;

    #[test]
    fn a_mutant_is_told_by_the_text() {
        let text = "wire a;\nassign b = left + right;\n";
        let command =
            "mutate -mode inv -module empf_x -cell $add$x.v:7$3 -port B -portbit 4 -src x.v:2.12-2.24";
        let Description { module, place, change } = Description::of_command(command, text);
        assert_eq!(
            (&module[..], &place[..], &change[..]),
            ("empf_x", "left + right", "inv add port B bit 4")
        );
        let wire = Description::of_command(&format!("{command} -wire left -wirebit 3"), text);
        assert_eq!(wire.place, "left[3]");
        let other = Description::of_command(&format!("{command} -ctrlbit 7"), text);
        assert_eq!(other.change, "inv add port B bit 4 by bit 7");
        let reset = "mutate -cell $procmux$1 -src x.v:1.5-1.12 -src x.v:1.1-2.9";
        let reset = Description::of_command(reset, "if (reset_i) a <= 1'd0;\nelse a <= b;\n");
        assert_eq!(reset.place, "if (reset_i) a <= 1'd0;");
        let named = Description::of_command(r"mutate -mode inv -cell lane", text);
        assert_eq!((&named.place[..], &named.change[..2]), ("lane", "in"));
    }
}
