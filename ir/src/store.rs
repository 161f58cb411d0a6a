//! Files that appear whole or not at all.

use crate::{Error, Result};
use serde::Serialize;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use tempfile::NamedTempFile;

/// What the names of unfinished files begin with.
const UNFINISHED: &str = ".empf-";

/// Creates `folder` and its parents.
pub fn create_dir(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| Error::io("create", folder, e))
}

/// Reads a file.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| Error::io("read", path, e))
}

/// Writes to a temporary name beside `path`, flushes to disk, then renames. Unfinished files of writers that were
/// killed are removed from the folder.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |e| Error::io("write", path, e);
    let folder = match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    remove_unfinished(folder);
    let mut file = unfinished(folder).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    readable_by_all(file.as_file()).map_err(failed)?;
    file.persist(path).map_err(|e| failed(e.error))?;
    Ok(())
}

/// A new file that nobody takes for left behind: its writer holds the lock.
fn unfinished(folder: &Path) -> std::io::Result<NamedTempFile> {
    loop {
        let file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
        file.as_file().lock()?;
        // Before it was locked, another writer may have removed it.
        if file.path().exists() {
            return Ok(file);
        }
    }
}

/// Removes what writers that were killed left: their locks ended with them. What cannot be removed stays.
fn remove_unfinished(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file && entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
            let left = File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok());
            if left {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

/// Temporary files are private to their owner; results are ordinary files.
#[cfg(unix)]
fn readable_by_all(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable_by_all(_: &File) -> std::io::Result<()> {
    Ok(())
}

/// Writes indented JSON.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|e| Error::Syntax { path: path.into(), message: e.to_string() })?;
    text.push(b'\n');
    write(path, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_writer_left_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let names = || {
            let entries = std::fs::read_dir(folder.path()).unwrap();
            let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        std::fs::write(folder.path().join(".empf-left"), "half").unwrap();
        let busy = unfinished(folder.path()).unwrap();
        let busy_name = busy.path().file_name().unwrap().to_str().unwrap().to_owned();
        write(&folder.path().join("result"), b"whole").unwrap();
        assert_eq!(names(), [busy_name, "result".into()], "the one that is being written stays");
        drop(busy);
        write(&folder.path().join("result"), b"other").unwrap();
        assert_eq!(names(), ["result"]);
        assert_eq!(read(&folder.path().join("result")).unwrap(), b"other");
    }
}
