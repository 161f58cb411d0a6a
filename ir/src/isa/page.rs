//! `docs/isa.md`, made of the description.

use super::field::{Field, Kind};
use super::schedule::{HEADER, OPCODE_END};
use super::{Limit, Unit};
use crate::ArchConfig;

const PREFACE: &str = "\
# The instruction set

This page is made of `ir/src/isa/`, the one description of what the schedule holds; `cargo test -p empf-ir --test isa`
compares the two, and `EMPF_BLESS=1` before it writes the page anew. Bits are those of the 16x16 preset.

A schedule is a sequence of 32-bit words: a header, then records of an opcode and its unit's descriptor, and opcode 0
at the end. The sequencer hands a descriptor to its unit as soon as the units are idle that it waits for, starts the
unit, and goes on to the next record. A field takes one word. Its register has just the bits that are said here; a
compiler refuses a number that they do not hold.

| a field holds | register |
|---|---|
| an address | enough bits for the memory's depth; below the depth |
| an offset | as an address, modulo 2^bits |
| a number | enough bits for its greatest value |
| bits | a layout of its own |

An offset is an address or a distance. Address registers wrap, so that a negative distance is its two's complement, and
the corner of a border has an address too. Numbers that no key of the architecture raises are limits of the hardware.
";

/// The page's text.
pub fn page() -> String {
    let mut page = PREFACE.to_owned();
    page += "\n## Header\n\n";
    page += &table(HEADER);
    page += "\n## Units\n\n| opcode | unit | words | waits for |\n|---|---|---|---|\n";
    page += &format!("| {OPCODE_END} | end of the schedule | 1 | {} |\n", units(&Unit::ALL));
    for unit in Unit::ALL {
        let (opcode, name, words) = (unit.opcode(), unit.name(), unit.words());
        page += &format!("| {opcode} | [{name}](#{name}) | {words} | {} |\n", units(unit.waits_for()));
    }
    for unit in Unit::ALL {
        page += &format!("\n## {}\n\n", unit.name());
        for line in unit.about() {
            page += line.strip_prefix(' ').unwrap_or(line);
            page.push('\n');
        }
        page.push('\n');
        page += &table(unit.fields());
    }
    page
}

fn table(fields: &[Field]) -> String {
    let arch = ArchConfig::default();
    let row = |field: &Field| {
        let (name, bits, holds) = (field.name, field.bits(&arch), holds(field, &arch));
        format!("| `{name}` | {bits} | {holds} | {} |\n", field.meaning.trim_end_matches('.'))
    };
    let rows: String = fields.iter().map(row).collect();
    format!("| field | bits | holds | meaning |\n|---|---|---|---|\n{rows}")
}

fn holds(field: &Field, arch: &ArchConfig) -> String {
    let up_to = |limit: Limit| match limit.key() {
        Some(key) => format!("{}, `{key}`", limit.max(arch)),
        None => limit.max(arch).to_string(),
    };
    match field.kind {
        Kind::Address(memory) => format!("address in the {}", memory.name()),
        Kind::Offset(memory) => format!("offset in the {}", memory.name()),
        Kind::Count(limit) => format!("1 to {}", up_to(limit)),
        Kind::Number(limit) => format!("0 to {}", up_to(limit)),
        Kind::Bits(_) => "bits".into(),
    }
}

fn units(units: &[Unit]) -> String {
    if units.len() == Unit::ALL.len() {
        return "all".into();
    }
    let names: Vec<&str> = units.iter().map(|unit| unit.name()).collect();
    names.join(", ")
}
