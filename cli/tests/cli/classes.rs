//! Classes and their names, from the data to all that is printed.

use crate::command::{fail, files, made, run, succeed, words};
use ndarray::{Array1, Array4};
use ndarray_npy::NpzWriter;
use std::fs;
use std::path::Path;

/// Idx files of images of `side` x `side` pixels with these labels, all alike; those of the test part are the first.
fn write_labels(folder: &Path, side: u32, train: &[u8], test: &[u8]) {
    fs::create_dir(folder).unwrap();
    let words = |words: &[u32]| words.iter().flat_map(|w| w.to_be_bytes()).collect::<Vec<u8>>();
    for (part, labels) in [("set-train", train), ("set-test", test)] {
        let count = labels.len() as u32;
        let images = [words(&[0x803, count, side, side]), vec![99; (count * side * side) as usize]].concat();
        fs::write(folder.join(format!("{part}-images-idx3-ubyte")), images).unwrap();
        let labels = [words(&[0x801, count]), labels.to_vec()].concat();
        fs::write(folder.join(format!("{part}-labels-idx1-ubyte")), labels).unwrap();
    }
}

/// A photograph for learning and one for judging in a folder for each class.
fn write_photographs(folder: &Path, classes: &[&str]) {
    for (part, class) in
        ["train", "val"].iter().flat_map(|part| classes.iter().map(move |class| (part, class)))
    {
        let place = folder.join(part).join(class);
        fs::create_dir_all(&place).unwrap();
        let file = fs::File::create(place.join("1.png")).unwrap();
        let mut encoder = png::Encoder::new(file, 12, 12);
        encoder.set_color(png::ColorType::Rgb);
        let shade = class.len() as u8;
        let pixels: Vec<u8> = (0..12 * 12 * 3).map(|i| (i as u8).wrapping_mul(shade)).collect();
        encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
    }
}

const TRAIN: &str = "train --network tiny --width 0.25 --time-steps 2 --epochs 1 -o run --data";

#[test]
fn labels_that_no_class_has_are_refused_by_every_verb() {
    let place = made();
    let place = place.path();
    let labels: Vec<u8> = (0..47).collect();
    write_labels(&place.join("data"), 28, &labels, &labels);
    let mut npz = NpzWriter::new(fs::File::create(place.join("x.npz")).unwrap());
    npz.add_array("inputs", &Array4::<u8>::zeros((2, 1, 28, 28))).unwrap();
    npz.add_array("labels", &Array1::from_vec(vec![9i64, 46])).unwrap();
    npz.finish().unwrap();
    let verbs = [
        "compile network --arch 4x4 -o new --data",
        "check build --samples 1 --data",
        "simulate build --samples 1 --input",
    ];
    for verb in verbs {
        let error = fail(place, &[words(verb), vec!["data"]].concat());
        assert!(error.contains("data: has 47 classes, but the network has 10 classes"), "{error}");
        let error = fail(place, &[words(verb), vec!["x.npz"]].concat());
        assert!(
            error.contains("x.npz: label 46 of sample 1 is none of the network, which has 10"),
            "{error}"
        );
    }
    let error = fail(place, &words("evaluate network --data data"));
    assert!(error.contains("has 47 classes, but the network has 10 classes"), "{error}");
}

#[test]
fn names_are_shown_wherever_a_class_is() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    write_photographs(&place.join("data"), &["5", "10", "100"]);
    succeed(place, &words(&format!("{TRAIN} data --side 12")));
    succeed(place, &words("compile run/network --data data --samples 3 --arch 4x4 -o build"));

    let table = succeed(place, &words("simulate build --input data"));
    let labels: Vec<&str> =
        table.lines().skip(2).take(3).map(|l| l.split_whitespace().nth(2).unwrap()).collect();
    assert_eq!(labels, ["5", "10", "100"], "sorted as numbers");
    assert!(
        table
            .lines()
            .skip(2)
            .take(3)
            .all(|l| ["5", "10", "100"].contains(&l.split_whitespace().nth(1).unwrap()))
    );
    let table = succeed(place, &words("evaluate run --data data -o judged"));
    let rows = table.lines().skip_while(|line| !line.starts_with("class ")).skip(2).take(3);
    assert_eq!(rows.map(|l| l.split_whitespace().next().unwrap()).collect::<Vec<_>>(), ["5", "10", "100"]);
    for file in ["run/evaluation.json", "judged/evaluation.json", "build/report.json", "build/quant.json"] {
        let value: serde_json::Value = serde_json::from_slice(&fs::read(place.join(file)).unwrap()).unwrap();
        assert_eq!(value["class_names"], serde_json::json!(["5", "10", "100"]), "{file}");
    }
    let svg = fs::read_to_string(place.join("judged/confusion.svg")).unwrap();
    assert_eq!(svg.matches("\n100\n").count(), 2, "beside its row and above its column: {svg}");
    for folder in ["run", "build"] {
        assert!(succeed(place, &["inspect", folder]).contains("3 classes [5, 10, 100]"));
    }
}

#[test]
fn data_of_other_classes_is_refused_with_both_lists() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    write_photographs(&place.join("data"), &["ant", "bee", "cow"]);
    write_photographs(&place.join("other"), &["ant", "bee", "cat"]);
    succeed(place, &words(&format!("{TRAIN} data --side 12")));
    succeed(place, &words("compile run --data data --samples 3 --integers-only -o build"));
    for verb in [
        "evaluate run --data other",
        "compile run/network --data other --samples 3 --integers-only -o new",
        "check build --data other --samples 1",
        "simulate build --input other",
    ] {
        let error = fail(place, &words(verb));
        let lists = "[ant, bee, cat], not [ant, bee, cow]: class 2 is `cat`, not `cow`";
        assert!(error.contains("other: is of other classes") && error.contains(lists), "{error}");
    }
}

#[test]
fn a_class_without_images_is_named() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    write_labels(&place.join("data"), 12, &[1, 2, 3, 1], &[1, 3, 3]);
    let error = fail(place, &words(&format!("{TRAIN} data")));
    assert!(error.contains("data: has no image of class 0 to learn from"), "{error}");
    assert!(error.ends_with("labels of its idx files start at 1, give --first-label 1"), "{error}");
    let shifted = run(place, &words(&format!("{TRAIN} data --first-label 1")));
    let note = String::from_utf8(shifted.stderr).unwrap();
    assert!(
        shifted.status.success() && note.contains("note: data has no image of class 2 to judge by\n"),
        "{note}"
    );

    let evaluated = run(place, &words("evaluate run --data data --first-label 1"));
    let note = String::from_utf8(evaluated.stderr).unwrap();
    assert!(
        evaluated.status.success() && note.contains("note: data has no image of class 2 in this part\n"),
        "{note}"
    );
    let rows = String::from_utf8(evaluated.stdout).unwrap();
    assert!(rows.lines().any(|line| line.split_whitespace().eq(["2", "0", "-"])), "{rows}");
    let error = fail(place, &words("evaluate run --data data"));
    assert!(
        error.contains("has 4 classes, but the network has 3 classes") && error.contains("--first-label"),
        "{error}"
    );
    let error = fail(place, &words("evaluate run --data glyphs --first-label 1"));
    assert!(error.contains("only in idx files"), "{error}");
}

#[test]
fn too_many_time_steps_are_refused_before_anything_is_read() {
    let place = tempfile::tempdir().unwrap();
    let line = TRAIN.replace("--time-steps 2", "--time-steps 64");
    let error = fail(place.path(), &words(&format!("{line} nothing")));
    assert_eq!(error, "error: --time-steps: is 64, not 1 to 63");
    assert!(files(place.path()).is_empty());
}
