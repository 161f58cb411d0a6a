//! Kills training without warning, again and again; what it ends with must equal a run that nobody disturbed.

use empf_data::{Reading, Split};
use empf_ir::{Network, store};
use empf_trainer::Bar;
use empf_trainer::presets::{Target, preset, settings};
use empf_trainer::runs::train::{CheckpointPlan, Task, TrainConfig, train};
use rand::{Rng, SeedableRng};
use rand_pcg::Pcg64;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Time between two looks at what the process does.
const LOOK: Duration = Duration::from_micros(200);
/// A process that has written nothing for so long will not.
const PATIENCE: Duration = Duration::from_secs(600);

/// Options of `killed`.
#[derive(Clone, clap::Args)]
pub(crate) struct Args {
    /// Name of the network
    #[arg(long, default_value = "resnet18")]
    network: String,
    /// Folder of the data set, or `glyphs`
    #[arg(long, default_value = "glyphs", value_name = "glyphs|DIR")]
    data: String,
    /// Only the first N training images
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Factor on the network's channel counts
    #[arg(long, default_value_t = 1.0)]
    width: f64,
    /// Passes over the data
    #[arg(long, default_value_t = 1)]
    epochs: usize,
    /// T
    #[arg(long, default_value_t = 4)]
    time_steps: usize,
    /// Batches between two checkpoints
    #[arg(long, default_value_t = 4)]
    every: usize,
    /// How often the process is killed, in turn at a random moment and while it writes a checkpoint
    #[arg(long, default_value_t = 10)]
    kills: usize,
    /// Longest time to a kill at a random moment, in seconds
    #[arg(long, default_value_t = 60.0)]
    longest: f64,
    /// Folder of both runs; a run that is finished there is not repeated
    #[arg(short, long, default_value = "runs/killed")]
    output: PathBuf,
    /// Only train, in the folder's run of this name: what the processes do that are killed
    #[arg(long, value_name = "RUN", hide = true)]
    train: Option<String>,
}

pub(crate) fn run(args: &Args) -> crate::error::Result {
    if let Some(name) = &args.train {
        return work(args, &args.output.join(name));
    }
    let (whole, killed) = (args.output.join("whole"), args.output.join("killed"));
    if killed.exists() {
        return Err(format!("{} exists; delete it, or choose another -o", killed.display()).into());
    }
    store::create_dir(&killed)?;
    let mut kills = Kills::default();
    let mut rng = Pcg64::from_os_rng();
    for number in 0..args.kills {
        let mut child = start("killed")?;
        let cut = match number % 2 {
            0 => at_random(&mut child, rng.random_range(0.0..args.longest))?,
            _ => while_writing(&mut child, &killed, rng.random_range(0..3))?,
        };
        if !cut {
            println!("the run ended before kill {}; give it more epochs, or a smaller --longest", number + 1);
            break;
        }
        kills.add(&killed);
    }
    finish("killed")?;
    println!("{kills}");
    finish("whole")?;
    let network = |folder: &Path| Network::load(&folder.join("network"));
    if network(&killed)? != network(&whole)? {
        return Err("the killed run ended with other weights than the undisturbed one".into());
    }
    if checkpoint_tensors(&killed)? != checkpoint_tensors(&whole)? {
        return Err("the killed run ended with another optimizer state than the undisturbed one".into());
    }
    println!("weights, statistics and velocities are equal, bit for bit");
    Ok(())
}

/// Trains in `folder` from its checkpoint, and saves the network.
fn work(args: &Args, folder: &Path) -> crate::error::Result {
    let Split { train: mut images, .. } = Split::load(&args.data, &Reading::usual(args.time_steps))?;
    images.truncate(args.limit.unwrap_or(usize::MAX));
    let graph = preset(&args.network, &Target::of(&images, args.time_steps, args.width)?)?;
    let config = TrainConfig { epochs: args.epochs, ..settings(&args.network) };
    store::create_dir(folder)?;
    let plan = CheckpointPlan { path: checkpoint(folder), every: args.every };
    let task = Task { network: &graph, train: &images, test: None, config: &config, checkpoint: Some(&plan) };
    Ok(train(task, &mut Bar::default())?.to_network().save(&folder.join("network"))?)
}

fn checkpoint(folder: &Path) -> PathBuf {
    folder.join("checkpoint.safetensors")
}

/// All bytes of the last checkpoint but its header, in which the order of entries is free.
fn checkpoint_tensors(folder: &Path) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let bytes = fs::read(checkpoint(folder))?;
    let length = bytes.first_chunk().map_or(0, |length| u64::from_le_bytes(*length) as usize);
    Ok(bytes.get(8 + length..).ok_or("the checkpoint is cut")?.to_vec())
}

/// This command again, to train in the run `name`.
fn start(name: &str) -> std::io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(std::env::args_os().skip(1)).args(["--train", name]);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()
}

/// Lets the run `name` come to its end.
fn finish(name: &str) -> crate::error::Result {
    let begin = Instant::now();
    let status = start(name)?.wait()?;
    if !status.success() {
        return Err(format!("the run `{name}` failed: {status}").into());
    }
    println!("the run `{name}` is finished, the last process took {:.0} s", begin.elapsed().as_secs_f64());
    Ok(())
}

/// Kills the process after so many seconds; whether it was still there.
fn at_random(child: &mut Child, seconds: f64) -> std::io::Result<bool> {
    sleep(Duration::from_secs_f64(seconds));
    kill(child)
}

/// Kills the process in the middle of a write, after `before` whole ones; whether it was still there.
fn while_writing(child: &mut Child, folder: &Path, before: usize) -> std::io::Result<bool> {
    let begin = Instant::now();
    let mut writes = 0;
    let mut writing = false;
    while child.try_wait()?.is_none() && begin.elapsed() < PATIENCE {
        let now = unfinished(folder) > 0;
        writes += usize::from(now && !writing);
        if now && writes > before {
            break;
        }
        writing = now;
        sleep(LOOK);
    }
    kill(child)
}

/// With SIGKILL; whether it was still there.
fn kill(child: &mut Child) -> std::io::Result<bool> {
    let alive = child.try_wait()?.is_none();
    child.kill()?;
    child.wait()?;
    Ok(alive)
}

/// Files of writes that are not finished.
fn unfinished(folder: &Path) -> usize {
    let names = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
    names.filter(|name| name.to_string_lossy().starts_with(".empf-")).count()
}

/// What was hit.
#[derive(Default)]
struct Kills {
    all: usize,
    /// Of these, in the middle of a write.
    writes: usize,
}

impl Kills {
    fn add(&mut self, folder: &Path) {
        self.all += 1;
        self.writes += usize::from(unfinished(folder) > 0);
    }
}

impl std::fmt::Display for Kills {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "killed {} times, {} of them in the middle of writing a checkpoint", self.all, self.writes)
    }
}
