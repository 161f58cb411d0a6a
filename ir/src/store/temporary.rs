//! Unfinished files and folders: known by name, locked by their writer, removed when it ends, however it ends.
//!
//! A writer that fails or is interrupted removes what it began ([`remove_all`] serves a handler of signals). One that
//! is killed cannot; the next writer in the same folder finds the name without a lock, and removes it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::{NamedTempFile, TempDir};

/// What the names of unfinished files and folders begin with.
const UNFINISHED: &str = ".empf-";

/// What this process has begun.
static BEGUN: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn begun() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    BEGUN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether `name` is that of something unfinished.
pub fn is_unfinished(name: &str) -> bool {
    name.starts_with(UNFINISHED)
}

/// Removes all that this process has begun, and lets it begin nothing more: the process must end behind it.
pub fn remove_all() {
    let begun = begun();
    for path in &*begun {
        let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    }
    std::mem::forget(begun);
}

/// Does what must not end half-way: [`remove_all`] waits for it. Nothing temporary may begin or end in `work`.
pub fn uninterrupted<T>(work: impl FnOnce() -> T) -> T {
    let _begun = begun();
    work()
}

/// An entry of the list, until it is dropped.
#[derive(Debug)]
struct Entry(PathBuf);

impl Drop for Entry {
    fn drop(&mut self) {
        begun().remove(&self.0);
    }
}

/// A file without its final name.
pub(super) struct TemporaryFile {
    pub(super) file: NamedTempFile,
    _entry: Entry,
}

impl TemporaryFile {
    /// A new file in `folder`, with the permissions of an ordinary new file.
    pub(super) fn new_in(folder: &Path) -> io::Result<Self> {
        loop {
            let mut begun = begun();
            let file = ordinary(tempfile::Builder::new().prefix(UNFINISHED)).tempfile_in(folder)?;
            file.as_file().lock()?;
            // Before it was locked, another writer may have removed it.
            if file.path().exists() {
                begun.insert(file.path().into());
                let entry = Entry(file.path().into());
                return Ok(TemporaryFile { file, _entry: entry });
            }
        }
    }
}

#[cfg(unix)]
fn ordinary<'a, 'b>(builder: &'b mut tempfile::Builder<'a, 'a>) -> &'b mut tempfile::Builder<'a, 'a> {
    use std::os::unix::fs::PermissionsExt;
    builder.permissions(fs::Permissions::from_mode(0o666))
}

#[cfg(not(unix))]
fn ordinary<'a, 'b>(builder: &'b mut tempfile::Builder<'a, 'a>) -> &'b mut tempfile::Builder<'a, 'a> {
    builder
}

/// A folder that is removed with this value.
#[derive(Debug)]
pub struct TemporaryFolder {
    folder: TempDir,
    _lock: File,
    _entry: Entry,
}

impl TemporaryFolder {
    /// A new folder in `parent`.
    pub fn new_in(parent: &Path) -> io::Result<Self> {
        loop {
            let mut begun = begun();
            let folder = tempfile::Builder::new().prefix(UNFINISHED).tempdir_in(parent)?;
            let lock = match File::open(folder.path()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                lock => lock?,
            };
            lock.lock()?;
            // Before it was locked, another writer may have removed it.
            if folder.path().exists() {
                begun.insert(folder.path().into());
                let entry = Entry(folder.path().into());
                return Ok(TemporaryFolder { folder, _lock: lock, _entry: entry });
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// Removes what writers in `folder` left that were killed: their locks ended with them. What cannot be removed stays.
pub fn remove_unfinished(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let may_be_left = is_unfinished(&entry.file_name().to_string_lossy())
            && entry.file_type().is_ok_and(|kind| kind.is_file() || kind.is_dir());
        if !may_be_left {
            continue;
        }
        let path = entry.path();
        let lock = File::open(&path).ok().filter(|file| file.try_lock().is_ok());
        // A writer that has begun it by now waits for the lock, and then finds nothing.
        if lock.is_some() {
            let _ = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_begun_is_removed_by_others() {
        let place = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..300 {
                        remove_unfinished(place.path());
                        let folder = TemporaryFolder::new_in(place.path()).unwrap();
                        let file = TemporaryFile::new_in(place.path()).unwrap();
                        fs::write(folder.path().join("within"), "whole").unwrap();
                        remove_unfinished(place.path());
                        assert!(folder.path().join("within").exists() && file.file.path().exists());
                    }
                });
            }
        });
    }

    #[test]
    fn only_what_nobody_writes_is_removed() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join(".empf-file"), "half").unwrap();
        fs::create_dir(place.path().join(".empf-folder")).unwrap();
        fs::write(place.path().join(".empf-folder/file"), "half").unwrap();
        let busy = TemporaryFile::new_in(place.path()).unwrap();
        let folder = TemporaryFolder::new_in(place.path()).unwrap();
        remove_unfinished(place.path());
        assert!(busy.file.path().exists() && folder.path().exists());
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 2);
        drop((busy, folder));
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }
}
