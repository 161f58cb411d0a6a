//! Makes one test of each file in `cases/`.

use std::fmt::Write;
use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-changed=cases");
    let folder = Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo")).join("cases");
    let entries = folder.read_dir().expect("the folder of cases");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let mut tests = format!("const FILES: &[&str] = &{files:?};\n\n");
    for file in files {
        let stem = file.file_stem().and_then(|stem| stem.to_str()).expect("a case file's name is text");
        let name: String = stem.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        writeln!(tests, "#[test]\nfn case_{name}() {{\n    check({file:?});\n}}\n")
            .expect("writing to a string");
    }
    let out = std::env::var_os("OUT_DIR").expect("set by cargo");
    std::fs::write(Path::new(&out).join("cases.rs"), tests).expect("the build folder is writable");
}
