//! A copy of the workspace that holds every mutant behind a switch: it is built once, and the variable `EMPF_MUTANT`
//! says which mutant is on.

use super::mutant::Mutant;
use super::site::Site;
use super::suites::Suites;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The switch, in the crate that all others depend on.
const SWITCH: &str = r#"//! Which mutant is on.

use std::sync::LazyLock;

/// Number of the mutant that is on; 0 for none.
static ON: LazyLock<u32> =
    LazyLock::new(|| std::env::var("EMPF_MUTANT").map_or(0, |number| number.parse().expect("a number")));

/// Mutant `number` is on.
pub fn on(number: u32) -> bool {
    *ON == number
}
"#;

/// The file that takes the switch in.
const SWITCHED: &str = "ir/src/lib.rs";
/// The file whose emission is hooked.
const HOOKED: &str = "hw/src/lib.rs";

/// In the place of the emission: mutated Verilog where there is some.
const EMISSION: &str = r#"
pub fn emit_accelerator(arch: &ArchConfig) -> Result<String, EmitError> {
    let text = emit_as_it_is(arch)?;
    let Ok(folder) = std::env::var("EMPF_MUTANT_VERILOG") else { return Ok(text) };
    let mut hasher = std::hash::DefaultHasher::new();
    std::hash::Hash::hash(&text, &mut hasher);
    let name = format!("{folder}/{:016x}.v", std::hash::Hasher::finish(&hasher));
    Ok(std::fs::read_to_string(name).unwrap_or(text))
}
"#;

/// Name of the file with the mutants of the Verilog `text`.
pub(super) fn verilog_name(text: &str) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("{:016x}.v", hasher.finish())
}

/// Folders and files that tests need.
const COPIED: [&str; 21] = [
    "Cargo.toml",
    "Cargo.lock",
    ".cargo",
    "rustfmt.toml",
    "README.md",
    "Makefile",
    "docs",
    "bench",
    "tools",
    "ir",
    "data",
    "trainer",
    "compiler",
    "golden",
    "integer",
    "hw",
    "sim",
    "cli",
    "tests",
    "xtask",
    "fuzz",
];

/// Files of tests beside the code.
const TESTS: [&str; 2] = ["/tests.rs", "/bench_support.rs"];

/// The workspace's files at one moment, from its root.
pub(super) struct Snapshot(BTreeMap<String, Vec<u8>>);

impl Snapshot {
    /// Of the workspace at `root`.
    pub(super) fn new(root: &Path) -> crate::error::Result<Self> {
        let mut files = BTreeMap::new();
        for name in COPIED {
            read(root, &root.join(name), &mut files)?;
        }
        Ok(Snapshot(files))
    }

    /// The text of `file`.
    pub(super) fn text(&self, file: &str) -> crate::error::Result<&str> {
        let content = self.0.get(file).ok_or_else(|| format!("{file}: there is no such file"))?;
        Ok(std::str::from_utf8(content)?)
    }

    /// The variables that cargo gives to tests.
    fn variables(&self) -> crate::error::Result<BTreeMap<String, String>> {
        #[derive(serde::Deserialize)]
        struct Config {
            env: BTreeMap<String, String>,
        }
        Ok(toml::from_str::<Config>(self.text(".cargo/config.toml")?)?.env)
    }

    /// Rust files below `folder` that are no tests, in the order of their names.
    pub(super) fn rust_files(&self, folder: &str) -> impl Iterator<Item = &str> {
        self.0
            .keys()
            .filter(move |file| file.starts_with(folder) && file.ends_with(".rs"))
            .map(String::as_str)
            .filter(|file| !TESTS.iter().any(|name| file.ends_with(name)))
    }
}

fn read(root: &Path, path: &Path, files: &mut BTreeMap<String, Vec<u8>>) -> crate::error::Result {
    if path.is_dir() {
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            if entry.file_name() != "target" {
                read(root, &entry.path(), files)?;
            }
        }
        return Ok(());
    }
    let content = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    files.insert(path.strip_prefix(root)?.to_string_lossy().into_owned(), content);
    Ok(())
}

/// The copy.
pub(super) struct Tree<'s> {
    snapshot: &'s Snapshot,
    root: PathBuf,
    /// Where cargo builds it.
    target: PathBuf,
}

impl<'s> Tree<'s> {
    /// A copy of `snapshot` in `folder`, where an earlier one may be.
    pub(super) fn new(snapshot: &'s Snapshot, folder: &Path) -> crate::error::Result<Self> {
        let tree = Tree { snapshot, root: folder.join("tree"), target: folder.join("build") };
        let mut old = BTreeMap::new();
        if tree.root.exists() {
            read(&tree.root, &tree.root, &mut old)?;
        }
        for file in old.keys().filter(|file| !snapshot.0.contains_key(*file)) {
            std::fs::remove_file(tree.root.join(file))?;
        }
        Ok(tree)
    }

    /// Writes all files, with `mutants`; the number of a mutant is its place, from 1.
    fn write(&self, mutants: &[Mutant]) -> crate::error::Result {
        let mut planted: BTreeMap<&str, Vec<(usize, &Mutant)>> = BTreeMap::new();
        for (number, mutant) in (1..).zip(mutants).filter(|(_, mutant)| mutant.compiles) {
            planted.entry(&mutant.file).or_default().push((number, mutant));
        }
        for (file, content) in &self.snapshot.0 {
            let path = self.root.join(file);
            let is_changed = planted.contains_key(file.as_str()) || file == SWITCHED || file == HOOKED;
            if !is_changed {
                write_changed(&path, content)?;
                continue;
            }
            let mut text = self.snapshot.text(file)?.to_owned();
            let mut mutants = planted.remove(file.as_str()).unwrap_or_default();
            mutants.sort_by_key(|(_, mutant)| std::cmp::Reverse(mutant.site.range.start));
            for (number, mutant) in mutants {
                let Site { range, original, mutated, .. } = &mutant.site;
                let switched =
                    format!("(if ::empf_ir::mutant::on({number}) {{ {mutated} }} else {{ {original} }})");
                text.replace_range(range.clone(), &switched);
            }
            if file == SWITCHED {
                // Mutants of this crate name it as those of others do.
                text += "\nextern crate self as empf_ir;\npub mod mutant;\n";
            } else if file == HOOKED {
                text = text.replacen("pub fn emit_accelerator(", "fn emit_as_it_is(", 1) + EMISSION;
            }
            write_changed(&path, text)?;
        }
        write_changed(&self.root.join("ir/src/mutant.rs"), SWITCH)
    }

    /// Builds the tests. Mutants that the compiler refuses are marked so and taken out.
    pub(super) fn build(&self, mutants: &mut [Mutant]) -> crate::error::Result<Suites> {
        let mut command = "check";
        loop {
            self.write(mutants)?;
            let output = Command::new("cargo")
                .args([command, "--tests", "--message-format=json", "--quiet", "--keep-going"])
                .args(["--workspace", "--exclude", "empf-cli", "--exclude", "xtask"])
                .current_dir(&self.root)
                .env("CARGO_TARGET_DIR", &self.target)
                .output()?;
            let messages: Vec<serde_json::Value> = String::from_utf8_lossy(&output.stdout)
                .lines()
                .filter_map(|line| serde_json::from_str(line).ok())
                .collect();
            match (output.status.success(), command) {
                (true, "build") => return Ok(Suites::of_build(&messages, self.snapshot.variables()?)),
                (true, _) => command = "build",
                (false, _) => {
                    let refused = self.refused(&messages)?;
                    if refused.is_empty() {
                        return Err(format!("cargo: {}", String::from_utf8_lossy(&output.stderr)).into());
                    }
                    for number in refused {
                        mutants[number - 1].compiles = false;
                    }
                }
            }
        }
    }

    /// Numbers of the mutants in which the compiler's errors lie.
    fn refused(&self, messages: &[serde_json::Value]) -> crate::error::Result<Vec<usize>> {
        let mut refused = Vec::new();
        for message in messages.iter().map(|message| &message["message"]) {
            if message["level"] != "error" {
                continue;
            }
            for span in message["spans"].as_array().into_iter().flatten() {
                let (Some(file), Some(at)) = (span["file_name"].as_str(), span["byte_start"].as_u64()) else {
                    continue;
                };
                let text = std::fs::read_to_string(self.root.join(file))?;
                refused.extend(around(&text, at as usize));
            }
        }
        refused.sort_unstable();
        refused.dedup();
        Ok(refused)
    }
}

/// Number of the mutant in whose switch the byte `at` of `text` lies.
fn around(text: &str, at: usize) -> Option<usize> {
    const OPENS: &str = "(if ::empf_ir::mutant::on(";
    let end = (at + OPENS.len()).min(text.len());
    let (start, _) = text.get(..end)?.rmatch_indices(OPENS).next()?;
    let number = text[start + OPENS.len()..].split(')').next()?.parse().ok()?;
    let mut depth = 0;
    let length = text[start..].find(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth == 0
    })?;
    (at <= start + length).then_some(number)
}

/// Leaves a file alone that is as it shall be: cargo builds again what is newer than its result.
fn write_changed(path: &Path, content: impl AsRef<[u8]>) -> crate::error::Result {
    let content = content.as_ref();
    if std::fs::read(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    std::fs::create_dir_all(path.parent().unwrap_or(path))?;
    std::fs::write(path, content).map_err(|e| format!("{}: {e}", path.display()).into())
}

#[cfg(test)]
mod tests {
    use super::around;

    #[test]
    fn an_error_belongs_to_the_switch_around_it() {
        let text = "a + (if ::empf_ir::mutant::on(7) { f(b) - c } else { f(b) + c }) * d";
        for (part, number) in
            [("a +", None), ("(if", Some(7)), ("b) -", Some(7)), ("+ c", Some(7)), ("* d", None)]
        {
            assert_eq!(around(text, text.find(part).unwrap()), number, "{part}");
        }
    }
}
