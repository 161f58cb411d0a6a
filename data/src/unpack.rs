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
    let file = store::open(path).map_err(|e| Error::file(path, format!("cannot be opened: {e}")))?;
    Ok(unpacked(&path.to_string_lossy(), BufReader::new(file)))
}

/// The content `file` of a file of this name, unpacked.
pub(crate) fn unpacked<'a>(name: &str, file: impl Read + 'a) -> Box<dyn Read + 'a> {
    match name.rsplit_once('.') {
        Some((_, "gz" | "tgz")) => Box::new(GzDecoder::new(file)),
        Some((_, "xz")) => Box::new(XzReader::new_mem_limit(file, true, XZ_MEMORY_KIB)),
        _ => Box::new(file),
    }
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

/// Whether `name` is that of a file or a folder of the system's: with a dot in front, as editors and notebooks leave
/// them, or what macOS packs beside the files of an archive.
pub(crate) fn is_hidden(name: &str) -> bool {
    name.starts_with('.') || name == "__MACOSX"
}

/// Names in `folder`, sorted, but those that are hidden. A name that is no text is refused: nobody could write it down.
pub(crate) fn names(folder: &Path) -> Result<Vec<String>> {
    let failed = |e| Error::file(folder, format!("cannot be read: {e}"));
    let mut names = vec![];
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().into_string().map_err(|name| {
            Error::file(folder, format!("holds {name:?}, a name that is no UTF-8 text; rename it"))
        })?;
        if !is_hidden(&name) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn names_that_are_no_text_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("bee")).unwrap();
        assert_eq!(names(folder.path()).unwrap(), ["bee"]);
        std::fs::create_dir(folder.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9"))).unwrap();
        let error = names(folder.path()).unwrap_err().to_string();
        assert!(error.contains("a name that is no UTF-8 text"), "{error}");
    }
}
