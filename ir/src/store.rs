//! Files that appear whole or not at all.

use crate::{Error, Result};
use serde::{Serialize, de::DeserializeOwned};
use std::io::Write;
use std::path::Path;

/// Creates `folder` and its parents.
pub fn create_dir(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| Error::io("create", folder, e))
}

/// Reads a file.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| Error::io("read", path, e))
}

/// Writes to a temporary name beside `path`, flushes to disk, then renames.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |e| Error::io("write", path, e);
    let folder = match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    };
    let mut file = tempfile::Builder::new().prefix(".empf-").tempfile_in(folder).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    readable_by_all(file.as_file()).map_err(failed)?;
    file.persist(path).map_err(|e| failed(e.error))?;
    Ok(())
}

/// Temporary files are private to their owner; results are ordinary files.
#[cfg(unix)]
fn readable_by_all(file: &std::fs::File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable_by_all(_: &std::fs::File) -> std::io::Result<()> {
    Ok(())
}

/// Writes indented JSON.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|e| Error::Syntax { path: path.into(), message: e.to_string() })?;
    text.push(b'\n');
    write(path, &text)
}

/// Reads JSON whose `format` and `version` are as given; both are looked at before anything else.
pub fn read_json<T: DeserializeOwned>(path: &Path, format: &'static str, version: u32) -> Result<T> {
    #[derive(serde::Deserialize)]
    struct Tag {
        format: String,
        version: u32,
    }
    let syntax = |e: serde_json::Error| Error::Syntax { path: path.into(), message: e.to_string() };
    let bytes = read(path)?;
    let tag: Tag = serde_json::from_slice(&bytes).map_err(syntax)?;
    if tag.format != format {
        let message = format!("is `{}`, expected `{format}`", tag.format);
        return Err(Error::Syntax { path: path.into(), message });
    }
    if tag.version != version {
        return Err(Error::Version { path: path.into(), format, found: tag.version, expected: version });
    }
    serde_json::from_slice(&bytes).map_err(syntax)
}
