//! Folders that appear whole or not at all.

use crate::error::{Error, Result};
use empf_ir::store;
use std::path::Path;

/// What the names of unfinished folders begin with.
const UNFINISHED: &str = ".empf-";

/// Fills a new folder beside `target` and renames it to `target` when it is complete; after a failure
/// nothing is left. An older folder is replaced if it is empty or holds a file called `marker`, by which its
/// kind is known; anything else is never touched.
pub(crate) fn write(target: &Path, marker: &str, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    check_replaceable(target, marker)?;
    let parent = match target.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let created = first_missing(parent);
    let result = write_into(parent, target, fill);
    if let (Err(_), Some(created)) = (&result, created) {
        // Parents that were made for a folder that never came; one that is in use by now stays.
        let mut unused = Some(parent);
        while let Some(folder) = unused.filter(|f| f.starts_with(created)) {
            let _ = std::fs::remove_dir(folder);
            unused = folder.parent();
        }
    }
    result
}

/// `target` may be created, or replaced.
pub(crate) fn check_replaceable(target: &Path, marker: &str) -> Result<()> {
    if !target.exists() {
        return Ok(());
    }
    if !target.is_dir() {
        return Err(Error::file(target, "is no folder; choose another output"));
    }
    let mut entries = std::fs::read_dir(target).map_err(|e| Error::file(target, e))?;
    if entries.next().is_some() && !target.join(marker).exists() {
        let message =
            format!("holds something else than an earlier result (no {marker}); choose another output");
        return Err(Error::file(target, message));
    }
    Ok(())
}

/// Removes what a process left in `folder` that was killed while it wrote a folder there. No other process may
/// write into it.
pub(crate) fn remove_unfinished(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// The outermost of `folder` and its parents that does not exist.
fn first_missing(folder: &Path) -> Option<&Path> {
    folder.ancestors().take_while(|f| !f.as_os_str().is_empty() && !f.exists()).last()
}

fn write_into(parent: &Path, target: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let failed = |e: std::io::Error| Error::Data(empf_ir::Error::io("write", target, e));
    store::create_dir(parent)?;
    let temporary = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(parent).map_err(failed)?;
    let (new, old) = (temporary.path().join("new"), temporary.path().join("old"));
    std::fs::create_dir(&new).map_err(failed)?;
    fill(&new)?;
    if target.exists() {
        std::fs::rename(target, &old).map_err(failed)?;
    }
    std::fs::rename(&new, target).or_else(|e| {
        if old.exists() {
            std::fs::rename(&old, target).map_err(failed)?;
        }
        Err(failed(e))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        names.collect()
    }

    #[test]
    fn a_failure_leaves_nothing_and_keeps_the_old() {
        let place = tempfile::tempdir().unwrap();
        let fail = |folder: &Path| {
            fs::write(folder.join("half"), "").unwrap();
            Err(Error::file("x", "no"))
        };
        assert!(write(&place.path().join("a/b"), "mark", fail).is_err());
        assert!(names(place.path()).is_empty());

        let target = place.path().join("t");
        let good = |folder: &Path| fs::write(folder.join("mark"), "1").map_err(|e| Error::file(folder, e));
        write(&target, "mark", good).unwrap();
        assert!(write(&target, "mark", fail).is_err());
        assert_eq!(names(place.path()), ["t"]);
        assert_eq!(names(&target), ["mark"]);
    }

    #[test]
    fn only_results_are_replaced() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("t");
        fs::create_dir(&target).unwrap();
        let fill = |folder: &Path| fs::write(folder.join("mark"), "new").map_err(|e| Error::file(folder, e));
        write(&target, "mark", fill).unwrap();
        write(&target, "mark", fill).unwrap();
        fs::remove_file(target.join("mark")).unwrap();
        fs::write(target.join("thesis.tex"), "").unwrap();
        let error = write(&target, "mark", fill).unwrap_err().to_string();
        assert!(error.contains("choose another output"), "{error}");
        assert_eq!(names(&target), ["thesis.tex"]);
    }
}
