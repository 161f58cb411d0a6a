//! Whole training runs: interruption, divergence, storage.

use empf_data::{Augment, Dataset, glyphs};
use empf_ir::{Input, Network};
use empf_trainer::layers::conv::Precision;
use empf_trainer::presets::{Target, preset};
use empf_trainer::runs::evaluate::evaluate;
use empf_trainer::runs::train::{
    BatchReport, CheckpointPlan, EpochReport, Progress, Rule, Task, TrainConfig, train,
};
use empf_trainer::{Device, Error, Frames, Model, Result, SgdConfig, Tensor};
use std::ops::ControlFlow;

fn config(rule: Rule) -> TrainConfig {
    TrainConfig {
        epochs: 2,
        batch_size: 20,
        rate: 0.1,
        warmup_epochs: 1,
        sgd: SgdConfig { momentum: 0.9, nesterov: true, weight_decay: 5e-4 },
        rule,
        random_steps: 1,
        augment: Augment { shift: 2, flip: true, ..Augment::default() },
        label_smoothing: 0.0,
        mixup: 0.0,
        seed: 5,
        layer_wide: false,
        act_bits: None,
        ema: None,
        precision: Precision::Full,
        device: Device::Cpu,
    }
}

fn data() -> Dataset {
    let mut data = glyphs(1).train;
    data.truncate(90);
    data
}

fn network(name: &str, classes: usize) -> Network {
    let input = Input {
        channels: 1,
        height: 28,
        width: 28,
        frames: 1,
        zero_point: 3.0.into(),
        scale: (1.0 / 255.0).into(),
    };
    preset(name, &Target { input, classes, time_steps: 3, width: 0.25 }).unwrap()
}

/// Breaks off after every `every`-th batch.
struct Interrupt {
    every: usize,
    done: usize,
}

impl Progress for Interrupt {
    fn batch(&mut self, _: &BatchReport) -> Result<ControlFlow<()>> {
        self.done += 1;
        let stop = self.done.is_multiple_of(self.every);
        Ok(if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn epoch(&mut self, _: &EpochReport, _: &Model<f32>) -> Result<()> {
        Ok(())
    }
}

#[test]
fn an_interrupted_run_ends_with_the_same_bits() {
    let (data, network) = (data(), network("tiny", 10));
    let runs =
        [(Rule::Online, None, None), (Rule::RandomBp, None, Some(0.9)), (Rule::RandomBp, Some(3), Some(0.5))];
    for (rule, act_bits, ema) in runs {
        let augment = Augment { cutout: 5, ..config(rule).augment };
        let config = TrainConfig {
            random_steps: 2,
            act_bits,
            ema,
            augment,
            label_smoothing: 0.1,
            mixup: 0.4,
            ..config(rule)
        };
        let task = Task { network: &network, train: &data, test: None, config: &config, checkpoint: None };
        let whole = train(task, &mut ()).unwrap().to_network();
        for every in [1, 3, 4] {
            let folder = tempfile::tempdir().unwrap();
            let plan = CheckpointPlan { path: folder.path().join("run.safetensors"), every: 1000 };
            let task = Task { checkpoint: Some(&plan), ..task };
            let mut stops = 0;
            let resumed = loop {
                match train(task, &mut Interrupt { every, done: 0 }) {
                    Ok(model) => break model,
                    Err(Error::Stopped { .. }) => stops += 1,
                    Err(other) => panic!("{other}"),
                }
            };
            assert!(stops >= 2);
            assert_eq!(resumed.to_network(), whole);
            let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
            assert_eq!(files.len(), 1, "nothing but the checkpoint stays");
        }
    }
}

#[test]
fn the_number_of_cores_does_not_change_the_bits() {
    let (data, network, config) = (data(), network("tiny", 10), config(Rule::Online));
    let task = Task { network: &network, train: &data, test: None, config: &config, checkpoint: None };
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| train(task, &mut ())).unwrap().to_network()
    };
    assert_eq!(on(1), on(3));
}

#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let (data, network, first) = (data(), network("tiny", 10), config(Rule::Online));
    let folder = tempfile::tempdir().unwrap();
    let plan = CheckpointPlan { path: folder.path().join("run.safetensors"), every: 1 };
    let task = Task { network: &network, train: &data, test: None, config: &first, checkpoint: Some(&plan) };
    train(task, &mut Interrupt { every: 2, done: 0 }).unwrap_err();

    let other = TrainConfig { seed: 6, ..first.clone() };
    let error = train(Task { config: &other, ..task }, &mut ()).unwrap_err().to_string();
    assert!(error.contains("with other settings: seed is 5, here 6; use those"), "{error}");
    let wider = Network { name: "wide".into(), ..network.clone() };
    let error = train(Task { network: &wider, ..task }, &mut ()).unwrap_err().to_string();
    assert!(error.contains("with other network: name is \"tiny\", here \"wide\"; use"), "{error}");
    let mut fewer = data.clone();
    fewer.truncate(80);
    let error = train(Task { train: &fewer, ..task }, &mut ()).unwrap_err().to_string();
    assert!(error.contains("other training data"), "{error}");
    let bytes = std::fs::read(&plan.path).unwrap();
    std::fs::write(&plan.path, &bytes[..bytes.len() - 1]).unwrap();
    let error = train(task, &mut ()).unwrap_err().to_string();
    assert!(error.contains("damaged"), "{error}");
}

#[test]
fn a_checkpoint_with_another_bit_is_refused() {
    let (data, network, config) = (data(), network("tiny", 10), config(Rule::Online));
    let folder = tempfile::tempdir().unwrap();
    let plan = CheckpointPlan { path: folder.path().join("run.safetensors"), every: 1 };
    let task = Task { network: &network, train: &data, test: None, config: &config, checkpoint: Some(&plan) };
    train(task, &mut Interrupt { every: 2, done: 0 }).unwrap_err();
    let whole = std::fs::read(&plan.path).unwrap();
    let said_of = |bytes: &[u8]| {
        std::fs::write(&plan.path, bytes).unwrap();
        train(task, &mut ()).unwrap_err().to_string()
    };
    let seed = whole.windows(7).position(|text| text == br#"seed\":"#).unwrap() + 7;
    for at in [seed, whole.len() / 2, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        let error = said_of(&bytes);
        assert!(error.contains("is damaged (its CRC-32C is "), "{error}");
    }
    let mut bytes = whole.clone();
    let end = bytes.len() - 4;
    bytes[end..].copy_from_slice(&f32::NAN.to_le_bytes());
    let error = said_of(&bytes);
    assert!(error.contains("is damaged (its CRC-32C is "), "{error}");
    std::fs::write(&plan.path, whole).unwrap();
    train(task, &mut ()).unwrap();
}

#[test]
fn divergence_names_the_place_and_leaves_no_checkpoint() {
    let (data, network) = (data(), network("tiny", 10));
    let config = TrainConfig { rate: 1e30, ..config(Rule::Online) };
    let folder = tempfile::tempdir().unwrap();
    let plan = CheckpointPlan { path: folder.path().join("run.safetensors"), every: 1 };
    let task = Task { network: &network, train: &data, test: None, config: &config, checkpoint: Some(&plan) };
    let error = train(task, &mut ()).unwrap_err();
    assert!(error.to_string().starts_with("training diverged at epoch 1, batch "), "{error}");
    match error {
        Error::Diverged { epoch: 0, layer, .. } => {
            assert!(network.nodes.iter().any(|n| layer.starts_with(&n.name)), "{layer}");
        }
        other => panic!("{other}"),
    }
    if plan.path.exists() {
        assert!(matches!(train(task, &mut ()), Err(Error::Diverged { .. })));
    }
}

#[test]
fn impossible_settings_are_refused() {
    let (data, network, good) = (data(), network("tiny", 10), config(Rule::Online));
    let message = |config: &TrainConfig, data: &Dataset| {
        let task = Task { network: &network, train: data, test: None, config, checkpoint: None };
        train(task, &mut ()).unwrap_err().to_string()
    };
    assert!(message(&TrainConfig { rate: f64::NAN, ..good.clone() }, &data).contains("learning rate"));
    assert!(message(&TrainConfig { batch_size: 0, ..good.clone() }, &data).contains("batch size"));
    assert!(message(&TrainConfig { ema: Some(1.0), ..good.clone() }, &data).contains("average"));
    for random_steps in [0, 4] {
        assert!(
            message(&TrainConfig { random_steps, ..good.clone() }, &data).contains("random steps: is"),
            "{random_steps} of 3"
        );
    }
    assert!(message(&TrainConfig { mixup: -1.0, ..good.clone() }, &data).contains("mixup"));
    assert!(
        message(&TrainConfig { label_smoothing: 1.0, ..good.clone() }, &data).contains("label smoothing")
    );
    let colour = Dataset {
        channels: 3,
        height: 28,
        width: 28,
        frames: 1,
        classes: 10,
        class_names: Default::default(),
        pixels: vec![].into(),
        labels: vec![],
    };
    assert!(message(&good, &colour).contains("takes 1x28x28, 10 classes"));
}

/// Images whose class shows in one frame alone: of 4, the one in which a bright square appears.
fn moving(count: usize) -> Dataset {
    let (frames, side) = (4, 8);
    let image = |i: usize| {
        let pixel = move |at: usize| {
            let (frame, y, x) = (at / (side * side), at / side % side, at % side);
            let bright = frame == i % frames && (2..6).contains(&y) && (2..6).contains(&x);
            if bright { 200 } else { ((at * 37 + i * 101) % 32) as u8 }
        };
        (0..frames * side * side).map(pixel)
    };
    let pixels = (0..count).flat_map(image).collect();
    let labels = (0..count).map(|i| (i % frames) as u16).collect();
    Dataset {
        channels: 1,
        height: side,
        width: side,
        frames,
        classes: frames,
        class_names: Default::default(),
        pixels,
        labels,
    }
}

#[test]
fn frames_over_time_are_learned_and_judged() {
    let (train_set, test_set) = (moving(80), moving(60));
    let input =
        Input { channels: 1, height: 8, width: 8, frames: 4, zero_point: 0.0.into(), scale: 0.02.into() };
    let network = preset("tiny", &Target { input, classes: 4, time_steps: 4, width: 0.5 }).unwrap();
    let config =
        TrainConfig { epochs: 12, rate: 0.3, augment: Augment::default(), ..config(Rule::ThroughTime) };
    let task = Task { network: &network, train: &train_set, test: None, config: &config, checkpoint: None };
    let mut model = train(task, &mut ()).unwrap();
    let judged = evaluate(&mut model, &test_set, 16).unwrap();
    assert!(judged.accuracy() > 0.9, "{judged:?}");
    let static_set = Dataset { frames: 1, pixels: vec![0; 60 * 64].into(), ..test_set };
    assert!(evaluate(&mut model, &static_set, 16).is_err());
    let error = train(Task { train: &static_set, ..task }, &mut ()).unwrap_err().to_string();
    assert!(error.contains("takes 1x8x8, 4 frames, 4 classes"), "{error}");
    let long = Network { time_steps: 64, ..network.clone() };
    let error = train(Task { network: &long, ..task }, &mut ()).unwrap_err().to_string();
    assert_eq!(error, "number of time-steps: is 64, not 1 to 63", "before anything is learned");
}

#[test]
fn networks_survive_storage() {
    for name in ["tiny", "vgg-small", "resnet18-seca2"] {
        let (network, mut data) = (network(name, 10), data());
        data.truncate(20);
        let mut model = Model::<f32>::new(&network, 3, name == "tiny").unwrap();
        let folder = tempfile::tempdir().unwrap();
        model.to_network().save(folder.path()).unwrap();
        let mut read = Model::<f32>::from_network(&Network::load(folder.path()).unwrap()).unwrap();
        assert_eq!(read.to_network(), model.to_network());
        let result = evaluate(&mut model, &data, 16).unwrap();
        assert_eq!(result.total(), data.len());
        assert_eq!(result, evaluate(&mut read, &data, 7).unwrap(), "the batch size does not matter");
    }
}

#[test]
fn wrong_batches_are_refused() {
    let mut model = Model::<f32>::new(&network("tiny", 10), 3, false).unwrap();
    let x = Tensor::default();
    let error = model.evaluate(Frames::Static(&x)).unwrap_err().to_string();
    assert!(error.ends_with("has 0 images of 0x0x0, the network takes 1x28x28"), "{error}");
    assert!(matches!(model.evaluate(Frames::PerStep(&[])), Err(Error::Batch(_))));
}
