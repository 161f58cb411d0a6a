//! A table of training runs. It can be stopped and started again at any time: a run goes on from its checkpoint,
//! and a finished one is not repeated.

mod file;
mod record;
mod table;

use empf_compiler::{Compilation, Pass};
use empf_data::{Dataset, Reading, Split};
use empf_integer::IntegerModel;
use empf_ir::{ArchConfig, Network, QuantNetwork, store};
use empf_trainer::presets::{Target, preset};
use empf_trainer::runs::evaluate::{Evaluation, evaluate};
use empf_trainer::runs::log::{Log, METRICS, read};
use empf_trainer::runs::train::{BatchReport, CheckpointPlan, EpochReport, Progress, Start, Task, train};
use empf_trainer::{Bar, Model};
use file::{Row, Study};
use record::{Integer, Pace, Record, Settings};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Batches between two checkpoints.
const CHECKPOINT_EVERY: usize = 100;
const RECORD: &str = "record.json";

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Options of `study`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The study, such as bench/studies/cifar10.toml
    study: PathBuf,
    /// Only rows whose label starts so
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Folder of the data set, or `glyphs`
    #[arg(long, default_value = "glyphs", value_name = "glyphs|DIR")]
    data: String,
    /// Folder of the runs, of results.json and of table.md [default: runs/ and the study's name]
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

pub(crate) fn run(args: &Args) -> crate::error::Result {
    let study = Study::load(&args.study)?;
    let name = args.study.file_stem().unwrap_or_default();
    let output = args.output.clone().unwrap_or_else(|| Path::new("runs").join(name));
    let Split { train: mut images, mut test } = Split::load(&args.data, &Reading::usual(study.time_steps))?;
    for data in [&mut images, &mut test] {
        data.truncate(study.limit.unwrap_or(usize::MAX));
    }
    let bench =
        Bench { study: &study, output: &output, data: [images.digest(), test.digest()], images, test };
    let wanted = |row: &&Row| args.only.as_ref().is_none_or(|text| row.label.starts_with(text.as_str()));
    if !study.rows.iter().any(|row| wanted(&row)) {
        let labels: Vec<&str> = study.rows.iter().map(|row| row.label.as_str()).collect();
        return Err(format!("no row is called so; there are: {}", labels.join("; ")).into());
    }
    // All rows of a seed before the next seed: a study that is not finished compares all rows.
    for seed in &study.seeds {
        for row in study.rows.iter().filter(wanted) {
            bench.finish(row, *seed)?;
            bench.summarise()?;
        }
    }
    println!("{}", table::markdown(&study, &bench.records()?));
    Ok(())
}

/// What all runs of a study share.
struct Bench<'a> {
    study: &'a Study,
    output: &'a Path,
    images: Dataset,
    test: Dataset,
    /// Digests of both.
    data: [String; 2],
}

impl Bench<'_> {
    fn folder(&self, row: &Row, seed: u64) -> PathBuf {
        self.output.join(format!("{}-seed{seed}", row.slug()))
    }

    /// Trains and judges, unless that is done.
    fn finish(&self, row: &Row, seed: u64) -> Result<()> {
        let folder = self.folder(row, seed);
        let settings = Settings {
            network: row.network.clone(),
            width: self.study.width,
            time_steps: self.study.time_steps,
            config: self.study.config(row, seed),
            quantise: row.quantise(self.study),
            calibration: self.study.calibration,
            data: self.data.clone(),
        };
        if let Some(record) = Record::load(&folder.join(RECORD))? {
            if record.settings != settings {
                let folder = folder.display();
                return Err(format!(
                    "{folder} holds a run with other settings; delete it, or choose another -o"
                )
                .into());
            }
            println!("{}, seed {seed}: {:.2} % (finished before)", row.label, 100.0 * record.accuracy);
            return Ok(());
        }
        println!("{}, seed {seed}: trains in {}", row.label, folder.display());
        store::create_dir(&folder)?;
        let record = self.judge(row, settings, &folder)?;
        println!("{}, seed {seed}: {:.2} %", row.label, 100.0 * record.accuracy);
        Ok(store::write_json(&folder.join(RECORD), &record)?)
    }

    fn judge(&self, row: &Row, settings: Settings, folder: &Path) -> Result<Record> {
        let target = Target::of(&self.images, settings.time_steps, settings.width)?;
        let graph = preset(&settings.network, &target)?;
        let plan = CheckpointPlan { path: folder.join("checkpoint.safetensors"), every: CHECKPOINT_EVERY };
        let task = Task {
            network: &graph,
            train: &self.images,
            test: None,
            config: &settings.config,
            checkpoint: Some(&plan),
        };
        let mut watch = Watch { bar: Bar::default(), log: Log::new(folder) };
        let mut model: Model<f32> = train(task, &mut watch)?;
        let accuracy = evaluate(&mut model, &self.test, settings.config.batch_size)?.accuracy();
        let network = model.to_network();
        network.save(&folder.join("network"))?;
        let integers =
            settings.quantise.iter().map(|bits| self.integer(&network, *bits)).collect::<Result<_>>()?;
        let label = row.label.clone();
        Ok(Record {
            label,
            settings,
            accuracy,
            integers,
            epoch_images: self.images.len(),
            pace: Pace::of(&read(&folder.join(METRICS))?),
        })
    }

    /// Accuracy of the integer network for spikes of `act_bits` bits; why there is none, where that is so.
    fn integer(&self, network: &Network, act_bits: u32) -> Result<Integer> {
        let arch = ArchConfig { act_bits, ..ArchConfig::default() };
        let outcome = match quantised(network, &self.images, self.study.calibration, &arch) {
            Ok(quant) => {
                let answers =
                    IntegerModel::new(&quant)?.classify(self.test.codes(self.test.len())?.view())?;
                Ok(Evaluation::new(network.classes, &self.test.labels, &answers).accuracy())
            }
            Err(empf_compiler::Error::Unsupported { node, message }) => {
                Err(format!("node `{node}`: {message}"))
            }
            Err(other) => return Err(other.into()),
        };
        Ok(Integer { act_bits, accuracy: outcome.as_ref().ok().copied(), refusal: outcome.err() })
    }

    /// What is finished, in the order of the study.
    fn records(&self) -> Result<Vec<Record>> {
        let runs =
            self.study.rows.iter().flat_map(|row| self.study.seeds.iter().map(move |seed| (row, *seed)));
        let records = runs.map(|(row, seed)| Record::load(&self.folder(row, seed).join(RECORD)));
        Ok(records.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    /// Writes what is finished as JSON and as a table.
    fn summarise(&self) -> Result<()> {
        let records = self.records()?;
        store::write_json(&self.output.join("results.json"), &records)?;
        Ok(store::write(&self.output.join("table.md"), table::markdown(self.study, &records).as_bytes())?)
    }
}

/// The integer network, calibrated on the first `count` images.
fn quantised(
    network: &Network,
    images: &Dataset,
    count: usize,
    arch: &ArchConfig,
) -> std::result::Result<QuantNetwork, empf_compiler::Error> {
    let first = images.codes(count).map_err(|_| empf_compiler::Error::NoImages)?;
    let mut compilation = Compilation::of_network(network, first.view(), arch);
    compilation.run(Pass::Quantize, |_, _| Ok(()))?;
    Ok(compilation.quantized(Pass::Lower)?.clone())
}

/// Shows progress and logs the run.
struct Watch {
    bar: Bar,
    log: Log,
}

impl Progress for Watch {
    fn start(&mut self, start: Start) -> empf_trainer::Result<()> {
        self.log.start(start)
    }

    fn batch(&mut self, report: &BatchReport) -> empf_trainer::Result<ControlFlow<()>> {
        self.log.batch(report)?;
        self.bar.batch(report)
    }

    fn epoch(&mut self, report: &EpochReport, model: &Model<f32>) -> empf_trainer::Result<()> {
        self.log.epoch(report)?;
        self.bar.epoch(report, model)
    }
}
