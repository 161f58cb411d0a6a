//! Training processes that are killed without warning, also while they write a checkpoint.
#![cfg(unix)]

use empf_data::{Augment, Dataset};
use empf_ir::{Input, Network};
use empf_trainer::layers::conv::Precision;
use empf_trainer::presets::{Target, preset};
use empf_trainer::runs::train::{
    BatchReport, CheckpointPlan, EpochReport, Progress, Rule, Task, TrainConfig, train,
};
use empf_trainer::{Device, Model, Result, SgdConfig};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64;
use std::io::{BufRead, BufReader, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Tells a process of this test to train, and where.
const FOLDER: &str = "EMPF_TEST_KILLED_FOLDER";
/// Tells it after how many batches it has to wait to be killed.
const BATCHES: &str = "EMPF_TEST_KILLED_BATCHES";
const WAITING: &str = "waiting to be killed";

fn data() -> Dataset {
    let mut rng = Pcg64::seed_from_u64(2);
    let labels: Vec<u16> = (0..42).map(|i| i % 10).collect();
    let pixels = (0..labels.len() * 12 * 12).map(|_| rng.random()).collect();
    Dataset {
        channels: 1,
        height: 12,
        width: 12,
        frames: 1,
        classes: 10,
        class_names: Default::default(),
        pixels,
        labels,
    }
}

fn run(plan: Option<&CheckpointPlan>, progress: &mut dyn Progress) -> Network {
    let input =
        Input { channels: 1, height: 12, width: 12, frames: 1, zero_point: 9.0.into(), scale: 0.01.into() };
    let target = Target { input, classes: 10, time_steps: 3, width: 0.5 };
    let config = TrainConfig {
        epochs: 3,
        batch_size: 8,
        rate: 0.1,
        warmup_epochs: 1,
        sgd: SgdConfig { momentum: 0.9, nesterov: true, weight_decay: 5e-4 },
        rule: Rule::RandomBp,
        random_steps: 1,
        augment: Augment { shift: 1, flip: true, cutout: 3, ..Augment::default() },
        label_smoothing: 0.1,
        mixup: 0.5,
        seed: 5,
        layer_wide: false,
        act_bits: None,
        ema: None,
        precision: Precision::Full,
        device: Device::Cpu,
    };
    let (network, data) = (preset("tiny", &target).unwrap(), data());
    let task = Task { network: &network, train: &data, test: None, config: &config, checkpoint: plan };
    train(task, progress).unwrap().to_network()
}

/// After so many batches, tells the parent and waits for the end.
struct Wait(usize);

impl Progress for Wait {
    fn batch(&mut self, _: &BatchReport) -> Result<ControlFlow<()>> {
        self.0 -= 1;
        if self.0 == 0 {
            println!("{WAITING}");
            std::io::stdout().flush().unwrap();
            loop {
                std::thread::park();
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn epoch(&mut self, _: &EpochReport, _: &Model<f32>) -> Result<()> {
        Ok(())
    }
}

fn checkpoint(folder: &Path) -> PathBuf {
    folder.join("run.safetensors")
}

/// A process that runs the test `name` with [`FOLDER`] set, started as `shell` says.
fn child(name: &str, folder: &Path, shell: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{shell} exec \"$0\" \"$@\"")]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("killed::{name}"), "--nocapture"]).env(FOLDER, folder);
    command.stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// Starts the training process and kills it with SIGKILL when `batches` of them are done.
fn kill_after(name: &str, folder: &Path, batches: usize) {
    let mut process = child(name, folder, "").env(BATCHES, batches.to_string()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains(WAITING)), "the process ended by itself");
    process.kill().unwrap();
    process.wait().unwrap();
}

/// Starts it again without interference; what it ends with.
fn finish(name: &str, folder: &Path) -> Network {
    let output = child(name, folder, "").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    Network::load(&folder.join("result")).unwrap()
}

fn unfinished_writes(folder: &Path) -> usize {
    let name = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name();
    let names = std::fs::read_dir(folder).unwrap().map(name);
    names.filter(|name| name.to_string_lossy().starts_with(".empf-")).count()
}

/// In a process that was told to train: trains and never returns to the test.
fn train_if_told() {
    if let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) {
        let plan = CheckpointPlan { path: checkpoint(&folder), every: 2 };
        let batches = std::env::var(BATCHES).map_or(usize::MAX, |n| n.parse().unwrap());
        run(Some(&plan), &mut Wait(batches)).save(&folder.join("result")).unwrap();
        std::process::exit(0);
    }
}

#[test]
fn killed_at_any_batch() {
    train_if_told();
    let folder = tempfile::tempdir().unwrap();
    for batches in [1, 2, 3, 5, 1, 4] {
        kill_after("killed_at_any_batch", folder.path(), batches);
    }
    assert_eq!(finish("killed_at_any_batch", folder.path()), run(None, &mut ()));
}

/// The kernel kills a process that writes past its limit on file sizes, in the middle of the write.
#[test]
fn killed_while_writing_a_checkpoint() {
    train_if_told();
    let folder = tempfile::tempdir().unwrap();
    let name = "killed_while_writing_a_checkpoint";
    for limit in ["ulimit -f 4;", "ulimit -f 8;"] {
        // The first write of all, then the first after a resumption.
        let before = std::fs::read(checkpoint(folder.path())).ok();
        let status = child(name, folder.path(), limit).status().unwrap();
        assert!(!status.success(), "a checkpoint is smaller than the limit");
        let after = (std::fs::read(checkpoint(folder.path())).ok(), unfinished_writes(folder.path()));
        assert_eq!(after, (before, 1), "the write was cut, the checkpoint is as it was");
        kill_after(name, folder.path(), 3);
        assert!(checkpoint(folder.path()).exists());
        assert_eq!(unfinished_writes(folder.path()), 0, "the next write cleans up");
    }
    assert_eq!(finish(name, folder.path()), run(None, &mut ()));
}
