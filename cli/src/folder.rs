//! Folders that appear whole or not at all, and take the place of nothing but an older result of the same kind.

use crate::error::{Error, Result};
use empf_ir::store::temporary::{TemporaryFolder, is_unfinished, remove_unfinished, uninterrupted};
use empf_ir::store::{self, folder_of};
use rustix::fs::{Access, access};
use std::fs::{self, File, TryLockError};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// So many bytes of a header are searched for its mark.
const MARKED_BYTES: u64 = 1 << 12;

/// What a verb writes into a folder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    /// File by which the folder is known; it is written last, and readers refuse a folder without it.
    pub(crate) header: &'static str,
    /// What stands near the start of a header that this program wrote.
    pub(crate) mark: &'static str,
    /// Paths of the other files.
    pub(crate) files: &'static [&'static str],
}

impl Kind {
    /// Paths of all files.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.header).chain(self.files.iter().copied())
    }

    fn has(&self, file: &Path) -> bool {
        self.names().any(|name| file == Path::new(name))
    }

    /// `folder` has a header, and this program wrote it.
    pub(crate) fn is_marked(&self, folder: &Path) -> bool {
        let mut start = vec![];
        let file = store::open(&folder.join(self.header));
        let read = file.and_then(|file| file.take(MARKED_BYTES).read_to_end(&mut start));
        read.is_ok() && String::from_utf8_lossy(&start).contains(self.mark)
    }

    /// What `folder`, which is not marked, has in place of a header.
    fn unmarked(&self, folder: &Path) -> String {
        match folder.join(self.header).exists() {
            true => format!("its {} is damaged or of another program", self.header),
            false => format!("no {} of this program: it is another kind of result", self.header),
        }
    }
}

/// Fills `target` by `fill`, which writes into the folder that it is given; after a failure nothing is left, and an
/// older result stays.
///
/// A new folder is made beside its name and renamed. An existing one is filled file by file from a folder inside it, so
/// that a mount point, the working folder, a link, or a folder whose parent cannot be written serves as well: first the
/// old header goes, last the new one comes. A folder with a file that is not of `kind` is never touched.
pub(crate) fn write(target: &Path, kind: Kind, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    check_replaceable(target, kind)?;
    if target.exists() {
        return refill(target, kind, fill);
    }
    let parent = folder_of(target);
    let created = first_missing(parent);
    let result = create(parent, target, fill);
    if let (Err(_), Some(created)) = (&result, created) {
        // Parents that were made for a folder that never came; one that is in use by now stays.
        let mut unused = Some(parent);
        while let Some(folder) = unused.filter(|f| f.starts_with(created)) {
            let _ = fs::remove_dir(folder);
            unused = folder.parent();
        }
    }
    result
}

/// `target` may be created, or holds an older result and nothing else. One whose writer was killed while it put files
/// in place has no header, but an unfinished folder.
pub(crate) fn check_replaceable(target: &Path, kind: Kind) -> Result<()> {
    match fs::metadata(target) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Err(Error::file(target, "is no folder; choose another output")),
        Err(_) if target.is_symlink() => {
            return Err(Error::file(target, "is a link to nothing; choose another output"));
        }
        Err(e) if [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&e.kind()) => {
            return check_creatable(target);
        }
        Err(e) => return Err(Error::file(target, e)),
    }
    check_writable(target)?;
    let files = files(target)?;
    let would_lose = |file: &Path, why: &str| {
        let message = format!("holds {}, {why} and would be lost; choose another output", file.display());
        Err(Error::file(target, message))
    };
    if let Some(file) = files.iter().find(|file| !kind.has(file)) {
        return would_lose(file, "which is no part of such a result");
    }
    match files.first() {
        Some(file) if !kind.is_marked(target) && !was_interrupted(target) => {
            would_lose(file, &format!("but {}", kind.unmarked(target)))
        }
        _ => Ok(()),
    }
}

/// `target`, which does not exist, can be made: the innermost folder above it that exists may be written to.
fn check_creatable(target: &Path) -> Result<()> {
    let exists = |folder: &&Path| folder.as_os_str().is_empty() || folder.symlink_metadata().is_ok();
    let Some(found) = target.ancestors().skip(1).find(exists) else { return Ok(()) };
    let found = if found.as_os_str().is_empty() { Path::new(".") } else { found };
    let why = match found.is_dir() {
        true => writable(found).err().map(|e| e.to_string()),
        false => Some("is no folder".into()),
    };
    why.map_or(Ok(()), |why| {
        let message = format!("cannot be made: {}: {why}; choose another output", found.display());
        Err(Error::file(target, message))
    })
}

fn writable(folder: &Path) -> io::Result<()> {
    Ok(access(folder, Access::WRITE_OK | Access::EXEC_OK)?)
}

/// Files can be put into `folder`, which exists.
pub(crate) fn check_writable(folder: &Path) -> Result<()> {
    let failed = |e| Error::file(folder, format!("cannot be written: {e}; choose another output"));
    writable(folder).map_err(failed)
}

/// Where `path`, which need not exist yet, is, whatever links lead there.
pub(crate) fn place_of(path: &Path) -> Result<PathBuf> {
    let failed = |e| Error::file(path, e);
    let whole = std::path::absolute(path).map_err(failed)?;
    let found = whole.ancestors().find(|folder| folder.exists()).unwrap_or(&whole);
    let rest = whole.strip_prefix(found).unwrap_or(Path::new(""));
    Ok(found.canonicalize().map_err(failed)?.join(rest))
}

/// The files of `kind` can be put into `target`, which is made where it does not exist, beside what is there: none of
/// them is in the way, or the header says that they are an older result's.
pub(crate) fn check_no_file_in_the_way(target: &Path, kind: Kind) -> Result<()> {
    if !target.exists() {
        return check_creatable(target);
    }
    check_writable(target)?;
    match kind.names().find(|name| target.join(name).symlink_metadata().is_ok()) {
        Some(name) if !kind.is_marked(target) && !was_interrupted(target) => {
            let message = format!("holds {name}, which would be lost, but {}", kind.unmarked(target));
            Err(Error::file(target, message + "; choose another output"))
        }
        _ => Ok(()),
    }
}

/// A writer was killed in `folder`.
fn was_interrupted(folder: &Path) -> bool {
    let mut entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.any(|entry| is_unfinished(&entry.file_name().to_string_lossy()))
}

/// Holds `folder` for this process until the value is dropped; refused where another process holds it.
pub(crate) fn hold(folder: &Path) -> Result<File> {
    let file = File::open(folder).map_err(|e| Error::file(folder, e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let message = "another empf writes into it; wait for its end, or choose another folder";
            Err(Error::file(folder, message))
        }
        Err(TryLockError::Error(e)) => Err(Error::file(folder, e)),
    }
}

/// Paths of all files in `folder`, relative to it, without unfinished ones; an empty folder in it counts as a file.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e| Error::file(folder, e);
    let mut found = vec![];
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = PathBuf::from(entry.file_name());
        if is_unfinished(&name.to_string_lossy()) {
            continue;
        }
        let inner = match entry.file_type().map_err(failed)?.is_dir() {
            true => files(&entry.path())?,
            false => vec![],
        };
        match inner.is_empty() {
            true => found.push(name),
            false => found.extend(inner.iter().map(|file| name.join(file))),
        }
    }
    Ok(found)
}

/// The outermost of `folder` and its parents that does not exist.
fn first_missing(folder: &Path) -> Option<&Path> {
    folder.ancestors().take_while(|f| !f.as_os_str().is_empty() && !f.exists()).last()
}

fn create(parent: &Path, target: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let failed = |e: io::Error| Error::Data(empf_ir::Error::io("write", target, e));
    store::create_dir(parent)?;
    remove_unfinished(parent);
    let temporary = TemporaryFolder::new_in(parent).map_err(failed)?;
    let new = temporary.path().join("new");
    fs::create_dir(&new).map_err(failed)?;
    fill(&new)?;
    fs::rename(&new, target).map_err(failed)
}

/// Empties `target` for a result of `kind` whose files come one by one, the header first: an older one goes, its header
/// last. The folder is held until the value is dropped.
pub(crate) fn begin(target: &Path, kind: Kind) -> Result<File> {
    check_replaceable(target, kind)?;
    store::create_dir(target)?;
    let held = hold(target)?;
    for name in kind.files.iter().chain([&kind.header]) {
        remove(&target.join(name)).map_err(|e| Error::file(target, e))?;
    }
    Ok(held)
}

fn refill(target: &Path, kind: Kind, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let failed = |e: io::Error| Error::Data(empf_ir::Error::io("write", target, e));
    let _held = hold(target)?;
    remove_unfinished(target);
    let temporary = TemporaryFolder::new_in(target).map_err(failed)?;
    fill(temporary.path())?;
    uninterrupted(|| put_in_place(temporary.path(), target, kind))
}

/// Moves all files of `from` into `target`: first its header goes, last the new one comes.
fn put_in_place(from: &Path, target: &Path, kind: Kind) -> Result<()> {
    let failed = |e: io::Error| Error::Data(empf_ir::Error::io("write", target, e));
    let (new, old) = (files(from)?, files(target)?);
    remove(&target.join(kind.header)).map_err(failed)?;
    for file in old.iter().filter(|file| !new.contains(file)) {
        remove(&target.join(file)).map_err(failed)?;
        // A folder inside goes with its last file.
        let _ = file
            .parent()
            .filter(|inner| *inner != Path::new(""))
            .map(|inner| fs::remove_dir(target.join(inner)));
    }
    let (header, rest): (Vec<_>, Vec<_>) = new.iter().partition(|file| *file == Path::new(kind.header));
    for file in rest.into_iter().chain(header) {
        store::create_dir(folder_of(&target.join(file)))?;
        fs::rename(from.join(file), target.join(file)).map_err(failed)?;
    }
    Ok(())
}

/// Removes a file, if there is one.
fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: Kind = Kind { header: "head", mark: "ours", files: &["body", "inner/part"] };

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            files(folder).unwrap().into_iter().map(|file| file.display().to_string()).collect();
        names.sort();
        names
    }

    fn put(folder: &Path, file: &str, text: &str) -> Result<()> {
        fs::write(folder.join(file), text).map_err(|e| Error::file(folder, e))
    }

    fn good(folder: &Path) -> Result<()> {
        put(folder, "head", "ours, 1")?;
        put(folder, "body", "2")
    }

    fn fail(folder: &Path) -> Result<()> {
        put(folder, "body", "half")?;
        Err(Error::file("x", "no"))
    }

    #[test]
    fn a_failure_leaves_nothing_and_keeps_the_old() {
        let place = tempfile::tempdir().unwrap();
        assert!(write(&place.path().join("a/b"), KIND, fail).is_err());
        assert!(names(place.path()).is_empty());
        let target = place.path().join("t");
        write(&target, KIND, good).unwrap();
        assert!(write(&target, KIND, fail).is_err());
        assert_eq!(names(place.path()), ["t/body", "t/head"]);
        assert_eq!(fs::read(target.join("body")).unwrap(), b"2");
        assert_eq!(fs::read_dir(&target).unwrap().count(), 2);
    }

    #[test]
    fn only_files_of_the_kind_are_replaced() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("t");
        fs::create_dir(&target).unwrap();
        write(&target, KIND, good).unwrap();
        let with_part = |folder: &Path| {
            fs::create_dir(folder.join("inner")).unwrap();
            put(folder, "inner/part", "3")?;
            put(folder, "head", "ours, 4")
        };
        write(&target, KIND, with_part).unwrap();
        assert_eq!(names(&target), ["head", "inner/part"], "what the new result has not is gone");
        for other in ["thesis.tex", "inner/thesis.tex"] {
            put(&target, other, "dear").unwrap();
            let error = write(&target, KIND, good).unwrap_err().to_string();
            assert!(error.contains(other) && error.contains("choose another output"), "{error}");
            fs::remove_file(target.join(other)).unwrap();
        }
        assert_eq!(names(&target), ["head", "inner/part"]);
    }

    #[test]
    fn a_folder_without_its_header_is_another_kind() {
        let place = tempfile::tempdir().unwrap();
        put(place.path(), "body", "dear").unwrap();
        let error = write(place.path(), KIND, good).unwrap_err().to_string();
        assert!(error.contains("holds body, but no head"), "{error}");
        put(place.path(), "head", "theirs").unwrap();
        assert!(write(place.path(), KIND, good).is_err());
        assert_eq!(fs::read(place.path().join("head")).unwrap(), b"theirs");
        fs::remove_file(place.path().join("head")).unwrap();
        // What a writer leaves that is killed while it puts files in place.
        fs::create_dir(place.path().join(".empf-left")).unwrap();
        write(place.path(), KIND, good).unwrap();
        assert_eq!(names(place.path()), ["body", "head"]);
        assert!(!place.path().join(".empf-left").exists());
    }

    #[test]
    fn other_files_may_stay_beside_a_result_but_not_in_its_way() {
        let place = tempfile::tempdir().unwrap();
        put(place.path(), "notes", "dear").unwrap();
        check_no_file_in_the_way(place.path(), KIND).unwrap();
        for name in ["body", "head"] {
            put(place.path(), name, "theirs").unwrap();
            let error = check_no_file_in_the_way(place.path(), KIND).unwrap_err().to_string();
            assert!(error.contains(&format!("holds {name}, which would be lost")), "{error}");
        }
        put(place.path(), "head", "ours").unwrap();
        check_no_file_in_the_way(place.path(), KIND).unwrap();
    }

    #[test]
    fn what_cannot_be_made_is_said_before_any_work() {
        let place = tempfile::tempdir().unwrap();
        put(place.path(), "file", "").unwrap();
        check_no_file_in_the_way(&place.path().join("a/b/c"), KIND).unwrap();
        for target in ["file/x", "file/x/y"].map(|target| place.path().join(target)) {
            for check in [check_replaceable, check_no_file_in_the_way] {
                let error = check(&target, KIND).unwrap_err().to_string();
                assert!(error.contains("file: is no folder; choose another output"), "{error}");
            }
        }
    }

    /// The superuser may write everywhere.
    #[cfg(unix)]
    #[test]
    fn a_folder_that_takes_no_files_is_said_before_any_work() {
        use std::os::unix::fs::PermissionsExt;
        let place = tempfile::tempdir().unwrap();
        fs::set_permissions(place.path(), fs::Permissions::from_mode(0o555)).unwrap();
        for check in [check_replaceable, check_no_file_in_the_way] {
            match check(place.path(), KIND) {
                Ok(()) => assert!(rustix::process::geteuid().is_root()),
                Err(error) => assert!(error.to_string().contains(": cannot be written: "), "{error}"),
            }
        }
    }

    #[test]
    fn a_place_is_the_same_by_every_way() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().canonicalize().unwrap();
        fs::create_dir(here.join("a")).unwrap();
        assert_eq!(place_of(&here.join("a/../b/c")).unwrap(), here.join("b/c"));
        assert_eq!(place_of(&here.join("a/.")).unwrap(), here.join("a"));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_a_folder_stays_a_link() {
        let place = tempfile::tempdir().unwrap();
        let (real, link) = (place.path().join("real"), place.path().join("link"));
        fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        write(&link, KIND, good).unwrap();
        assert!(link.is_symlink());
        assert_eq!(names(&real), ["body", "head"]);
        std::os::unix::fs::symlink("nothing", place.path().join("dangling")).unwrap();
        let error = write(&place.path().join("dangling"), KIND, good).unwrap_err().to_string();
        assert!(error.contains("link to nothing"), "{error}");
    }

    #[test]
    fn one_writer_at_a_time() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("t");
        write(&target, KIND, good).unwrap();
        let held = hold(&target).unwrap();
        let error = write(&target, KIND, good).unwrap_err().to_string();
        assert!(error.contains("another empf writes into it"), "{error}");
        drop(held);
        write(&target, KIND, good).unwrap();
    }
}
