//! `cargo xtask faults`: plants faults and shows where the comparison of engines locates them.

use empf_tests::{FaultError, Located, MECHANISMS, changed_theta, flipped_weight, off_by_one_stride};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The workspace that this command belongs to.
const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A fault and where it was seen; an error where it was not, or elsewhere.
type Plant = fn() -> Result<Vec<Located>, FaultError>;

/// Plants all faults.
pub(crate) fn run() -> crate::error::Result {
    let faults: [Plant; 3] = [flipped_weight, changed_theta, off_by_one_stride];
    for plant in faults {
        for located in plant()? {
            println!("{located}");
        }
    }
    for mechanism in &MECHANISMS {
        println!("{}", mechanism.plant()?);
    }
    println!("{}", wrong_rounding()?);
    println!("all faults were located");
    Ok(())
}

/// Pooling in the golden model rounds down: a copy of the workspace with this fault must fail the suite, and the
/// first layer that differs must be one that pools.
fn wrong_rounding() -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    const FILE: &str = "golden/src/pool.rs";
    const RIGHT: &str = "clamp(round_shift(sum, shift), act_bits)";
    const WRONG: &str = "clamp(round_shift(sum, 0) >> shift, act_bits)";
    let folder = target_folder().join("faults");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    copy_workspace(Path::new(WORKSPACE), &folder)?;
    let file = folder.join(FILE);
    let text = fs::read_to_string(&file)?;
    if text.matches(RIGHT).count() != 1 {
        return Err(format!("`{RIGHT}` is not once in {FILE}: adapt the fault to the golden model").into());
    }
    fs::write(&file, text.replace(RIGHT, WRONG))?;

    let mut suite = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    suite.current_dir(&folder).env("CARGO_TARGET_DIR", target_folder());
    suite.args(["test", "--offline", "--package", "empf-tests", "--test", "schedules"]);
    let output = suite.output().map_err(|e| format!("cannot run cargo: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let found = text.lines().find_map(|line| line.split_once(" differs from golden: "));
    match found {
        Some((engine, first)) if first.contains("first: layer `pool") => {
            let engine = engine.rsplit(' ').next().unwrap_or(engine);
            Ok(format!("{WRONG} in {FILE}\n    {engine} differs from golden: {first}"))
        }
        _ => {
            let errors = String::from_utf8_lossy(&output.stderr);
            Err(format!("not located in a pooling layer: {WRONG} in {FILE}\n{text}{errors}").into())
        }
    }
}

/// The target folder of this command, so that only the workspace's own crates are built again.
fn target_folder() -> PathBuf {
    let named = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    named.unwrap_or_else(|| Path::new(WORKSPACE).join("target"))
}

/// Copies the manifests and the folders of all members.
fn copy_workspace(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for file in ["Cargo.toml", "Cargo.lock"] {
        fs::copy(from.join(file), to.join(file))?;
    }
    for entry in from.read_dir()? {
        let folder = entry?.path();
        if let (true, Some(name)) = (folder.join("Cargo.toml").exists(), folder.file_name()) {
            copy_folder(&folder, &to.join(name))?;
        }
    }
    Ok(())
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in from.read_dir()? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
