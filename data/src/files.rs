//! Files of a folder or an archive, read in place.

use crate::error::{Error, Result};
use crate::unpack::{is_hidden, names, open, unpacked, unpacked_name};
use empf_ir::store;
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::io::{BufReader, Read};
use std::ops::ControlFlow;
use std::path::Path;
use tar::Archive;
use zip::ZipArchive;

/// Largest number of files; ImageNet has 1.3 million.
const MAX_FILES: usize = 1 << 21;
/// Largest number of folders inside each other: a link to a folder above must not lead around for ever.
const MAX_DEPTH: usize = 16;
/// So many bytes are read before they are decoded on all cores.
const CHUNK_BYTES: usize = 1 << 26;

/// Whether `name` is that of an archive.
pub(crate) fn is_archive(name: &str) -> bool {
    let name = unpacked_name(name);
    [".tar", ".tgz", ".zip"].iter().any(|ending| name.ends_with(ending))
}

/// What is done with a file, given by its path; `Break` ends the walk.
type Visit<'a> = dyn FnMut(&str, &mut dyn Read) -> Result<ControlFlow<()>> + 'a;

/// Shows `visit` the files of `source` whose paths are `wanted`: those of a folder in the order of their names,
/// and those of archives, as which `source` itself may come too. Packed files are shown unpacked, hidden ones not at
/// all. Paths have slashes between folders. The paths of the folders themselves.
pub(crate) fn walk(
    source: &Path,
    wanted: &dyn Fn(&str) -> bool,
    visit: &mut Visit,
) -> Result<BTreeSet<String>> {
    let name = source.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut walk = Walk { source, wanted, visit, files: 0, folders: BTreeSet::new() };
    let _ = if source.is_dir() { walk.folder(source, "", 0)? } else { walk.file(source, &name)? };
    Ok(walk.folders)
}

struct Walk<'a> {
    source: &'a Path,
    wanted: &'a dyn Fn(&str) -> bool,
    visit: &'a mut Visit<'a>,
    files: usize,
    folders: BTreeSet<String>,
}

impl Walk<'_> {
    /// Visits the files of `folder`, whose path from the source is `prefix`, empty or with a slash at its end.
    fn folder(&mut self, folder: &Path, prefix: &str, depth: usize) -> Result<ControlFlow<()>> {
        if depth > MAX_DEPTH {
            return Err(Error::file(folder, format!("lies more than {MAX_DEPTH} folders deep")));
        }
        for inner in names(folder)? {
            let (path, name) = (folder.join(&inner), format!("{prefix}{inner}"));
            let flow = if path.is_dir() {
                let flow = self.folder(&path, &format!("{name}/"), depth + 1)?;
                self.folders.insert(name);
                flow
            } else {
                self.file(&path, &name)?
            };
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn file(&mut self, path: &Path, name: &str) -> Result<ControlFlow<()>> {
        match is_archive(name) {
            true if name.ends_with(".zip") => self.zip(path),
            true => self.tar(path),
            false => {
                self.count()?;
                match self.is_wanted(name) {
                    true => (self.visit)(unpacked_name(name), &mut open(path)?),
                    false => Ok(ControlFlow::Continue(())),
                }
            }
        }
    }

    fn is_wanted(&self, name: &str) -> bool {
        (self.wanted)(unpacked_name(name))
    }

    fn tar(&mut self, path: &Path) -> Result<ControlFlow<()>> {
        for entry in Archive::new(open(path)?).entries().map_err(|e| damaged(path, e))? {
            let entry = entry.map_err(|e| damaged(path, e))?;
            self.count()?;
            let raw = entry.path().map_err(|e| damaged(path, e))?.to_string_lossy().into_owned();
            let kind = entry.header().entry_type();
            let Some(name) = path_inside(&raw) else { continue };
            if kind.is_dir() {
                self.folders.insert(name);
            } else if kind.is_file()
                && self.is_wanted(&name)
                && (self.visit)(unpacked_name(&name), &mut unpacked(&name, entry))?.is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn zip(&mut self, path: &Path) -> Result<ControlFlow<()>> {
        let opened = store::open(path);
        let file = opened.map_err(|e| Error::file(path, format!("cannot be opened: {e}")))?;
        let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|e| damaged(path, e))?;
        for i in 0..archive.len() {
            self.count()?;
            let raw = archive.name_for_index(i).unwrap_or_default();
            let is_folder = raw.ends_with(['/', '\\']);
            let Some(name) = path_inside(raw) else { continue };
            if is_folder {
                self.folders.insert(name);
            } else if self.is_wanted(&name) {
                let entry = archive.by_index(i).map_err(|e| damaged(path, e))?;
                if (self.visit)(unpacked_name(&name), &mut unpacked(&name, entry))?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn count(&mut self) -> Result<()> {
        self.files += 1;
        match self.files > MAX_FILES {
            true => Err(Error::file(self.source, format!("holds more than {MAX_FILES} files"))),
            false => Ok(()),
        }
    }
}

/// The path of an archive's entry with slashes between its folders, whatever system packed it; `None` where one of them
/// is hidden.
fn path_inside(raw: &str) -> Option<String> {
    let parts: Vec<&str> = raw.split(['/', '\\']).filter(|part| !part.is_empty() && *part != ".").collect();
    (!parts.is_empty() && !parts.iter().any(|part| is_hidden(part))).then(|| parts.join("/"))
}

fn damaged(path: &Path, e: impl std::fmt::Display) -> Error {
    Error::file(path, format!("is damaged or cut short: {e}; fetch it again"))
}

/// Files by their paths, and the paths of folders.
pub(crate) struct Found<T> {
    /// In the order of their paths.
    pub(crate) files: Vec<(String, T)>,
    /// All folders, empty ones too.
    pub(crate) folders: BTreeSet<String>,
}

/// What `decode` makes of each file of at most `limit` bytes of `source` whose path is `wanted`, in the order of
/// the paths: wherever an archive was packed, its files have one order. Of files of one path the first counts.
pub(crate) fn decode<T: Send>(
    source: &Path,
    wanted: &dyn Fn(&str) -> bool,
    limit: u64,
    decode: impl Fn(&str, &[u8]) -> std::result::Result<T, String> + Sync,
) -> Result<Found<T>> {
    let (mut files, mut waiting, mut bytes) = (vec![], vec![], 0);
    let decode_all = |waiting: Vec<(String, Vec<u8>)>| {
        let decode = |(name, content): (String, Vec<u8>)| match decode(&name, &content) {
            Ok(value) => Ok((name, value)),
            Err(message) => Err(Error::file(source, format!("{name}: {message}"))),
        };
        waiting.into_par_iter().map(decode).collect::<Result<Vec<_>>>()
    };
    let folders = walk(source, wanted, &mut |name, file| {
        let content = content(name, file, limit).map_err(|message| Error::file(source, message))?;
        bytes += content.len();
        waiting.push((name.to_owned(), content));
        if bytes > CHUNK_BYTES {
            files.extend(decode_all(std::mem::take(&mut waiting))?);
            bytes = 0;
        }
        Ok(ControlFlow::Continue(()))
    })?;
    files.extend(decode_all(waiting)?);
    files.sort_by(|a, b| a.0.cmp(&b.0));
    files.dedup_by(|later, earlier| later.0 == earlier.0);
    Ok(Found { files, folders })
}

/// The whole of a file; memory grows only with what is there.
fn content(name: &str, file: &mut dyn Read, limit: u64) -> std::result::Result<Vec<u8>, String> {
    let mut bytes = vec![];
    match file.take(limit + 1).read_to_end(&mut bytes) {
        Ok(_) if bytes.len() as u64 > limit => Err(format!("{name} has more than {limit} bytes")),
        Ok(_) => Ok(bytes),
        Err(e) => {
            let end = bytes.len();
            Err(format!("{name} is damaged or cut short at byte {end} (unpacked): {e}; fetch it again"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    const FILES: [(&str, &[u8]); 3] = [("set/b/2.txt", b"two"), ("set/a.txt", b"one"), ("set/c.md", b"no")];

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(vec![], Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn tar() -> Vec<u8> {
        let mut builder = tar::Builder::new(vec![]);
        for (name, bytes) in FILES {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            builder.append_data(&mut header, name, bytes).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn zip() -> Vec<u8> {
        let mut writer = ZipWriter::new(std::io::Cursor::new(vec![]));
        for (name, bytes) in FILES {
            writer.start_file(name, SimpleFileOptions::default()).unwrap();
            writer.write_all(bytes).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn texts(source: &Path, limit: u64) -> Result<Vec<(String, Vec<u8>)>> {
        Ok(decode(source, &|name| name.ends_with(".txt"), limit, |_, bytes| Ok(bytes.to_vec()))?.files)
    }

    fn expected() -> Vec<(String, Vec<u8>)> {
        vec![("set/a.txt".into(), b"one".to_vec()), ("set/b/2.txt".into(), b"two".to_vec())]
    }

    #[test]
    fn folders_and_archives_are_alike() {
        let place = tempfile::tempdir().unwrap();
        let archives = [("a.tar", tar()), ("b.tar.gz", gz(&tar())), ("c.tgz", gz(&tar())), ("d.zip", zip())];
        for (name, bytes) in archives {
            let path = place.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(texts(&path, 10).unwrap(), expected(), "{name}");
        }
        assert_eq!(texts(place.path(), 10).unwrap(), expected(), "an archive beside another");
        std::fs::create_dir_all(place.path().join("inner/set/b")).unwrap();
        std::fs::write(place.path().join("inner/set/a.txt.gz"), gz(b"one")).unwrap();
        std::fs::write(place.path().join("inner/set/b/2.txt"), b"two").unwrap();
        assert_eq!(texts(&place.path().join("inner"), 10).unwrap(), expected());
    }

    /// An archive of files and folders, a folder where there is nothing to hold.
    fn archives(entries: &[(&str, Option<&[u8]>)]) -> [(&'static str, Vec<u8>); 2] {
        let (mut tar, mut zip) = (tar::Builder::new(vec![]), ZipWriter::new(std::io::Cursor::new(vec![])));
        for (name, bytes) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.map_or(0, |bytes| bytes.len() as u64));
            header.set_entry_type(if bytes.is_some() {
                tar::EntryType::Regular
            } else {
                tar::EntryType::Directory
            });
            // Names as they are: `append_data` would take a backslash for a part of a name.
            header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            tar.append(&header, bytes.unwrap_or_default()).unwrap();
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(bytes.unwrap_or_default()).unwrap();
        }
        [("x.tar", tar.into_inner().unwrap()), ("x.zip", zip.finish().unwrap().into_inner())]
    }

    fn found(name: &str, bytes: &[u8]) -> (Vec<String>, Vec<String>) {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let found = decode(&path, &|name| name.ends_with(".txt"), 9, |_, _| Ok(())).unwrap();
        (found.files.into_iter().map(|(name, ())| name).collect(), found.folders.into_iter().collect())
    }

    #[test]
    fn archives_of_other_systems() {
        let windows =
            archives(&[("set\\b\\", None), ("set\\a.txt", Some(b"one")), ("set\\b\\2.txt", Some(b"two"))]);
        for (name, bytes) in windows {
            let expected = (vec!["set/a.txt".to_owned(), "set/b/2.txt".into()], vec!["set/b".to_owned()]);
            assert_eq!(found(name, &bytes), expected, "{name}");
        }
        let mac = archives(&[
            ("./._a.txt", Some(b"Mac")),
            ("./a.txt", Some(b"one")),
            ("__MACOSX/a.txt", Some(b"Mac")),
            (".git/b.txt", Some(b"git")),
            ("./c/", None),
        ]);
        for (name, bytes) in mac {
            assert_eq!(found(name, &bytes), (vec!["a.txt".to_owned()], vec!["c".to_owned()]), "{name}");
        }
    }

    #[test]
    fn packed_files_of_archives_are_unpacked() {
        for (name, bytes) in archives(&[("a.txt.gz", Some(&gz(b"one")))]) {
            let place = tempfile::tempdir().unwrap();
            let path = place.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(texts(&path, 10).unwrap(), [("a.txt".into(), b"one".to_vec())]);
        }
    }

    #[test]
    fn hidden_files_and_empty_folders() {
        let place = tempfile::tempdir().unwrap();
        for folder in [".hidden", "empty", "full"] {
            std::fs::create_dir(place.path().join(folder)).unwrap();
        }
        for name in [".hidden/a.txt", "full/.a.txt", "full/b.txt"] {
            std::fs::write(place.path().join(name), "x").unwrap();
        }
        let found = decode(place.path(), &|_| true, 9, |_, _| Ok(())).unwrap();
        assert_eq!(found.files, [("full/b.txt".to_owned(), ())]);
        assert_eq!(found.folders.into_iter().collect::<Vec<_>>(), ["empty", "full"]);
    }

    #[test]
    fn names_what_is_wrong() {
        let place = tempfile::tempdir().unwrap();
        let error = |name: &str, bytes: &[u8], limit: u64| {
            let path = place.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            texts(&path, limit).unwrap_err().to_string()
        };
        assert!(error("a.tar", &tar(), 2).contains("set/b/2.txt has more than 2 bytes"));
        assert!(error("b.tar", &tar()[..700], 9).contains("b.tar: is damaged or cut short"));
        assert!(error("c.zip", &zip()[..70], 9).contains("c.zip: is damaged or cut short"));
        assert!(error("d.txt.gz", &gz(b"a")[..12], 9).contains("d.txt is damaged or cut short at byte"));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_a_folder_above_ends() {
        let place = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(place.path(), place.path().join("loop")).unwrap();
        assert!(texts(place.path(), 2).unwrap_err().to_string().contains("folders deep"));
    }
}
