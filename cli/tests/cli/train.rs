//! Runs that are interrupted.

use crate::command::{empf, error_of, fail, run, succeed, words};
use empf_ir::Network;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

/// The lines of a run's log without what depends on time.
fn log(folder: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
    let line = |line: &str| {
        let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
        let object = line.as_object_mut().unwrap();
        object.retain(|name, _| !["time", "seconds", "images_per_second"].contains(&name.as_str()));
        line
    };
    text.lines().map(line).collect()
}

const TRAIN: &str = "train --data data --network tiny --width 0.5 --time-steps 2 --epochs 30 --batch 20 -o";

/// Idx files with `count` images of 12x12 and two classes.
pub(crate) fn write_idx(folder: &Path, count: u32) {
    fs::create_dir(folder).unwrap();
    let words = |words: &[u32]| words.iter().flat_map(|w| w.to_be_bytes()).collect::<Vec<u8>>();
    for prefix in ["train", "t10k"] {
        let pixels = (0..count * 144).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8);
        let images = [words(&[0x803, count, 12, 12]), pixels.collect()].concat();
        fs::write(folder.join(format!("{prefix}-images-idx3-ubyte")), images).unwrap();
        let labels = [words(&[0x801, count]), (0..count).map(|i| (i % 2) as u8).collect()].concat();
        fs::write(folder.join(format!("{prefix}-labels-idx1-ubyte")), labels).unwrap();
    }
}

#[test]
fn a_killed_run_goes_on_to_the_same_weights() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    write_idx(&place.join("data"), 400);
    let arguments = |run| [words(TRAIN), vec![run]].concat();
    succeed(place, &arguments("whole"));

    let mut child = empf(place, &arguments("killed")).stderr(Stdio::null()).spawn().unwrap();
    while !place.join("killed/checkpoint.safetensors").exists() && child.try_wait().unwrap().is_none() {
        sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!place.join("killed/network").exists(), "the run ended before it could be killed");

    let error = fail(place, &arguments("killed"));
    assert!(error.contains("holds a checkpoint") && error.contains("--resume"), "{error}");
    succeed(place, &[arguments("killed"), vec!["--resume"]].concat());
    for file in ["network.json", "weights.safetensors"] {
        let bytes = |run: &str| fs::read(place.join(run).join("network").join(file)).unwrap();
        assert!(bytes("whole") == bytes("killed"), "{file} differs");
        let bytes = |run: &str| fs::read(place.join(run).join("best").join(file)).unwrap();
        assert!(bytes("whole") == bytes("killed"), "{file} of the best network differs");
    }
    let [whole, killed] = ["whole", "killed"].map(|run| log(&place.join(run)));
    assert_eq!(whole.iter().filter(|line| line["scope"] == "epoch").count(), 30);
    assert_eq!(whole.iter().filter(|line| line["scope"] == "batch").count(), 30 * 20 / 50);
    assert_eq!(whole, killed, "no line is missing, and none is there twice");
    let best = whole.iter().filter_map(|line| line["test_accuracy"].as_f64()).fold(0.0, f64::max);
    let evaluation = succeed(place, &words("evaluate killed/best --data data"));
    assert!(evaluation.contains(&format!("accuracy {:.2} % of 400 images", 100.0 * best)), "{evaluation}");
}

#[test]
fn a_log_goes_on_behind_the_checkpoint() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    write_idx(&place.join("data"), 40);
    succeed(place, &[words(TRAIN), vec!["run"]].concat());
    let file = place.join("run/metrics.jsonl");
    let whole = fs::read_to_string(&file).unwrap();
    // As if the process had been killed later than its checkpoint, in the middle of a line.
    let later = whole.lines().last().unwrap().replace("\"epoch\":29", "\"epoch\":30");
    fs::write(&file, format!("{whole}{later}\n{}", &later[..9])).unwrap();
    succeed(place, &[words(TRAIN), vec!["run", "--resume"]].concat());
    assert_eq!(fs::read_to_string(&file).unwrap(), whole);
}

#[test]
fn a_run_that_has_not_ended_says_how_to_go_on() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    write_idx(&place.join("data"), 40);
    let train = TRAIN.replace("--epochs 30", "--epochs 2");
    let output = run(place, &words(&format!("{train} run --resume")));
    let note = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(note.contains("note: there is no run to go on with in run; it starts anew"), "{note}");
    let compile = "compile run --data data --arch 4x4 --samples 16 -o build";
    succeed(place, &words(compile));

    fs::remove_dir_all(place.join("run/network")).unwrap();
    let verbs = [
        compile,
        "compile run/network --arch 4x4 -o new",
        "evaluate run",
        "inspect run",
        "inspect run/network",
    ];
    for verb in verbs {
        let error = fail(place, &words(verb));
        let said = "run: is a run that has not ended; its best network so far is run/best; `empf train --resume -o run`";
        assert!(error.contains(said), "{error}");
    }
    let error = fail(place, &words(&format!("{} run --resume", train.replace("--batch 20", "--batch 10"))));
    assert!(error.contains("other settings: batch_size is 20, here 10; use those"), "{error}");

    let best = fs::read(place.join("run/best/weights.safetensors")).unwrap();
    for options in ["", " --resume"] {
        fs::rename(place.join("run/checkpoint.safetensors"), place.join("kept")).unwrap();
        let error = fail(place, &words(&format!("{train} run{options}")));
        assert!(error.contains("run/best: is of a run that has no checkpoint any more"), "{error}");
        fs::rename(place.join("kept"), place.join("run/checkpoint.safetensors")).unwrap();
    }
    assert_eq!(fs::read(place.join("run/best/weights.safetensors")).unwrap(), best);

    fs::write(place.join("run/best/network.json"), "{").unwrap();
    let error = fail(place, &words(&format!("{train} run --resume")));
    assert!(error.contains("run/best: holds ") && error.contains("its network.json is damaged"), "{error}");
}

#[test]
fn a_run_leaves_curves_and_a_confusion_matrix() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    write_idx(&place.join("data"), 40);
    let options = "train --data data --network tiny --width 0.5 --time-steps 3 --epochs 2 --batch 20 --rule random \
                   --random-steps 2 --nesterov false --warmup 1 --ema 0.9 -o run";
    succeed(place, &words(options));
    for name in ["curves", "confusion"] {
        let file = |kind: &str| fs::read(place.join(format!("run/{name}.{kind}"))).unwrap();
        assert!(file("svg").starts_with(b"<svg"), "{name}");
        assert!(file("png").starts_with(b"\x89PNG") && file("png").len() > 4000, "{name}");
    }
    let svg = fs::read_to_string(place.join("run/curves.svg")).unwrap();
    assert!(
        ["loss", "accuracy, %", "training", "test", "epoch"].iter().all(|word| svg.contains(word)),
        "{svg}"
    );

    let table = succeed(place, &words("evaluate run --data data --samples 30 -o judged"));
    assert!(
        table.contains("neuron1") && table.contains("conv2") && table.contains("of 30 images"),
        "{table}"
    );
    let text = fs::read(place.join("judged/evaluation.json")).unwrap();
    let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let confusion: Vec<Vec<usize>> = serde_json::from_value(value["confusion"].clone()).unwrap();
    assert_eq!(confusion.iter().map(|row| row.iter().sum::<usize>()).collect::<Vec<_>>(), [15, 15]);
    assert_eq!(value["correct"], confusion[0][0] + confusion[1][1]);
    assert_eq!(value["synapses"].as_array().unwrap().len(), 4);
    assert!(place.join("judged/confusion.png").exists());
}

#[test]
fn what_no_gpu_can_train_leaves_no_run() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    write_idx(&place.join("data"), 20);
    let error = fail(place, &words(&format!("{TRAIN} run --device cuda")));
    assert!(
        error.contains("GPU: this program was built without it") && error.contains("--features cuda"),
        "{error}"
    );
}

#[test]
fn parameters_of_neurons_belong_to_channels_or_layers() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    write_idx(&place.join("data"), 20);
    let one_epoch = TRAIN.replace("--epochs 30", "--epochs 1");
    for (option, per_step) in [("", 8), (" --layer-wide", 1)] {
        succeed(place, &words(&format!("{one_epoch} run{per_step}{option}")));
        let network = Network::load(&place.join(format!("run{per_step}/network"))).unwrap();
        for parameter in ["lambda", "theta"] {
            let (shape, _) = network.tensor("neuron1", parameter).unwrap();
            assert_eq!(shape, [2, per_step], "{parameter}");
        }
    }
}

#[test]
fn what_cannot_be_judged_or_learned_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    write_idx(&place.join("data"), 40);
    let error = fail(place, &words("evaluate data --data data"));
    assert!(error.contains("network.json") && error.contains("give a network"), "{error}");
    let train = [words(TRAIN), vec!["run"]].concat();
    for (options, message) in [
        ("--random-steps 3 --rule random", "random steps: is 3, not in 1..=2"),
        ("--ema 1", "average: is 1, not from 0"),
    ] {
        let output = empf(place, &[train.clone(), words(options)].concat()).output().unwrap();
        let error = error_of(&output);
        assert!(error.contains(message), "{error}");
    }
}
