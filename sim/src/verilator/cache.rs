//! The folder of built models: a content has a name, a file has a checksum, and nobody else can write there.

use crate::{Error, Result};
use empf_ir::store;
use empf_ir::store::temporary::{TemporaryFolder, remove_unfinished};
use rustix::fs::{StatVfsMountFlags, statvfs};
use sha2::{Digest, Sha256};
use std::env;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The variable that names the folder.
pub const CACHE_VARIABLE: &str = "EMPF_CACHE";

/// The folder in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// Where it is.
    pub folder: PathBuf,
    /// Why it is not where it would be expected, for people.
    pub note: Option<String>,
}

impl Cache {
    /// The folder that EMPF_CACHE names; else `empf` in the user's cache folder, or, where nothing can be written or
    /// run from there, a folder of the user's in that for temporary files.
    pub fn find() -> Result<Self> {
        let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(named) = variable(CACHE_VARIABLE) {
            return Cache::choose(&[named]);
        }
        let home = || variable("HOME").map(|home| home.join(".cache"));
        let usual = variable("XDG_CACHE_HOME").or_else(home).map(|caches| caches.join("empf"));
        let user = rustix::process::geteuid().as_raw();
        let temporary = env::temp_dir().join(format!("empf-{user}"));
        Cache::choose(&usual.into_iter().chain([temporary]).collect::<Vec<_>>())
    }

    /// The first of `candidates` that can be used.
    fn choose(candidates: &[PathBuf]) -> Result<Self> {
        let mut causes = vec![];
        for folder in candidates {
            // Models are built in other folders than the one that a relative path starts from.
            match prepare(folder).and_then(|()| std::path::absolute(folder)) {
                Ok(folder) => {
                    let text = |cause| format!("{cause}; models are kept in {}", folder.display());
                    return Ok(Cache { note: causes.first().map(text), folder });
                }
                Err(e) => causes.push(format!("{}: {e}", folder.display())),
            }
        }
        Err(Error::Cache(causes.join("; ")))
    }

    /// The file that is made of `content`. `build` makes it, in a folder of its own, where there is none or a damaged
    /// one. Processes that need the same file at the same time wait for the one that builds it.
    pub(super) fn file(
        &self,
        content: &[&str],
        extension: &str,
        build: impl FnOnce(&Path) -> Result<PathBuf>,
    ) -> Result<PathBuf> {
        let io = |action, path: &Path, error| Error::Data(empf_ir::Error::io(action, path, error));
        let key = digits(content);
        let named = |extension: &str| self.folder.join(format!("{key}.{extension}"));
        let (file, sum, lock_path) = (named(extension), named("sum"), named("lock"));
        let lock = File::create(&lock_path).map_err(|e| io("create", &lock_path, e))?;
        lock.lock().map_err(|e| io("lock", &lock_path, e))?;
        if !is_whole(&file, &sum) {
            remove_unfinished(&self.folder);
            let folder = TemporaryFolder::new_in(&self.folder).map_err(|e| io("create", &self.folder, e))?;
            let complete = build(folder.path())?;
            let bytes = store::read(&complete)?;
            fs::rename(complete, &file).map_err(|e| io("write", &file, e))?;
            store::write(&sum, checksum(&bytes).as_bytes())?;
        }
        Ok(file)
    }
}

/// `file` is there and has the checksum that was written behind it.
fn is_whole(file: &Path, sum: &Path) -> bool {
    let kept = fs::read(sum).ok();
    let bytes = fs::read(file).ok();
    kept.zip(bytes).is_some_and(|(kept, bytes)| kept == checksum(&bytes).as_bytes())
}

fn checksum(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// Hexadecimal digits that identify `content`.
fn digits(content: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in content {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hexadecimal(&hash.finalize()[..16])
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Makes `folder` where it is missing, private to the user, and sees whether models can be kept there and run: they are
/// loaded into the process, so nobody else may write them.
fn prepare(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let found = fs::metadata(folder)?;
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other("belongs to another user"));
    }
    if found.mode() & 0o022 != 0 {
        return Err(io::Error::other("others may write into it (chmod go-w)"));
    }
    tempfile::tempfile_in(folder)?;
    if statvfs(folder)?.f_flag.contains(StatVfsMountFlags::NOEXEC) {
        return Err(io::Error::other("programs may not run from there (noexec)"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn cache(folder: &Path) -> Cache {
        Cache::choose(&[folder.join("cache")]).unwrap()
    }

    fn built(cache: &Cache, text: &str) -> PathBuf {
        let build = |folder: &Path| {
            fs::write(folder.join("made"), text).unwrap();
            Ok(folder.join("made"))
        };
        cache.file(&["content"], "so", build).unwrap()
    }

    #[test]
    fn what_is_damaged_is_built_again() {
        let place = tempfile::tempdir().unwrap();
        let cache = cache(place.path());
        let file = built(&cache, "first");
        assert_eq!(built(&cache, "second"), file);
        assert_eq!(fs::read(&file).unwrap(), b"first", "it is kept");
        fs::write(&file, "fir").unwrap();
        built(&cache, "third");
        assert_eq!(fs::read(&file).unwrap(), b"third");
        fs::remove_file(file.with_extension("sum")).unwrap();
        built(&cache, "fourth");
        assert_eq!(fs::read(&file).unwrap(), b"fourth", "its writer was killed before the checksum");
    }

    #[test]
    fn a_relative_folder_is_made_absolute() {
        let place = tempfile::tempdir().unwrap();
        let up = "../".repeat(env::current_dir().unwrap().components().count() - 1);
        let relative = Path::new(&up).join(place.path().strip_prefix("/").unwrap());
        assert!(cache(&relative).folder.is_absolute());
    }

    #[test]
    fn the_folder_is_private() {
        let place = tempfile::tempdir().unwrap();
        let folder = cache(place.path()).folder;
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        let error = Cache::choose(&[folder]).unwrap_err().to_string();
        assert!(error.contains("others may write") && error.contains(CACHE_VARIABLE), "{error}");
    }

    #[test]
    fn another_folder_serves_and_says_why() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("file"), "").unwrap();
        let good = place.path().join("good");
        let cache = Cache::choose(&[place.path().join("file/cache"), good.clone()]).unwrap();
        assert_eq!(cache.folder, good);
        assert!(cache.note.unwrap().contains("file/cache"));
        assert_eq!(Cache::choose(&[good]).unwrap().note, None);
    }
}
