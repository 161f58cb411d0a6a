//! The figures of a run as files: JSON lines, and a log that TensorBoard reads.
//!
//! Lines are written before the checkpoint of their place. A process that goes on drops what lies behind its
//! checkpoint and writes it again, so that no line is missing and none is there twice.

mod events;
mod line;

pub use events::EVENTS_MARK;
pub use line::{Metrics, Scope};

use crate::error::Result;
use crate::runs::train::{BatchReport, EpochReport, Start};
use empf_ir::{Error, store};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Name of the file of JSON lines in the folder of a run.
pub const METRICS: &str = "metrics.jsonl";
/// Name of TensorBoard's log in the folder of a run; TensorBoard looks for `tfevents`.
pub const EVENTS: &str = "events.out.tfevents.empf";
/// Batches between two lines.
const EVERY: usize = 50;

/// The lines of the file `path`; none where there is no file. What follows a broken line, which a process that
/// was killed may leave at the end, is left out.
pub fn read(path: &Path) -> Result<Vec<Metrics>> {
    if !path.exists() {
        return Ok(vec![]);
    }
    let bytes = store::read(path)?;
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n"));
    Ok(lines.map_while(|line| serde_json::from_slice(line).ok()).collect())
}

/// Writes [`METRICS`] and [`EVENTS`] into a folder.
#[derive(Debug)]
pub struct Log {
    folder: PathBuf,
    files: Option<Files>,
    /// Images since the last line, and when it was written.
    images: usize,
    since: Instant,
}

#[derive(Debug)]
struct Files {
    metrics: File,
    events: File,
}

impl Log {
    /// A log in `folder`, which exists.
    pub fn new(folder: &Path) -> Self {
        Log { folder: folder.into(), files: None, images: 0, since: Instant::now() }
    }

    /// Before the first batch of this process: drops what it will write again.
    pub fn start(&mut self, start: Start) -> Result<()> {
        let mut kept = read(&self.folder.join(METRICS))?;
        kept.retain(|line| match line.scope {
            Scope::Batch => line.step <= start.step,
            Scope::Epoch => line.epoch < start.epochs,
        });
        let lines: String = kept.iter().map(line).collect();
        let records: Vec<u8> =
            std::iter::once(events::header(now())).chain(kept.iter().map(events::of)).flatten().collect();
        let events = self.open(EVENTS, &records)?;
        let metrics = self.open(METRICS, lines.as_bytes())?;
        self.files = Some(Files { metrics, events });
        self.since = Instant::now();
        Ok(())
    }

    /// After each batch.
    pub fn batch(&mut self, report: &BatchReport) -> Result<()> {
        self.images += report.images;
        if report.step.is_multiple_of(EVERY) {
            let seconds = self.since.elapsed().as_secs_f64();
            self.write(&Metrics {
                scope: Scope::Batch,
                step: report.step,
                epoch: report.epoch,
                loss: report.loss,
                accuracy: report.accuracy,
                test_accuracy: None,
                rate: report.rate,
                images_per_second: Some(self.images as f64 / seconds),
                seconds,
                time: now(),
            })?;
            (self.images, self.since) = (0, Instant::now());
        }
        Ok(())
    }

    /// After each epoch.
    pub fn epoch(&mut self, report: &EpochReport) -> Result<()> {
        let seconds = report.seconds;
        self.write(&Metrics {
            scope: Scope::Epoch,
            step: report.step,
            epoch: report.epoch,
            loss: report.loss,
            accuracy: report.accuracy,
            test_accuracy: report.test.as_ref().map(|test| test.accuracy()),
            rate: report.rate,
            images_per_second: (report.images > 0).then(|| report.images as f64 / seconds),
            seconds,
            time: now(),
        })?;
        (self.images, self.since) = (0, Instant::now());
        Ok(())
    }

    fn open(&self, name: &str, content: &[u8]) -> Result<File> {
        let path = self.folder.join(name);
        store::write(&path, content)?;
        Ok(OpenOptions::new().append(true).open(&path).map_err(|e| Error::io("write", &path, e))?)
    }

    fn write(&mut self, metrics: &Metrics) -> Result<()> {
        let failed = |e| Error::io("write", &self.folder, e);
        if let Some(files) = &mut self.files {
            files.metrics.write_all(line(metrics).as_bytes()).map_err(failed)?;
            files.events.write_all(&events::of(metrics)).map_err(failed)?;
        }
        Ok(())
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

/// Numbers that are finite always have a JSON form.
fn line(metrics: &Metrics) -> String {
    serde_json::to_string(metrics).unwrap_or_default() + "\n"
}
