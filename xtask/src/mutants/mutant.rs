//! A change of the Rust code.

use super::list::Kept;
use super::site::Site;

/// A change of Rust code.
#[derive(Clone, Debug)]
pub(super) struct Mutant {
    /// From the repository's root.
    pub(super) file: String,
    /// The expression and what becomes of it; of a kept one no function is said.
    pub(super) site: Site,
    /// Of a kept one, the suite that must kill it.
    pub(super) killed_by: Option<String>,
    /// The compiler takes it.
    pub(super) compiles: bool,
}

impl Mutant {
    pub(super) fn kept(kept: &Kept, text: &str) -> crate::error::Result<Self> {
        let range = kept.range(text)?;
        let site = Site {
            line: 1 + text[..range.start].matches('\n').count(),
            range,
            function: String::new(),
            original: kept.find.clone(),
            mutated: kept.replace.clone(),
            occurrence: 0,
        };
        Ok(Mutant { file: kept.file.clone(), site, killed_by: Some(kept.killed_by.clone()), compiles: true })
    }

    pub(super) fn drawn(file: String, site: Site) -> Self {
        Mutant { file, site, killed_by: None, compiles: true }
    }

    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let (one, two) = (&self.site.range, &other.site.range);
        self.file == other.file && one.start < two.end && two.start < one.end
    }

    pub(super) fn description(&self) -> String {
        let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let Mutant { file, site: Site { line, function, original, mutated, occurrence, .. }, .. } = self;
        let which = if *occurrence > 0 { format!(" ({occurrence} before it)") } else { String::new() };
        format!("{file}:{line} {function}: {} -> {}{which}", one_line(original), one_line(mutated))
    }
}
