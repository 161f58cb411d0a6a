//! What the command writes, and what it leaves alone.

use crate::command::{empf, error_of, fail, files, made, run, succeed, words};
use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

const COMPILE: &str = "compile network --arch 4x4 --samples 16 -o";
const WAVES: &str = "simulate build --input glyphs --samples 1 --engine verilator --trace waves.fst";

fn compile(place: &Path, output: &str) -> String {
    succeed(place, &[&words(COMPILE)[..], &[output]].concat())
}

fn refused(place: &Path, output: &str) -> String {
    fail(place, &[&words(COMPILE)[..], &[output]].concat())
}

#[test]
fn a_build_replaces_builds_alone() {
    let place = made();
    let place = place.path();
    compile(place, "build");
    fs::write(place.join("build/thesis.tex"), "dear").unwrap();
    let error = refused(place, "build");
    assert!(error.contains("build: holds thesis.tex") && error.contains("choose another output"), "{error}");
    fs::remove_file(place.join("build/thesis.tex")).unwrap();
    assert!(refused(place, "network").contains("but no quant.json"));
}

#[test]
fn existing_folders_serve() {
    let place = made();
    let place = place.path();
    for folder in ["empty", "real"] {
        fs::create_dir(place.join(folder)).unwrap();
    }
    symlink("real", place.join("link")).unwrap();
    compile(place, "empty");
    compile(place, "link");
    assert!(place.join("link").is_symlink() && place.join("real/quant.json").exists());
    fs::create_dir(place.join("here")).unwrap();
    let network = place.join("network");
    let arguments = ["compile", network.to_str().unwrap(), "--arch", "4x4", "--samples", "16", "-o", "."];
    succeed(&place.join("here"), &arguments);
    succeed(place, &words("inspect here"));
    fs::remove_file(place.join("here/quant.json")).unwrap();
    assert!(fail(place, &words("check here --samples 1")).contains("is no build"));
}

#[test]
fn one_run_in_a_folder() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let train = words("train --network tiny --width 0.25 --epochs 1 -o run");
    fs::create_dir(place.join("run")).unwrap();
    let held = File::open(place.join("run")).unwrap();
    held.lock().unwrap();
    assert!(fail(place, &train).contains("run: another empf writes into it"));
    held.unlock().unwrap();
    succeed(place, &train);
}

#[test]
fn only_regular_files_are_replaced_and_read() {
    let place = made();
    let place = place.path();
    let simulate = ["simulate", "build", "--input", "glyphs", "--samples", "1", "--output"];
    let error = error_of(&run(place, &[&simulate[..], &["/dev/null"]].concat()));
    assert!(error.contains("/dev/null") && error.contains("no regular file"), "{error}");
    symlink("kept.npz", place.join("link.npz")).unwrap();
    succeed(place, &[&simulate[..], &["link.npz"]].concat());
    assert!(place.join("link.npz").is_symlink() && place.join("kept.npz").is_file());

    assert!(Command::new("mkfifo").arg(place.join("pipe.npy")).status().unwrap().success());
    symlink("/dev/zero", place.join("endless.npy")).unwrap();
    for input in ["pipe.npy", "endless.npy"] {
        let error = fail(place, &["simulate", "build", "--input", input]);
        assert!(error.contains(input) && error.contains("no regular file"), "{error}");
    }
}

#[test]
fn a_full_disk_is_an_error() {
    let place = made();
    let before = files(place.path());
    // A limit on the size of files stands in for a full disk.
    let line = format!("ulimit -f 64; exec {} {WAVES}", env!("CARGO_BIN_EXE_empf"));
    let output = Command::new("sh").args(["-c", &line]).current_dir(place.path()).output().unwrap();
    let error = error_of(&output);
    assert!(error.contains("waves.fst") && error.contains("is the disk full?"), "{error}");
    assert_eq!(files(place.path()), before);
}

#[test]
fn a_signal_leaves_nothing() {
    let place = made();
    let before = files(place.path());
    let line = WAVES.replace("--samples 1", "--samples 1000");
    let mut process = empf(place.path(), &words(&line)).stdout(Stdio::null()).spawn().unwrap();
    while files(place.path()) == before {
        assert!(process.try_wait().unwrap().is_none(), "it ended before it wrote anything");
        std::thread::yield_now();
    }
    let pid = process.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(process.wait().unwrap().signal(), Some(15));
    assert_eq!(files(place.path()), before);
}

#[test]
fn tampered_builds_are_refused() {
    let place = made();
    let place = place.path();
    let check = words("check build --samples 1");
    for (file, at) in [("weights.mem", 0), ("parameters.mem", 3), ("schedule.mem", 40)] {
        let path = place.join("build").join(file);
        let whole = fs::read(&path).unwrap();
        let mut other = whole.clone();
        other[at] = if other[at] == b'0' { b'1' } else { b'0' };
        fs::write(&path, other).unwrap();
        let error = fail(place, &check);
        assert!(error.contains("compile again"), "{file}: {error}");
        fs::write(&path, whole).unwrap();
    }
    succeed(place, &check);
}

#[test]
fn a_dump_replaces_a_dump() {
    let place = made();
    let dump = place.path().join("dump");
    let line =
        |last: &str| format!("compile network --arch 4x4 --samples 16 --stop-after {last} --dump dump");
    succeed(place.path(), &words(&line("lower")));
    assert_eq!(files(&dump).len(), 6);
    succeed(place.path(), &words(&line("fold_bn")));
    assert_eq!(files(&dump), ["01_resolve.json", "02_fold_bn.json"].map(|name| dump.join(name)));
}

/// While a run trains, or before it goes on, its networks are not there yet.
#[test]
fn nothing_takes_the_place_of_what_a_run_will_write() {
    let place = made();
    let place = place.path();
    let train = "train --network tiny --width 0.25 --time-steps 2 --epochs 1 -o run";
    succeed(place, &words(train));
    fs::remove_dir_all(place.join("run/network")).unwrap();
    for verb in [
        "compile network --arch 4x4 --samples 16 -o run/network",
        "compile network --stop-after resolve --dump run/network",
        "emit --arch 4x4 -o run/network",
        "evaluate network --samples 8 -o run/network",
    ] {
        let error = fail(place, &words(verb));
        assert!(error.contains("run/network: is kept for the run in"), "{error}");
    }
    succeed(place, &words(&format!("{train} --resume")));
    compile(place, "run/build");
}

#[test]
fn files_of_others_are_not_written_over() {
    let place = made();
    let place = place.path();
    for (file, verb) in [
        ("run/metrics.jsonl", "train --network tiny --epochs 1 -o run"),
        ("run/network/weights.safetensors", "train --network tiny --epochs 1 -o run"),
        ("judged/evaluation.json", "evaluate network --samples 8 -o judged"),
        ("judged/confusion.png", "evaluate network --samples 8 -o judged"),
        ("accel/accel.v", "emit --arch 4x4 -o accel"),
        ("other/quant.json", "compile network --arch 4x4 --samples 16 -o other"),
        ("dump/01_resolve.json", "compile network --stop-after resolve --dump dump"),
        ("dump/notes", "compile network --stop-after resolve --dump dump"),
    ] {
        let file = place.join(file);
        let folder = place.join(verb.rsplit(' ').next().unwrap());
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "{}").unwrap();
        let error = fail(place, &words(verb));
        assert!(error.contains("would be lost") && error.contains("choose another output"), "{error}");
        assert_eq!(fs::read(&file).unwrap(), b"{}");
        fs::remove_dir_all(folder).unwrap();
    }
    for (file, verb) in [
        ("run/best/notes", "train --network tiny --epochs 1 -o run"),
        ("run/events.out.tfevents.empf", "train --network tiny --epochs 1 -o run"),
        ("run/checkpoint.safetensors", "train --network tiny --epochs 1 -o run"),
    ] {
        let file = place.join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, "mine").unwrap();
        let error = fail(place, &words(verb));
        assert!(error.contains("would be lost"), "{error}");
        fs::remove_dir_all(place.join("run")).unwrap();
    }
    // A run that goes on takes no other program's figures for its own.
    succeed(place, &words("train --network tiny --epochs 1 -o run"));
    fs::write(place.join("run/evaluation.json"), "{}").unwrap();
    let error = fail(place, &words("train --network tiny --epochs 2 --resume -o run"));
    assert!(error.contains("holds evaluation.json, which would be lost"), "{error}");
    let both = "simulate build --input glyphs --samples 1 --engine verilator --output same --trace ./same";
    assert!(fail(place, &words(both)).contains("names the file of --output"));
    // Notes beside a result are nobody's loss, and a result of one's own is replaced.
    fs::create_dir(place.join("judged")).unwrap();
    fs::write(place.join("judged/notes"), "dear").unwrap();
    for _ in 0..2 {
        succeed(place, &words("evaluate network --samples 8 -o judged"));
    }
    let simulate = "simulate build --input x.npz --samples 1 --output";
    succeed(place, &words("simulate build --input glyphs --samples 1 --output x.npz"));
    for output in ["x.npz", "build/report.json"] {
        let before = fs::read(place.join(output)).unwrap();
        let error = fail(place, &[&words(simulate)[..], &[output]].concat());
        assert!(error.contains(output) && error.contains("choose another output"), "{error}");
        assert_eq!(fs::read(place.join(output)).unwrap(), before);
    }
}
