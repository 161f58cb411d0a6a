//! Lines of Verilog.

use std::fmt::Write;

/// A line of the module's text.
pub(super) fn line(text: &mut String, indent: usize, content: &str) {
    writeln!(text, "{:width$}{content}", "", width = 4 * indent).expect("writing to a string");
}
