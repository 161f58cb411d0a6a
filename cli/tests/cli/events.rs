//! Recordings of events, from training to the comparison of all engines.

use crate::command::{fail, succeed, words};
use std::fs;
use std::path::Path;

/// Generated recordings of N-MNIST's layout, two classes: a point that runs right, and one that runs down.
fn write_recordings(folder: &Path) {
    for (part, count) in [("Train", 6u8), ("Test", 2)] {
        for class in [0, 1] {
            let place = folder.join(part).join(class.to_string());
            fs::create_dir_all(&place).unwrap();
            for file in 0..count {
                let event = |i: u8| {
                    let (along, across) = (i % 34, 5 + 4 * file + i % 3);
                    let (x, y) = if class == 0 { (along, across) } else { (across, along) };
                    [x, y, 0x80 * (i % 2), i, file]
                };
                let bytes: Vec<u8> = (0..200).flat_map(event).collect();
                fs::write(place.join(format!("{file}.bin")), bytes).unwrap();
            }
        }
    }
}

#[test]
fn events_go_the_whole_way() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    write_recordings(&place.join("data"));
    let train = "train --data data --events time --side 12 --time-steps 3 --network tiny --width 0.25 --epochs 2 \
                 --batch 4 --event-augment --flip=false -o run";
    succeed(place, &words(train));
    let network = succeed(place, &words("inspect run/network"));
    assert!(network.contains("2x12x12") && network.contains("3 frames"), "{network}");
    succeed(place, &words("compile run/network --data data --events time --samples 8 --arch 4x4 -o build"));
    let text = succeed(place, &words("check build --data data --events time --samples 4"));
    assert!(text.contains("\n0 mismatches in "), "{text}");
    let text = succeed(place, &words("simulate build --input data --engine golden"));
    assert!(text.contains(" of 4)"), "{text}");
    let error = fail(place, &words("simulate build --input glyphs --engine golden"));
    assert!(error.contains("images of 1x28x28, the network takes 3 frames of 2x12x12"), "{error}");
}

#[test]
fn the_paper_s_network_takes_frames_of_48_by_48() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    write_recordings(&place.join("data"));
    let train = "train --data data --network vgg-snn --time-steps 2 --width 0.02 --epochs 1 --batch 6 -o run";
    succeed(place, &words(train));
    let network = succeed(place, &words("inspect run/network"));
    assert!(network.contains("2x48x48"), "{network}");
}
