//! The folder of a training run.

use crate::curves::Curves;
use crate::error::{Error, Result};
use crate::folder::{self, Kind};
use crate::judgement;
use crate::picture;
use empf_ir::store::{self, temporary};
use empf_trainer::runs::log::{EVENTS, EVENTS_MARK, Log, METRICS, read};
use empf_trainer::runs::train::{BatchReport, CheckpointPlan, EpochReport, Progress, Start};
use empf_trainer::{Bar, Model};
use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// The folder of a network.
const NETWORK: Kind = Kind { header: "network.json", mark: "empf-network", files: &["weights.safetensors"] };
/// What a run puts into its folder, beside folders of networks. TensorBoard's log is the first file that it writes.
const RUN: Kind = Kind {
    header: EVENTS,
    mark: EVENTS_MARK,
    files: &[
        CHECKPOINT,
        METRICS,
        "curves.svg",
        "curves.png",
        judgement::EVALUATION,
        "confusion.svg",
        "confusion.png",
        "best",
        "network",
    ],
};
/// Name of the checkpoint.
const CHECKPOINT: &str = "checkpoint.safetensors";

/// The folder of the network at `path`, which is one or that of a finished run.
pub(crate) fn network_of(path: &Path) -> Result<PathBuf> {
    let candidates = [path.to_owned(), path.join("network")];
    let found = candidates.into_iter().find(|folder| holds_network(folder));
    found.ok_or_else(|| {
        unfinished(path).unwrap_or_else(|| {
            Error::file(
                path,
                "holds neither network.json nor network/network.json; give a network or a finished run",
            )
        })
    })
}

fn holds_network(folder: &Path) -> bool {
    folder.join(NETWORK.header).exists()
}

/// What to do with the run at `path`, or whose last network would be there, where it has not come to its end.
pub(crate) fn unfinished(path: &Path) -> Option<Error> {
    let parent = path.ends_with("network").then(|| store::folder_of(path));
    let run = [Some(path), parent].into_iter().flatten().find(|folder| RUN.is_marked(folder))?;
    if holds_network(&run.join("network")) {
        return None;
    }
    let best = run.join("best");
    let so_far = match holds_network(&best) {
        true => format!(" its best network so far is {};", best.display()),
        false => String::new(),
    };
    let message = format!(
        "is a run that has not ended;{so_far} `empf train --resume -o {}` with its options goes on",
        run.display()
    );
    Some(Error::file(run, message))
}

/// No run puts its own files where `target` is to be: it could not save what it has learned.
pub(crate) fn check_outside(target: &Path) -> Result<()> {
    let path = std::path::absolute(target).map_err(|e| Error::file(target, e))?;
    let run = store::folder_of(&path);
    let name = path.file_name().unwrap_or_default();
    match RUN.names().any(|own| name == own) && RUN.is_marked(run) {
        true => {
            let message = format!("is kept for the run in {}; choose another output", run.display());
            Err(Error::file(target, message))
        }
        false => Ok(()),
    }
}

/// Shows progress and keeps logs, curves and the best network so far.
pub(crate) struct RunFolder {
    folder: PathBuf,
    /// Keeps other runs out of the folder, from the start on.
    held: Option<File>,
    bar: Bar,
    log: Log,
    /// Accuracy of the network in `best/`.
    best: Option<f64>,
}

impl RunFolder {
    /// `folder` is made when the run starts. What another run or another program has there is refused now, unless
    /// `resume` says that the run there goes on.
    pub(crate) fn new(folder: &Path, resume: bool) -> Result<Self> {
        folder::check_no_file_in_the_way(folder, RUN)?;
        folder::check_no_file_in_the_way(folder, judgement::FILES)?;
        let has_checkpoint = folder.join(CHECKPOINT).exists();
        if has_checkpoint && !resume {
            let message =
                "holds a checkpoint of an earlier run; add --resume to go on, or choose another output";
            return Err(Error::file(folder, message));
        }
        for network in ["best", "network"].map(|name| folder.join(name)) {
            folder::check_replaceable(&network, NETWORK)?;
            if !has_checkpoint && holds_network(&network) {
                let message =
                    "is of a run that has no checkpoint any more, and would be lost; choose another output";
                return Err(Error::file(network, message));
            }
        }
        if !has_checkpoint && resume {
            eprintln!("note: there is no run to go on with in {}; it starts anew", folder.display());
        }
        Ok(RunFolder {
            folder: folder.into(),
            held: None,
            bar: Bar::default(),
            log: Log::new(folder),
            best: None,
        })
    }

    /// Where and how often the state is kept.
    pub(crate) fn plan(&self) -> CheckpointPlan {
        CheckpointPlan { path: self.folder.join(CHECKPOINT), every: 200 }
    }

    /// Writes the network of `model` to the folder's `name`, whole or not at all.
    pub(crate) fn save(&self, model: &Model<f32>, name: &str) -> Result<()> {
        folder::write(&self.folder.join(name), NETWORK, |new| Ok(model.to_network().save(new)?))
    }

    fn keep(&mut self, report: &EpochReport, model: &Model<f32>) -> Result<()> {
        let lines = read(&self.folder.join(METRICS))?;
        picture::save(&Curves::of(&lines), &self.folder, "curves")?;
        let accuracy = report.test.as_ref().map(|test| test.accuracy());
        if accuracy.is_some() && accuracy > self.best {
            self.save(model, "best")?;
            self.best = accuracy;
        }
        Ok(())
    }
}

impl Progress for RunFolder {
    fn start(&mut self, start: Start) -> empf_trainer::Result<()> {
        store::create_dir(&self.folder)?;
        self.held = Some(folder::hold(&self.folder).map_err(|e| empf_trainer::Error::Watcher(e.into()))?);
        temporary::remove_unfinished(&self.folder);
        self.log.start(start)?;
        let lines = read(&self.folder.join(METRICS))?;
        self.best = lines.iter().filter_map(|line| line.test_accuracy).reduce(f64::max);
        Ok(())
    }

    fn batch(&mut self, report: &BatchReport) -> empf_trainer::Result<ControlFlow<()>> {
        self.log.batch(report)?;
        self.bar.batch(report)
    }

    fn epoch(&mut self, report: &EpochReport, model: &Model<f32>) -> empf_trainer::Result<()> {
        self.log.epoch(report)?;
        self.bar.epoch(report, model)?;
        self.keep(report, model).map_err(|e| empf_trainer::Error::Watcher(e.into()))
    }
}
