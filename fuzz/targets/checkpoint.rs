//! A training run's checkpoint is damaged or random; the run goes on from it or refuses it.
#![no_main]

use empf_data::{Augment, Dataset, glyphs};
use empf_fuzz::small::with_damage;
use empf_fuzz::with_files;
use empf_ir::Network;
use empf_trainer::layers::conv::Precision;
use empf_trainer::presets::{Target, preset};
use empf_trainer::runs::train::{
    BatchReport, CheckpointPlan, EpochReport, Progress, Rule, Start, Task, TrainConfig, train,
};
use empf_trainer::{Device, Error, Model, Result, SgdConfig};
use libfuzzer_sys::fuzz_target;
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::LazyLock;

struct Run {
    network: Network,
    data: Dataset,
    config: TrainConfig,
}

static RUN: LazyLock<Run> = LazyLock::new(|| {
    let mut data = glyphs(1).train;
    // Every class has an image, without which there is nothing to learn.
    data.truncate(data.classes);
    let target =
        Target { input: data.input().expect("an input"), classes: data.classes, time_steps: 2, width: 0.1 };
    let config = TrainConfig {
        epochs: 2,
        batch_size: 2,
        rate: 0.1,
        warmup_epochs: 0,
        sgd: SgdConfig { momentum: 0.9, nesterov: true, weight_decay: 5e-4 },
        rule: Rule::Online,
        random_steps: 1,
        augment: Augment::default(),
        label_smoothing: 0.0,
        mixup: 0.0,
        seed: 5,
        layer_wide: false,
        act_bits: Some(4),
        ema: Some(0.5),
        precision: Precision::Full,
        device: Device::Cpu,
    };
    Run { network: preset("tiny", &target).expect("a network"), data, config }
});

/// Ends a run before its first batch, or behind its first.
struct Ends {
    before: bool,
}

impl Progress for Ends {
    fn start(&mut self, _: Start) -> Result<()> {
        if self.before { Err(Error::Stopped { epoch: 0, batch: 0 }) } else { Ok(()) }
    }

    fn batch(&mut self, _: &BatchReport) -> Result<ControlFlow<()>> {
        Ok(ControlFlow::Break(()))
    }

    fn epoch(&mut self, _: &EpochReport, _: &Model<f32>) -> Result<()> {
        Ok(())
    }
}

fn run(path: &Path, before: bool) -> Result<Model<f32>> {
    let Run { network, data, config } = &*RUN;
    let plan = CheckpointPlan { path: path.into(), every: 1 };
    train(Task { network, train: data, test: None, config, checkpoint: Some(&plan) }, &mut Ends { before })
}

static WHOLE: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
    let place = tempfile::tempdir().expect("a temporary folder");
    let path = place.path().join("checkpoint");
    assert!(run(&path, false).is_err_and(|e| matches!(e, Error::Stopped { .. })));
    vec![("checkpoint".to_owned(), fs::read(path).expect("a checkpoint"))]
});

fuzz_target!(|input: &[u8]| {
    with_files(&with_damage(&WHOLE, input), |folder| {
        let _ = run(&folder.join("checkpoint"), true);
    });
});
