//! The mutants that are kept as files, and those of the drawn ones that change nothing.

use super::site::{Site, sites};
use serde::Deserialize;
use std::path::Path;

/// A mutant written by hand.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    /// From the repository's root.
    pub(super) file: String,
    /// Text of one whole expression; it occurs once in the file.
    pub(super) find: String,
    /// The expression in its place.
    pub(super) replace: String,
    /// The suite that must kill it: a package and a test target, as `golden/lib` or `tests/control`.
    pub(super) killed_by: String,
}

/// Why a drawn mutant cannot be seen.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Equivalent {
    /// From the repository's root; of a mutant of the Verilog, its module.
    pub(super) file: String,
    /// As in [`super::site::Site`].
    pub(super) function: String,
    /// The expression's text.
    pub(super) original: String,
    /// Its text in the mutant.
    pub(super) mutated: String,
    /// As in [`super::site::Site`].
    #[serde(default)]
    pub(super) occurrence: usize,
    /// What keeps anyone from seeing it.
    pub(super) reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeptFile {
    mutant: Vec<Kept>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EquivalentFile {
    #[serde(default)]
    mutant: Vec<Equivalent>,
}

/// The lists in `folder`.
pub(super) fn read(folder: &Path) -> crate::error::Result<(Vec<Kept>, Vec<Equivalent>)> {
    let text = |name: &str| {
        let path = folder.join(name);
        std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))
    };
    let kept: KeptFile = toml::from_str(&text("kept.toml")?).map_err(|e| format!("kept.toml: {e}"))?;
    let equivalent: EquivalentFile =
        toml::from_str(&text("equivalent.toml")?).map_err(|e| format!("equivalent.toml: {e}"))?;
    Ok((kept.mutant, equivalent.mutant))
}

impl Kept {
    /// Where it stands in `source`, the text of its file.
    pub(super) fn range(&self, source: &str) -> crate::error::Result<std::ops::Range<usize>> {
        let mut found = source.match_indices(&self.find);
        let start = found.next().ok_or_else(|| format!("{}: no `{}`", self.file, self.find))?.0;
        if found.next().is_some() {
            return Err(format!("{}: `{}` occurs more than once", self.file, self.find).into());
        }
        Ok(start..start + self.find.len())
    }
}

impl Equivalent {
    /// It is said of `site` in `file`.
    pub(super) fn is_of(&self, file: &str, site: &Site) -> bool {
        self.file == file
            && self.function == site.function
            && self.original == site.original
            && self.mutated == site.mutated
            && self.occurrence == site.occurrence
    }

    /// Rows of the list that name no site of `source`, the text of their file, are out of date.
    pub(super) fn is_there(&self, source: &str) -> bool {
        sites(source).is_ok_and(|sites| sites.iter().any(|site| self.is_of(&self.file, site)))
    }
}
