//! The folder picture: lines of each crate, and circles among the files of a crate.
//!
//! A file depends on another one of its crate where it names something that is defined there, through whatever
//! re-exports. What tests name does not count, nor does the declaration of a module.

mod circles;
mod names;
mod tree;

use circles::circles;
use names::dependencies;
use serde::Deserialize;
use std::fs;
use std::path::{Path, PathBuf};
use tree::Tree;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder of the workspace
    #[arg(long, default_value = ".")]
    workspace: PathBuf,
}

/// What is known of a crate.
struct Picture {
    name: String,
    files: usize,
    lines: usize,
    circles: Vec<Circle>,
}

/// Files that depend on each other.
struct Circle {
    files: Vec<String>,
    /// What names what.
    names: Vec<String>,
}

pub(crate) fn run(args: &Args) -> crate::error::Result {
    let pictures = pictures(&args.workspace)?;
    println!("{:12}{:>8}{:>8}{:>9}", "crate", "files", "lines", "circles");
    for Picture { name, files, lines, circles } in &pictures {
        println!("{name:12}{files:>8}{lines:>8}{:>9}", circles.len());
    }
    let sum = |of: fn(&Picture) -> usize| pictures.iter().map(of).sum::<usize>();
    let all = sum(|picture| picture.circles.len());
    println!("{:12}{:>8}{:>8}{all:>9}", "all", sum(|p| p.files), sum(|p| p.lines));
    for Picture { name, circles, .. } in &pictures {
        for Circle { files, names } in circles {
            println!("{name}: {}\n  {}", files.join(", "), names.join("\n  "));
        }
    }
    if all == 0 { Ok(()) } else { Err("files depend on each other in circles".into()) }
}

/// The part of a manifest that names the crates.
#[derive(Deserialize)]
struct Manifest {
    workspace: Members,
}

#[derive(Deserialize)]
struct Members {
    members: Vec<PathBuf>,
}

/// Of all crates of the workspace in `folder`.
fn pictures(folder: &Path) -> crate::error::Result<Vec<Picture>> {
    let Manifest { workspace } = toml::from_str(&fs::read_to_string(folder.join("Cargo.toml"))?)?;
    workspace.members.iter().map(|member| picture(&folder.join(member).join("src"))).collect()
}

fn picture(source: &Path) -> crate::error::Result<Picture> {
    let tree = Tree::read(source)?;
    let edges = dependencies(&tree);
    let name = |file: usize| {
        let path = &tree.files[file].path;
        path.strip_prefix(source).unwrap_or(path).display().to_string()
    };
    let circle = |files: Vec<usize>| {
        let of = |from: usize| {
            edges[from].iter().filter(|(to, _)| files.contains(to)).map(move |edge| (from, edge))
        };
        let inner = files.iter().flat_map(|from| of(*from));
        let names =
            inner.map(|(from, (to, path))| format!("{} -> {}: {path}", name(from), name(*to))).collect();
        let mut files: Vec<String> = files.iter().map(|file| name(*file)).collect();
        files.sort();
        Circle { files, names }
    };
    let crate_folder = source.parent().and_then(Path::file_name).unwrap_or_default();
    Ok(Picture {
        name: crate_folder.to_string_lossy().into_owned(),
        files: tree.files.len(),
        lines: tree.files.iter().map(|file| file.lines).sum(),
        circles: circles(&edges).into_iter().map(circle).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planted(files: &[(&str, &str)]) -> Vec<Vec<String>> {
        let place = tempfile::tempdir().unwrap();
        let source = place.path().join("planted/src");
        for (name, text) in files {
            let path = source.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        picture(&source).unwrap().circles.into_iter().map(|circle| circle.files).collect()
    }

    #[test]
    fn no_files_of_a_crate_depend_on_each_other_in_circles() {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let pictures = pictures(workspace).unwrap();
        assert!(pictures.len() > 8 && pictures.iter().all(|p| p.lines > 0));
        for Picture { name, circles, .. } in pictures {
            let names: Vec<String> = circles.into_iter().flat_map(|circle| circle.names).collect();
            assert!(names.is_empty(), "crate {name}: {names:#?}");
        }
    }

    #[test]
    fn a_circle_is_found_through_re_exports_and_macros() {
        let lib = ("lib.rs", "mod a; mod b; pub use a::A; pub use b::make;");
        let b = ("b/mod.rs", "mod c; pub use c::make;");
        let c = ("b/c.rs", "use crate::A; pub fn make() -> A { A }");
        let circle = vec![vec!["a.rs".to_owned(), "b/c.rs".to_owned()]];
        let direct = ("a.rs", "pub struct A; impl A { fn f() { crate::make(); } }");
        assert_eq!(planted(&[lib, direct, b, c]), circle);
        let in_macro = ("a.rs", "use crate::b; pub struct A; fn f() { println!(\"{:?}\", b::make()) }");
        assert_eq!(planted(&[lib, in_macro, b, c]), circle);
        let none = ("a.rs", "pub struct A; #[cfg(test)] mod tests { use crate::make; }");
        assert!(planted(&[lib, none, b, c]).is_empty());
    }

    #[test]
    fn a_child_that_uses_its_parent_who_uses_it_is_a_circle() {
        let lib = ("lib.rs", "mod a; pub fn shared() {} pub fn start() { a::run(); }");
        let child = ("a.rs", "pub fn run() { super::shared(); }");
        assert_eq!(planted(&[lib, child]), [["a.rs", "lib.rs"]]);
        let alone = ("a.rs", "pub fn run() {}");
        assert!(planted(&[lib, alone]).is_empty());
    }
}
