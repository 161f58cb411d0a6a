//! A file that a verb is to write beside what it reads.

use crate::build;
use crate::error::{Error, Result};
use empf_ir::store::{self, folder_of};
use std::path::{Path, PathBuf};

/// Where `file` really is, behind links; an error where it cannot be written, or is of the data `input` or of `build`.
pub(crate) fn judge(file: &Path, input: &str, build: &Path) -> Result<PathBuf> {
    if !folder_of(file).is_dir() {
        return Err(Error::file(folder_of(file), "is no folder; create it first"));
    }
    let (target, older) = store::destination(file).map_err(|e| Error::file(file, e))?;
    if older.is_some() && is_needed(&target, input, build) {
        return Err(Error::file(file, "is of the input, or a part of the build; choose another output"));
    }
    let place = folder_of(&target).canonicalize().map_err(|e| Error::file(file, e))?;
    Ok(place.join(target.file_name().unwrap_or_default()))
}

/// `file`, which exists, is what the verb reads.
fn is_needed(file: &Path, input: &str, build: &Path) -> bool {
    let Ok(file) = file.canonicalize() else { return false };
    let is_in = |other: &Path| other.canonicalize().is_ok_and(|other| file.starts_with(other));
    is_in(Path::new(input)) || build::KIND.names().any(|name| is_in(&build.join(name)))
}
