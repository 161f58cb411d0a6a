//! Waves around the clock cycle in which a mismatch came about.

use crate::error::{Error, Result};
use crate::samples::Samples;
use empf_ir::store::temporary::TemporaryFolder;
use empf_sim::numpy::write_outputs;
use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Clock cycles that waves show in front of the mismatch, and behind it.
const SHOWN: [u64; 2] = [200, 50];

/// The file beside the folder of a build: its name with `.mismatch.fst` behind it.
pub(crate) fn beside(build: &Path) -> Result<PathBuf> {
    let whole = match build.file_name() {
        Some(_) => build.to_owned(),
        None => build.canonicalize().map_err(|e| Error::file(build, e))?,
    };
    let mut name = whole.file_name().map_or_else(|| OsString::from("build"), OsString::from);
    name.push(".mismatch.fst");
    Ok(whole.with_file_name(name))
}

/// Simulates the sample `index` by itself and keeps the waves around `cycle` in `file`; gives the cycles that they show.
///
/// Another process of this command does it: the library that writes waves may end its process.
pub(crate) fn write(
    build: &Path,
    (samples, index): (&Samples, usize),
    power_up_seed: u32,
    cycle: u64,
    file: &Path,
) -> Result<Range<u64>> {
    let folder = std::env::temp_dir();
    let folder = TemporaryFolder::new_in(&folder).map_err(|e| Error::file(&folder, e))?;
    let input = folder.path().join("sample.npz");
    write_outputs(&input, &samples.only(index), &[])?;
    let cycles = cycle.saturating_sub(SHOWN[0])..cycle + SHOWN[1] + 1;
    let command = std::env::current_exe().map_err(|e| Error::file("empf", e))?;
    let mut process = Command::new(command);
    process.arg("simulate").arg(build).arg("--input").arg(&input).args(["--engine", "verilator"]);
    process.arg("--power-up-seed").arg(power_up_seed.to_string()).arg("--trace").arg(file);
    process.arg("--from").arg(cycles.start.to_string());
    process.arg("--cycles").arg((cycles.end - cycles.start).to_string());
    let status = process.stdout(Stdio::null()).status().map_err(|e| Error::file("empf", e))?;
    if status.success() { Ok(cycles) } else { Err(Error::Told) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_beside_the_build() {
        assert_eq!(beside(Path::new("a/tiny")).unwrap(), Path::new("a/tiny.mismatch.fst"));
        assert_eq!(beside(Path::new("tiny/")).unwrap(), Path::new("tiny.mismatch.fst"));
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().canonicalize().unwrap().join("b");
        std::fs::create_dir_all(folder.join("c")).unwrap();
        let expected = folder.with_file_name("b.mismatch.fst");
        assert_eq!(beside(&folder.join("c/..")).unwrap(), expected, "a path that ends in no name");
        let winding = beside(&folder.join("../b/..").join("b/.")).unwrap();
        let there = winding.parent().unwrap().canonicalize().unwrap();
        assert_eq!(there.join(winding.file_name().unwrap()), expected);
    }
}
