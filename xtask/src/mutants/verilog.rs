//! Mutants of the emitted Verilog, drawn by yosys: inverted, constant and swapped bits at the ports of cells.
//!
//! All mutants of an accelerator are in one text, behind a control signal that the simulation reads from a file in the
//! folder it runs in.

use crate::tool;
use empf_ir::ArchConfig;
use std::collections::HashMap;
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
    /// The port has a number that stays the same.
    pub(super) is_void: bool,
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
    let design = std::fs::read_to_string(folder.join("design.il"))?;
    let connections = Connections::of(&design);
    let mutants: Vec<_> =
        list.lines().map(|line| Description::of_command(line, &logic, &connections)).collect();
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

/// What is at the ports of cells: module, cell and port, then a signal or a number.
struct Connections<'t>(HashMap<[&'t str; 3], &'t str>);

impl<'t> Connections<'t> {
    /// Of `design`, yosys's own text.
    fn of(design: &'t str) -> Self {
        let (mut module, mut cell) = ("", "");
        let mut found = HashMap::new();
        for line in design.lines() {
            match *line.split_whitespace().collect::<Vec<_>>() {
                ["module", name] => module = unescaped(name),
                ["cell", _, name] => cell = unescaped(name),
                ["connect", port, value] => {
                    found.insert([module, cell, unescaped(port)], value);
                }
                _ => {}
            }
        }
        Connections(found)
    }

    /// The bits of a number, most significant first.
    fn number(&self, place: [&str; 3]) -> Option<&'t str> {
        let (_, bits) = self.0.get(&place)?.split_once('\'')?;
        bits.bytes().all(|bit| matches!(bit, b'0' | b'1')).then_some(bits)
    }

    /// The register whose next value a cell gives.
    fn register(&self, module: &str, cell: &str) -> Option<&'t str> {
        let name = self.0.get(&[module, cell, "Y"])?.strip_prefix(r"$0\")?;
        name.split('[').next()
    }
}

/// A name without yosys's mark of names that are of the design.
fn unescaped(name: &str) -> &str {
    name.trim_start_matches('\\')
}

/// Whether a mutant leaves `number` as it is, whose bits the words behind `of` name.
fn is_void<'l>(number: &str, of: impl Fn(&str) -> &'l str) -> bool {
    let is = |key: &str, value: u8| {
        let bit = of(key).parse().ok().and_then(|bit: usize| number.bytes().rev().nth(bit));
        bit == Some(value)
    };
    match of("-mode") {
        "const0" => is("-portbit", b'0'),
        "const1" => is("-portbit", b'1'),
        "cnot0" => is("-ctrlbit", b'1'),
        "cnot1" => is("-ctrlbit", b'0'),
        _ => false,
    }
}

impl Description {
    /// From a line of yosys's list of mutants in `text`, with `connections`.
    fn of_command(line: &str, text: &str, connections: &Connections) -> Self {
        let words: Vec<&str> = line.split_whitespace().collect();
        let of = |key: &str| {
            let at = words.iter().position(|word| *word == key);
            at.and_then(|at| words.get(at + 1)).copied().unwrap_or_default()
        };
        let [module, cell, port, wire] = ["-module", "-cell", "-port", "-wire"].map(|key| unescaped(of(key)));
        let place = match (wire, of_sources(&words, text)) {
            ("", None) => cell.to_owned(),
            ("", Some(statement)) => match connections.register(module, cell) {
                Some(register) if statement.ends_with("begin") => format!("{statement} {register} <= ..."),
                _ => statement.to_owned(),
            },
            _ => format!("{wire}[{}]", of("-wirebit")),
        };
        // Cells without a name are numbered, which says nothing.
        let kind = cell.strip_prefix('$').and_then(|kind| kind.split('$').next()).unwrap_or(cell);
        let by = match of("-ctrlbit") {
            "" => String::new(),
            bit => format!(" by bit {bit}"),
        };
        let change = format!("{} {kind} port {port} bit {}{by}", of("-mode"), of("-portbit"));
        let is_void = connections.number([module, cell, port]).is_some_and(|number| is_void(number, of));
        Description { module: module.to_owned(), place, change, is_void }
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
    use super::{Connections, Description};

    #[test]
    fn a_mutant_is_told_by_the_text() {
        let text = "wire a;\nassign b = left + right;\n";
        let command =
            "mutate -mode inv -module empf_x -cell $add$x.v:7$3 -port B -portbit 4 -src x.v:2.12-2.24";
        let Description { module, place, change, is_void } =
            Description::of_command(command, text, &Connections::of(""));
        assert_eq!(
            (&module[..], &place[..], &change[..], is_void),
            ("empf_x", "left + right", "inv add port B bit 4", false)
        );
        let wire =
            Description::of_command(&format!("{command} -wire left -wirebit 3"), text, &Connections::of(""));
        assert_eq!(wire.place, "left[3]");
        let other = Description::of_command(&format!("{command} -ctrlbit 7"), text, &Connections::of(""));
        assert_eq!(other.change, "inv add port B bit 4 by bit 7");
        let reset = "mutate -cell $procmux$1 -src x.v:1.5-1.12 -src x.v:1.1-2.9";
        let reset =
            Description::of_command(reset, "if (reset_i) a <= 1'd0;\nelse a <= b;\n", &Connections::of(""));
        assert_eq!(reset.place, "if (reset_i) a <= 1'd0;");
        let several = "mutate -module empf_x -cell $procmux$2 -src x.v:1.5-1.12 -src x.v:1.1-3.4";
        let design = "module \\empf_x\n  cell $mux $procmux$2\n    connect \\Y $0\\a[3:0]\n";
        let several = Description::of_command(
            several,
            "if (reset_i) begin\n  a <= 4'd0;\nend\n",
            &Connections::of(design),
        );
        assert_eq!(several.place, "if (reset_i) begin a <= ...");
        let named = Description::of_command(r"mutate -mode inv -cell lane", text, &Connections::of(""));
        assert_eq!((&named.place[..], &named.change[..2]), ("lane", "in"));
    }

    #[test]
    fn a_mutant_that_leaves_a_number_as_it_is_changes_nothing() {
        let design = "module \\empf_x\n  cell $eq $eq$x.v:7$3\n    connect \\A \\left\n    connect \\B 4'0101\n  end\nend\n";
        let connections = Connections::of(design);
        let is_void = |words: &str| {
            let command = format!("mutate -module empf_x -cell $eq$x.v:7$3 {words}");
            Description::of_command(&command, "", &connections).is_void
        };
        for void in [
            "-mode const0 -port B -portbit 1",
            "-mode const1 -port B -portbit 2",
            "-mode cnot0 -port B -portbit 1 -ctrlbit 0",
            "-mode cnot1 -port B -portbit 0 -ctrlbit 3",
        ] {
            assert!(is_void(void), "{void}");
        }
        for seen in [
            "-mode const1 -port B -portbit 1",
            "-mode const0 -port B -portbit 2",
            "-mode cnot1 -port B -portbit 1 -ctrlbit 0",
            "-mode cnot0 -port B -portbit 0 -ctrlbit 3",
            "-mode inv -port B -portbit 0",
            "-mode const0 -port A -portbit 1",
            "-mode const0 -port B -portbit 7",
        ] {
            assert!(!is_void(seen), "{seen}");
        }
    }
}
