//! A change of the Rust code.

use super::list::{Equivalent, Kept};
use super::site::Site;
use std::ops::Range;

/// A change of Rust code.
#[derive(Clone, Debug)]
pub(super) struct Mutant {
    pub(super) file: String,
    pub(super) range: Range<usize>,
    pub(super) function: String,
    pub(super) original: String,
    pub(super) mutated: String,
    /// As in [`Site`].
    pub(super) occurrence: usize,
    pub(super) line: usize,
    /// Of a kept one, the suite that must kill it.
    pub(super) killed_by: Option<String>,
    /// The compiler takes it.
    pub(super) compiles: bool,
}

impl Mutant {
    pub(super) fn kept(kept: &Kept, text: &str) -> crate::error::Result<Self> {
        let range = kept.range(text)?;
        Ok(Mutant {
            file: kept.file.clone(),
            occurrence: 0,
            line: 1 + text[..range.start].matches('\n').count(),
            range,
            function: String::new(),
            original: kept.find.clone(),
            mutated: kept.replace.clone(),
            killed_by: Some(kept.killed_by.clone()),
            compiles: true,
        })
    }

    pub(super) fn drawn(file: String, site: Site) -> Self {
        let Site { range, function, original, mutated, occurrence, line } = site;
        let (killed_by, compiles) = (None, true);
        Mutant { file, range, function, original, mutated, occurrence, line, killed_by, compiles }
    }

    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.file == other.file && self.range.start < other.range.end && other.range.start < self.range.end
    }

    pub(super) fn description(&self) -> String {
        let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let Mutant { file, line, function, original, mutated, .. } = self;
        format!("{file}:{line} {function}: {} -> {}", one_line(original), one_line(mutated))
    }

    pub(super) fn is(&self, known: &Equivalent) -> bool {
        self.file == known.file
            && self.function == known.function
            && self.original == known.original
            && self.mutated == known.mutated
            && self.occurrence == known.occurrence
    }
}
