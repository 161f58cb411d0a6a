//! Files that appear whole or not at all.

pub mod temporary;

use crate::{Error, Result};
use serde::Serialize;
use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use temporary::TemporaryFile;

/// Creates `folder` and its parents.
pub fn create_dir(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| Error::io("create", folder, e))
}

/// Opens a regular file to read. Pipes and devices are refused: they may never end.
pub fn open(path: &Path) -> io::Result<File> {
    match std::fs::metadata(path)? {
        kind if kind.is_file() => File::open(path),
        kind if kind.is_dir() => Err(io::Error::other("it is a folder, where a file is needed")),
        _ => Err(io::Error::other("it is no regular file; copy what it gives into one")),
    }
}

/// Reads a regular file.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = vec![];
    let result = open(path).and_then(|mut file| file.read_to_end(&mut bytes));
    result.map_err(|e| Error::io("read", path, e)).map(|_| bytes)
}

/// Writes to a temporary name beside `path`, flushes to disk, then renames. A link is followed, an older file keeps
/// its permissions, and what is no regular file is refused. Unfinished files of writers that were killed are removed
/// from the folder.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, |file| file.write_all(bytes)).map_err(|e| Error::io("write", path, e))
}

fn replace(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let (target, older) = destination(path)?;
    let folder = folder_of(&target);
    temporary::remove_unfinished(folder);
    let mut new = TemporaryFile::new_in(folder)?;
    let file = new.file.as_file_mut();
    fill(file)?;
    file.sync_all()?;
    if let Some(older) = older {
        file.set_permissions(older.permissions())?;
    }
    new.file.persist(target).map(drop).map_err(|e| e.error)
}

/// Gives the finished file at `from` the name `path`, by the rules of [`write`]; both are on one file system.
pub fn rename(from: &Path, path: &Path) -> Result<()> {
    let renamed = destination(path).and_then(|(target, older)| {
        if let Some(older) = older {
            std::fs::set_permissions(from, older.permissions())?;
        }
        std::fs::rename(from, target)
    });
    renamed.map_err(|e| Error::io("write", path, e))
}

/// Links that are followed before they are taken for a circle.
const MAX_LINKS: usize = 40;

/// The file that `path` names, behind all links, and what is there now; an error where that is no regular file.
pub fn destination(path: &Path) -> io::Result<(PathBuf, Option<Metadata>)> {
    let mut target = path.to_path_buf();
    for _ in 0..MAX_LINKS {
        match std::fs::symlink_metadata(&target) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok((target, None)),
            Err(e) => return Err(e),
            Ok(kind) if kind.is_symlink() => target = folder_of(&target).join(std::fs::read_link(&target)?),
            Ok(kind) if kind.is_file() => return Ok((target, Some(kind))),
            Ok(kind) if kind.is_dir() => return Err(io::Error::other("it is a folder; name a file")),
            Ok(_) => return Err(io::Error::other("it is no regular file; name another")),
        }
    }
    Err(io::Error::other("its links lead in a circle"))
}

/// The folder that holds `path`.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
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

    fn names(folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn what_a_killed_writer_left_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(".empf-left"), "half").unwrap();
        write(&folder.path().join("result"), b"whole").unwrap();
        assert_eq!(names(folder.path()), ["result"]);
        assert_eq!(read(&folder.path().join("result")).unwrap(), b"whole");
    }

    #[cfg(unix)]
    #[test]
    fn permissions_stay_and_links_are_followed() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let [file, link, dangling] = ["file", "link", "dangling"].map(|name| folder.path().join(name));
        std::fs::write(&file, "old").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        symlink("file", &link).unwrap();
        symlink("later", &dangling).unwrap();
        write(&link, b"new").unwrap();
        assert!(link.is_symlink());
        assert_eq!(read(&file).unwrap(), b"new");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o640);
        write(&dangling, b"made").unwrap();
        assert_eq!(read(&folder.path().join("later")).unwrap(), b"made");
        symlink("circle", folder.path().join("circle")).unwrap();
        assert!(write(&folder.path().join("circle"), b"").unwrap_err().to_string().contains("circle"));
    }

    #[cfg(unix)]
    #[test]
    fn devices_are_neither_read_nor_replaced() {
        let text = |e: Error| e.to_string();
        assert!(text(read(Path::new("/dev/zero")).unwrap_err()).contains("no regular file"));
        assert!(text(write(Path::new("/dev/null"), b"").unwrap_err()).contains("no regular file"));
        assert!(text(read(Path::new("/")).unwrap_err()).contains("is a folder"));
    }
}
