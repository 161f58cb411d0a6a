//! Files read in place, plain or packed.

use crate::error::{Error, Result};
use empf_ir::store;
use flate2::read::GzDecoder;
use lzma_rust2::XzReader;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// Endings of packed files that [`open`] unpacks.
const PACKED: [&str; 2] = ["gz", "xz"];
/// Memory that unpacking an .xz file may take: enough for its largest usual dictionary of 64 MiB.
const XZ_MEMORY_KIB: u32 = 96 << 10;

/// The content of `path`, unpacked where its name ends in .gz, .tgz or .xz.
pub(crate) fn open(path: &Path) -> Result<Box<dyn Read>> {
    let opened = store::open(path);
    let file = opened.map_err(|e| Error::file(path, format!("cannot be opened: {e}")))?;
    let file = BufReader::new(file);
    Ok(match path.extension().and_then(|e| e.to_str()) {
        Some("gz" | "tgz") => Box::new(GzDecoder::new(file)),
        Some("xz") => Box::new(XzReader::new_mem_limit(file, true, XZ_MEMORY_KIB)),
        _ => Box::new(file),
    })
}

/// The whole content of `path`, unpacked; memory grows only with what is there, up to `limit` bytes.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = vec![];
    let result = open(path)?.take(limit + 1).read_to_end(&mut bytes);
    result.map_err(|e| {
        let end = bytes.len();
        Error::file(path, format!("is damaged or cut short at byte {end} (unpacked): {e}; fetch it again"))
    })?;
    if bytes.len() as u64 > limit {
        return Err(Error::file(path, format!("is larger than {limit} bytes")));
    }
    Ok(bytes)
}

/// The file `name` of `folder`, plain or packed.
pub(crate) fn find(folder: &Path, name: &str) -> Result<PathBuf> {
    let mut candidates: Vec<PathBuf> = PACKED.iter().map(|e| folder.join(format!("{name}.{e}"))).collect();
    candidates.push(folder.join(name));
    let found = candidates.into_iter().find(|path| path.is_file());
    found.ok_or_else(|| Error::file(folder, format!("has no file {name}.gz, {name}.xz or {name}")))
}

/// `name` without the ending of a packed file.
pub(crate) fn unpacked_name(name: &str) -> &str {
    let packed = PACKED.iter().find_map(|ending| name.strip_suffix(ending)?.strip_suffix('.'));
    packed.unwrap_or(name)
}

/// Names in `folder`, sorted.
pub(crate) fn names(folder: &Path) -> Result<Vec<String>> {
    let failed = |e| Error::file(folder, format!("cannot be read: {e}"));
    let mut names = vec![];
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        names.push(entry.map_err(failed)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
