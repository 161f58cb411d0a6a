//! Runs the command as a user does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;
use tempfile::TempDir;

/// The command with `arguments`, in `folder`.
pub(crate) fn empf(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_empf"));
    command.current_dir(folder).args(arguments);
    command
}

/// Runs it to its end.
pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Output {
    empf(folder, arguments).output().expect("the command starts")
}

/// Standard output of a run that must succeed.
pub(crate) fn succeed(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "empf {}: {error}", arguments.join(" "));
    String::from_utf8(output.stdout).expect("text")
}

/// The error of a run that must fail, and leave `folder` as it was.
pub(crate) fn fail(folder: &Path, arguments: &[&str]) -> String {
    let before = files(folder);
    let text = error_of(&run(folder, arguments));
    assert_eq!(files(folder), before, "{text}");
    text
}

/// What a failed run printed as its error.
pub(crate) fn error_of(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    let error = text.lines().position(|line| line.starts_with("error: ")).expect("a line with the error");
    text.lines().skip(error).collect::<Vec<_>>().join("\n")
}

/// All files and folders below `folder`.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                open.push(path.clone());
            }
            all.push(path);
        }
    }
    all.sort();
    all
}

/// A trained network and its build for a 4x4 array, made once.
static MADE: LazyLock<TempDir> = LazyLock::new(|| {
    let place = tempfile::tempdir().expect("a temporary folder");
    let train = "train --network tiny --width 0.25 --time-steps 2 --epochs 1 -o run";
    succeed(place.path(), &words(train));
    succeed(place.path(), &words("compile run/network --arch 4x4 -o build"));
    place
});

/// The arguments of a command line without quotes.
pub(crate) fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

/// A folder of one's own with copies of `network/` and `build/`, small but real.
pub(crate) fn made() -> TempDir {
    let place = tempfile::tempdir().expect("a temporary folder");
    copy(&MADE.path().join("run/network"), &place.path().join("network"));
    copy(&MADE.path().join("build"), &place.path().join("build"));
    place
}

/// Copies a folder.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).expect("a new folder");
    for entry in fs::read_dir(from).expect("a readable folder") {
        let (from, to) = entry.map(|e| (e.path(), to.join(e.file_name()))).expect("a readable folder");
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).expect("a readable file");
        }
    }
}

/// Replaces the first `from` in a text file, which must be there.
pub(crate) fn replace(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).expect("a text file");
    assert!(text.contains(from), "{from} in {text}");
    fs::write(file, text.replacen(from, to, 1)).expect("a writable file");
}
