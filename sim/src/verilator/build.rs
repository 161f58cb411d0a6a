//! Builds shared objects out of Verilog, once for each content.

use crate::{Error, Result};
use empf_ir::store;
use sha2::{Digest, Sha256};
use std::env;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};
use std::thread;

/// What a shared object is made of.
pub(super) struct Source<'a> {
    /// Verilog of all modules.
    pub(super) verilog: &'a str,
    /// The top module.
    pub(super) top: &'a str,
    /// Verilator configuration.
    pub(super) control: &'a str,
    /// C++ that includes `Vdut.h`.
    pub(super) shim: &'a str,
    /// Waves can be written.
    pub(super) waves: bool,
}

const VERILATOR_FLAGS: [&str; 10] = [
    "--cc",
    "--prefix",
    "Vdut",
    "-O3",
    "--x-assign",
    "fast",
    "--x-initial",
    "fast",
    "--noassert",
    "-Wno-fatal",
];
const SPLIT_FLAGS: [&str; 2] = ["--output-split", "20000"];
const CXX_FLAGS: [&str; 5] = ["-std=c++17", "-O2", "-fPIC", "-fno-gnu-unique", "-w"];

/// Folder of the built models: the variable EMPF_CACHE, else `empf` in the user's cache folder.
pub fn cache_folder() -> PathBuf {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || variable("HOME").map(|home| home.join(".cache"));
    let caches = || variable("XDG_CACHE_HOME").or_else(home).unwrap_or_else(env::temp_dir);
    variable("EMPF_CACHE").unwrap_or_else(|| caches().join("empf"))
}

/// Path of the shared object made of `source`; builds it where the cache has none.
///
/// Processes that need the same object at the same time wait for the one that builds it. The object appears
/// under its name only when it is complete.
pub(super) fn shared_object(source: &Source) -> Result<PathBuf> {
    let tools = TOOLS.as_ref().map_err(|tool| tool.error())?;
    let cache = cache_folder();
    store::create_dir(&cache)?;
    let key = source.key(&tools.versions);
    let object = cache.join(format!("{key}.so"));
    let lock_path = cache.join(format!("{key}.lock"));
    let lock = File::create(&lock_path).map_err(|e| empf_ir::Error::io("create", &lock_path, e))?;
    lock.lock().map_err(|e| empf_ir::Error::io("lock", &lock_path, e))?;
    if !object.exists() {
        build(source, tools, &cache, &object)?;
    }
    Ok(object)
}

impl Source<'_> {
    fn key(&self, versions: &str) -> String {
        let waves = if self.waves { "waves" } else { "" };
        let flags = [&VERILATOR_FLAGS[..], &SPLIT_FLAGS, &CXX_FLAGS].concat().join(" ");
        let mut hash = Sha256::new();
        for part in [self.verilog, self.top, self.control, self.shim, waves, &flags, versions] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The tools' versions and Verilator's own sources.
struct Tools {
    versions: String,
    include: PathBuf,
}

/// A tool that does not answer, and the package that contains it.
struct Absent(&'static str, &'static str);

impl Absent {
    fn error(&self) -> Error {
        Error::Missing { tool: self.0.into(), package: self.1 }
    }
}

static TOOLS: LazyLock<std::result::Result<Tools, Absent>> = LazyLock::new(|| {
    let answer = |tool, arguments: &[&str]| {
        let output = Command::new(tool).args(arguments).output().ok().filter(|o| o.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let verilator = || Absent("verilator", "verilator");
    let version = answer("verilator", &["--version"]).ok_or_else(verilator)?;
    let root = answer("verilator", &["--getenv", "VERILATOR_ROOT"]).ok_or_else(verilator)?;
    let compiler = answer("g++", &["-dumpfullversion"]).ok_or(Absent("g++", "g++"))?;
    Ok(Tools { versions: format!("{version}, g++ {compiler}"), include: Path::new(&root).join("include") })
});

fn build(source: &Source, tools: &Tools, cache: &Path, object: &Path) -> Result<()> {
    let folder = tempfile::Builder::new().prefix(".build-").tempdir_in(cache);
    let folder = folder.map_err(|e| empf_ir::Error::io("create", cache, e))?;
    let folder = folder.path();
    store::write(&folder.join("dut.v"), source.verilog.as_bytes())?;
    store::write(&folder.join("dut.vlt"), format!("`verilator_config\n{}", source.control).as_bytes())?;
    store::write(&folder.join("shim.cpp"), source.shim.as_bytes())?;
    let mut verilator = Command::new("verilator");
    verilator.current_dir(folder).args(VERILATOR_FLAGS).args(SPLIT_FLAGS);
    verilator.args(["-Wno-lint", "-Mdir", ".", "--top-module", source.top, "dut.vlt", "dut.v"]);
    if source.waves {
        verilator.arg("--trace-fst");
    }
    execute(&mut verilator)?;
    let objects = compile_all(source, tools, folder)?;
    let complete = folder.join("dut.so");
    let mut link = Command::new("g++");
    link.current_dir(folder).args(["-shared", "-pthread", "-o"]).arg(&complete).args(objects);
    if source.waves {
        link.arg("-lz");
    }
    execute(&mut link)?;
    std::fs::rename(&complete, object).map_err(|e| empf_ir::Error::io("write", object, e))?;
    Ok(())
}

/// Compiles the generated files and Verilator's runtime, as many at a time as there are cores.
fn compile_all(source: &Source, tools: &Tools, folder: &Path) -> Result<Vec<PathBuf>> {
    let files = sources(source, tools, folder)?;
    let next = AtomicUsize::new(0);
    let failure = Mutex::new(None);
    let worker = || {
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = compile(file, source, tools, folder) {
                next.store(files.len(), Ordering::Relaxed);
                *failure.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(error);
            }
        }
    };
    let cores = thread::available_parallelism().map_or(1, |n| n.get());
    thread::scope(|scope| {
        for _ in 0..cores.min(files.len()) {
            scope.spawn(worker);
        }
    });
    match failure.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()) {
        Some(error) => Err(error),
        None => Ok(files.iter().map(|file| object_of(file)).collect()),
    }
}

/// C++ files of a model, the largest first.
fn sources(source: &Source, tools: &Tools, folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = folder.read_dir().map_err(|e| empf_ir::Error::io("read", folder, e))?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "cpp"));
    let runtime: &[&str] = if source.waves {
        &["verilated.cpp", "verilated_threads.cpp", "verilated_fst_c.cpp"]
    } else {
        &["verilated.cpp", "verilated_threads.cpp"]
    };
    files.extend(runtime.iter().map(|name| tools.include.join(name)));
    files.sort_by_key(|path| std::cmp::Reverse(path.metadata().map_or(0, |m| m.len())));
    Ok(files)
}

fn object_of(file: &Path) -> PathBuf {
    Path::new(file.file_name().unwrap_or_default()).with_extension("o")
}

fn compile(file: &Path, source: &Source, tools: &Tools, folder: &Path) -> Result<()> {
    let trace = u8::from(source.waves);
    let mut compiler = Command::new("g++");
    compiler.current_dir(folder).args(CXX_FLAGS).arg("-c").arg(file).arg("-o").arg(object_of(file));
    compiler.args(["-I.", "-DVM_COVERAGE=0", "-DVM_SC=0"]);
    compiler.args([format!("-DVM_TRACE={trace}"), format!("-DVM_TRACE_FST={trace}")]);
    compiler.arg("-I").arg(&tools.include).arg("-I").arg(tools.include.join("vltstd"));
    execute(&mut compiler)
}

/// Runs a tool; the end of what it printed goes into the error.
fn execute(command: &mut Command) -> Result<()> {
    const KEPT_LINES: usize = 30;
    let tool = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|e| empf_ir::Error::io("run", &tool, e))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().collect();
    let output_end = lines[lines.len().saturating_sub(KEPT_LINES)..].join("\n");
    Err(Error::Tool { tool, status: output.status.to_string(), output: output_end })
}
