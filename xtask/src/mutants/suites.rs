//! The workspace's test programs, and what they say to a mutant.

use super::verilog::VALUE_FILE;
use rustix::process::{Pid, Signal, kill_process_group};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Patience with a mutant: so many times what the code itself takes, and so much more.
const PATIENCE: (u32, Duration) = (6, Duration::from_secs(60));

/// Test programs by `package/target`, as `golden/lib` or `tests/control`.
pub(super) struct Suites {
    programs: BTreeMap<String, Program>,
    /// Those that cargo would set, by which tests draw the same cases in every run.
    variables: BTreeMap<String, String>,
    /// What a suite takes where no mutant is on.
    times: BTreeMap<String, Duration>,
}

struct Program {
    executable: PathBuf,
    package: PathBuf,
}

/// How a suite ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    Passed,
    /// By this test, or by what is said in words.
    Failed(String),
}

/// Where and with what a suite runs.
pub(super) struct Place {
    /// Models of Verilator.
    cache: PathBuf,
    /// Number of the Rust mutant that is on.
    mutant: usize,
    /// Folder of mutated Verilog, and the folder whose file says which of its mutants is on.
    verilog: Option<(PathBuf, TempDir)>,
}

impl Place {
    /// With Rust mutant `number` on, 0 for none.
    pub(super) fn of_rust(cache: &Path, number: usize) -> Self {
        Place { cache: cache.into(), mutant: number, verilog: None }
    }

    /// With the Verilog in `folder`.
    pub(super) fn of_verilog(cache: &Path, folder: &Path) -> crate::error::Result<Self> {
        let place =
            Place { verilog: Some((folder.into(), tempfile::tempdir()?)), ..Place::of_rust(cache, 0) };
        place.set_verilog(0)?;
        Ok(place)
    }

    /// Switches mutant `number` of the Verilog on, 0 for none.
    pub(super) fn set_verilog(&self, number: usize) -> crate::error::Result {
        if let Some((_, own)) = &self.verilog {
            std::fs::write(own.path().join(VALUE_FILE), format!("{number:x}\n"))?;
        }
        Ok(())
    }

    fn command(&self, program: &Program) -> Command {
        let mut command = Command::new(&program.executable);
        command.env("EMPF_CACHE", &self.cache).env("EMPF_MUTANT", self.mutant.to_string());
        match &self.verilog {
            Some((folder, own)) => command.env("EMPF_MUTANT_VERILOG", folder).current_dir(own.path()),
            None => command.current_dir(&program.package),
        };
        command
    }
}

impl Suites {
    /// From cargo's messages and the `variables` that it sets.
    pub(super) fn of_build(messages: &[serde_json::Value], variables: BTreeMap<String, String>) -> Self {
        let mut programs = BTreeMap::new();
        for message in messages {
            let (Some(executable), Some(manifest)) =
                (message["executable"].as_str(), message["manifest_path"].as_str())
            else {
                continue;
            };
            let package = Path::new(manifest).parent().unwrap_or(Path::new(".")).to_path_buf();
            let target = match message["target"]["kind"][0].as_str() {
                Some("test") => message["target"]["name"].as_str().unwrap_or_default(),
                Some("bin") => "bin",
                _ => "lib",
            };
            let name = format!("{}/{target}", package.file_name().unwrap_or_default().to_string_lossy());
            programs.insert(name, Program { executable: executable.into(), package });
        }
        Suites { programs, variables, times: BTreeMap::new() }
    }

    /// Runs `names` in `place`, where no mutant is on, for their times; an error where one fails.
    pub(super) fn measure(&mut self, names: &[String], place: &Place) -> crate::error::Result {
        self.times.clear();
        for name in names.iter().collect::<BTreeSet<_>>() {
            let start = Instant::now();
            if let End::Failed(test) = self.run(name, place)? {
                return Err(format!("{name}: {test} fails where no mutant is on").into());
            }
            println!("{name}: {:.1} s", start.elapsed().as_secs_f64());
            self.times.insert(name.clone(), start.elapsed());
        }
        Ok(())
    }

    /// Runs the suite `name`, up to its first failure. A name is `package/target`, and words behind it say which
    /// tests run, as on the command line of a test program.
    pub(super) fn run(&self, name: &str, place: &Place) -> crate::error::Result<End> {
        let mut words = name.split(' ');
        let program = words.next().and_then(|program| self.programs.get(program));
        let program = program.ok_or_else(|| format!("there is no suite {name}"))?;
        let mut child = place
            .command(program)
            .args(["--test-threads", "2"])
            .args(words)
            .envs(&self.variables)
            .env("PROPTEST_MAX_SHRINK_ITERS", "0")
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let patience = self.times.get(name).map_or(Duration::MAX, |time| *time * PATIENCE.0 + PATIENCE.1);
        let (said, heard) = channel();
        let lines = BufReader::new(child.stdout.take().ok_or("no output")?).lines();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| said.send(line)));
        let start = Instant::now();
        let end = loop {
            match heard.recv_timeout(patience.saturating_sub(start.elapsed())) {
                Ok(line) => {
                    if let Some(test) = line.strip_suffix(" ... FAILED") {
                        break End::Failed(test.trim_start_matches("test ").to_owned());
                    }
                }
                Err(RecvTimeoutError::Timeout) => break End::Failed("endless".into()),
                Err(RecvTimeoutError::Disconnected) if child.wait()?.success() => break End::Passed,
                Err(RecvTimeoutError::Disconnected) => break End::Failed("abort".into()),
            }
        };
        // The compilers that a suite has started end with it.
        let group = Pid::from_child(&child);
        let _ = kill_process_group(group, Signal::KILL);
        child.wait()?;
        Ok(end)
    }
}
