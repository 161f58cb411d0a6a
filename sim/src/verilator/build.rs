//! Builds shared objects out of Verilog, once for each content.

use super::cache::Cache;
use super::libraries::{libraries, with_package};
use crate::tool::execute;
use crate::{Error, Result};
use empf_ir::store;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
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
    /// What the model is for.
    pub(super) purpose: Purpose,
}

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Long simulations.
    Speed,
    /// Short simulations of many models: it is built in about half the time, and slower.
    Check,
    /// Files of waves, of all signals.
    Waves,
    /// An account of lines that were run and bits that changed.
    Coverage,
}

impl Purpose {
    /// Verilator's flags.
    fn flags(self) -> &'static [&'static str] {
        match self {
            Purpose::Speed | Purpose::Check => &[],
            Purpose::Waves => &["--trace-fst"],
            Purpose::Coverage => &["--coverage-line", "--coverage-toggle"],
        }
    }

    /// What of Verilator's runtime it needs.
    fn runtime(self) -> Option<&'static str> {
        match self {
            Purpose::Speed | Purpose::Check => None,
            Purpose::Waves => Some("verilated_fst_c.cpp"),
            Purpose::Coverage => Some("verilated_cov.cpp"),
        }
    }

    /// How hard the compiler tries with what a cycle runs.
    fn level(self) -> &'static str {
        if self == Purpose::Speed { "-O2" } else { "-O1" }
    }
}

const VERILATOR_FLAGS: [&str; 15] = [
    "--default-language",
    "1364-2005",
    "--cc",
    "--prefix",
    "Vdut",
    "-O3",
    "--x-assign",
    "unique",
    "--x-initial",
    "unique",
    "--noassert",
    "-Wno-fatal",
    "-Wno-lint",
    "--output-split",
    "20000",
];
const CXX_FLAGS: [&str; 4] = ["-std=c++17", "-fPIC", "-fno-gnu-unique", "-w"];
/// How hard the compiler tries with what Verilator calls slow: it runs once.
const SLOW: &str = "-O1";
/// Generated files of so many bytes are compiled by themselves; smaller ones together, as the headers of each take
/// longer than the file.
const LARGE: u64 = 1 << 16;

/// Path of the shared object made of `source`; builds it where the cache has none.
///
/// The object appears under its name only when it is complete.
pub(super) fn shared_object(source: &Source) -> Result<PathBuf> {
    let tools = TOOLS.as_ref().map_err(|tool| tool.error())?;
    let flags = [&VERILATOR_FLAGS[..], source.purpose.flags(), &CXX_FLAGS, &[source.purpose.level(), SLOW]];
    let flags = flags.concat().join(" ");
    let Source { verilog, top, control, shim, .. } = source;
    let content = [*verilog, *top, *control, *shim, flags.as_str(), tools.versions.as_str()];
    Cache::find()?.file(&content, "so", |folder| build(source, tools, folder))
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

/// Builds the shared object of `source` in `folder`.
fn build(source: &Source, tools: &Tools, folder: &Path) -> Result<PathBuf> {
    store::write(&folder.join("dut.v"), source.verilog.as_bytes())?;
    store::write(&folder.join("dut.vlt"), format!("`verilator_config\n{}", source.control).as_bytes())?;
    store::write(&folder.join("shim.cpp"), source.shim.as_bytes())?;
    let mut verilator = Command::new("verilator");
    verilator.current_dir(folder).args(VERILATOR_FLAGS);
    verilator.args(source.purpose.flags());
    verilator.args(["-Mdir", ".", "--top-module", source.top, "dut.vlt", "dut.v"]);
    execute(&mut verilator, "verilator")?;
    // First what may be missing.
    let (runtime, libraries) = (runtime(tools, source.purpose)?, libraries(folder)?);
    let compiler = Compiler { folder, tools, purpose: source.purpose };
    let objects = compiler.compile_all(units(folder, source.purpose)?)?;
    let complete = folder.join("dut.so");
    let mut link = Command::new("g++");
    // What is not defined is seen now, and not when the object is loaded.
    link.current_dir(folder).args(["-shared", "-pthread", "-Wl,-z,defs", "-o"]).arg(&complete).args(objects);
    link.arg(runtime).args(libraries);
    execute(&mut link, "g++").map_err(with_package)?;
    Ok(complete)
}

/// Verilator's runtime as one object, which all models share.
fn runtime(tools: &Tools, purpose: Purpose) -> Result<PathBuf> {
    let mut names = vec!["verilated.cpp", "verilated_threads.cpp"];
    names.extend(purpose.runtime());
    let (files, flags) = (names.join(" "), [&CXX_FLAGS[..], &[purpose.level()]].concat().join(" "));
    Cache::find()?.file(&[&files, &flags, &tools.versions], "o", |folder| {
        let units = names
            .iter()
            .map(|name| Unit { file: tools.include.join(name), level: purpose.level() })
            .collect();
        let objects = Compiler { folder, tools, purpose }.compile_all(units)?;
        let complete = folder.join("runtime.o");
        let mut link = Command::new("g++");
        link.current_dir(folder).args(["-r", "-nostdlib", "-o"]).arg(&complete).args(objects);
        execute(&mut link, "g++")?;
        Ok(complete)
    })
}

/// A file for the compiler, and how hard it tries.
struct Unit {
    file: PathBuf,
    level: &'static str,
}

/// What Verilator generated and the shim; small files are put together.
fn units(folder: &Path, purpose: Purpose) -> Result<Vec<Unit>> {
    let mut units = vec![];
    let mut together = [purpose.level(), SLOW].map(|level| (level, String::new()));
    for file in generated(folder)? {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_slow = ["Slow", "Syms"].iter().any(|part| name.contains(part));
        let (level, small) = &mut together[usize::from(is_slow)];
        match file.metadata() {
            Ok(of) if of.len() >= LARGE => units.push(Unit { file, level }),
            _ => *small += &format!("#include \"{name}\"\n"),
        }
    }
    for (name, (level, includes)) in ["fast.cpp", "slow.cpp"].into_iter().zip(together) {
        let file = folder.join(name);
        store::write(&file, includes.as_bytes())?;
        units.push(Unit { file, level });
    }
    Ok(units)
}

/// C++ files in `folder`, in the order of their names.
fn generated(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = folder.read_dir().map_err(|e| empf_ir::Error::io("read", folder, e))?;
    let files = entries.flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|extension| extension == "cpp")).collect();
    files.sort();
    Ok(files)
}

/// Compiles C++ files into a folder.
struct Compiler<'a> {
    folder: &'a Path,
    tools: &'a Tools,
    purpose: Purpose,
}

impl Compiler<'_> {
    /// Object names of `units`, which are compiled the largest first, as many at a time as there are cores.
    fn compile_all(&self, mut units: Vec<Unit>) -> Result<Vec<PathBuf>> {
        units.sort_by_key(|unit| std::cmp::Reverse(unit.file.metadata().map_or(0, |m| m.len())));
        let next = AtomicUsize::new(0);
        let worker = || -> Result<()> {
            while let Some(unit) = units.get(next.fetch_add(1, Ordering::Relaxed)) {
                self.compile(unit)?;
            }
            Ok(())
        };
        let cores = thread::available_parallelism().map_or(1, |n| n.get());
        thread::scope(|scope| {
            let workers: Vec<_> = (0..cores.min(units.len())).map(|_| scope.spawn(worker)).collect();
            workers.into_iter().try_for_each(|worker| match worker.join() {
                Ok(result) => result,
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })?;
        Ok(units.iter().map(|unit| object_of(&unit.file)).collect())
    }

    fn compile(&self, Unit { file, level }: &Unit) -> Result<()> {
        let [trace, coverage] =
            [Purpose::Waves, Purpose::Coverage].map(|kind| u8::from(self.purpose == kind));
        let mut compiler = Command::new("g++");
        compiler.current_dir(self.folder).args(CXX_FLAGS).arg(level);
        compiler.arg("-c").arg(file).arg("-o").arg(object_of(file));
        compiler.args(["-I.".into(), "-DVM_SC=0".into(), format!("-DVM_COVERAGE={coverage}")]);
        compiler.args([format!("-DVM_TRACE={trace}"), format!("-DVM_TRACE_FST={trace}")]);
        compiler.arg("-I").arg(&self.tools.include).arg("-I").arg(self.tools.include.join("vltstd"));
        execute(&mut compiler, "g++").map(drop).map_err(with_package)
    }
}

fn object_of(file: &Path) -> PathBuf {
    Path::new(file.file_name().unwrap_or_default()).with_extension("o")
}
