//! Inputs and outputs of single engines.

use crate::command::{fail, files, made, run, succeed, words};
use ndarray::{Array1, Array2, Array4, Array5, Axis, s};
use ndarray_npy::{NpzReader, NpzWriter, WriteNpyExt};
use std::fs::{self, File};
use std::path::Path;

/// Images as the glyphs' shape is.
fn images() -> Array4<u8> {
    Array4::from_shape_fn((3, 1, 28, 28), |(n, _, y, x)| (71 * n + 13 * y * x) as u8)
}

#[test]
fn engines_write_the_same_for_numpy() {
    let place = made();
    let place = place.path();
    images().write_npy(File::create(place.join("x.npy")).unwrap()).unwrap();
    let output = |engine: &str| {
        let file = format!("{engine}.npz");
        let line = format!("simulate build --input x.npy --engine {engine} --output {file}");
        succeed(place, &words(&line));
        NpzReader::new(File::open(place.join(file)).unwrap()).unwrap()
    };
    let (mut golden, mut verilator) = (output("golden"), output("verilator"));
    for name in ["tensors/neuron1", "tensors/pool1", "tensors/gap1"] {
        let expected: Array5<i32> = golden.by_name(name).unwrap();
        let got: Array5<i32> = verilator.by_name(name).unwrap();
        assert!(expected.dim().0 == 3 && expected == got, "{name}");
    }
    let [expected, got]: [Array2<i32>; 2] =
        [golden.by_name("logits"), verilator.by_name("logits")].map(Result::unwrap);
    assert_eq!(expected, got);
    let cycles: Array1<u64> = verilator.by_name("cycles").unwrap();
    assert!(cycles.iter().all(|count| *count > 0 && *count == cycles[0]));
    let inputs: Array5<u8> = golden.by_name("inputs").unwrap();
    assert_eq!(inputs.remove_axis(Axis(1)), images());
    let names = golden.names().unwrap();
    assert!(!names.contains(&"labels".into()), "nobody knows them");
    assert!(!names.contains(&"cycles".into()) && names.contains(&"tensors/conv1".into()), "{names:?}");
}

#[test]
fn classes_labels_and_accuracy_are_printed() {
    let place = made();
    let place = place.path();
    let classes = |text: &str| -> Vec<i64> {
        let rows = text
            .lines()
            .skip_while(|line| !line.starts_with("sample"))
            .skip(2)
            .take(3)
            .map(|row| row.split_whitespace().nth(1).unwrap().to_owned());
        rows.map(|class| class.parse().unwrap()).collect()
    };
    images().write_npy(File::create(place.join("x.npy")).unwrap()).unwrap();
    let answers = classes(&succeed(place, &words("simulate build --input x.npy --engine trainer")));
    let mut npz = NpzWriter::new(File::create(place.join("x.npz")).unwrap());
    npz.add_array("inputs", &images()).unwrap();
    npz.add_array("labels", &Array1::from_vec(vec![answers[0], answers[1], answers[2] + 1])).unwrap();
    npz.finish().unwrap();
    let text = succeed(place, &words("simulate build --input x.npz --engine interpreter --output out.npz"));
    assert_eq!(classes(&text), answers);
    assert_eq!(succeed(place, &words("simulate build --input out.npz")), text, "inputs and labels are kept");
    assert!(text.contains("accuracy 66.67 % (2 of 3)") && text.contains("cycles for 3 samples"), "{text}");
    let line = "simulate build --input x.npz --engine verilator --stalls 7 --power-up-seed 5";
    let text = succeed(place, &words(line));
    assert!(
        text.starts_with("registers and memories start at random values of --power-up-seed 5\n"),
        "{text}"
    );
    assert_eq!(classes(&text), answers);
    assert!(!text.contains("cycles for"), "{text}");
}

#[test]
fn waves_appear_whole() {
    let place = made();
    let line = "simulate build --input glyphs --samples 1 --engine verilator --trace waves.fst";
    let before = files(place.path()).len();
    succeed(place.path(), &words(line));
    assert!(place.path().join("waves.fst").metadata().unwrap().len() > 1000);
    assert_eq!(files(place.path()).len(), before + 1);
}

#[test]
fn waves_show_a_window() {
    let place = made();
    let place = place.path();
    let line = "simulate build --input glyphs --samples 1 --engine verilator --trace";
    let size = |file: &str, window: &str| {
        succeed(place, &words(&format!("{line} {file}{window}")));
        place.join(file).metadata().unwrap().len()
    };
    let (whole, part) = (size("whole.fst", ""), size("part.fst", " --from 5000 --cycles 200"));
    assert!(10 * part < whole, "{part} of {whole} bytes");
    // The header gives the times of the first and last change, in half cycles and behind the model's start.
    let header = fs::read(place.join("part.fst")).unwrap();
    let time = |at: usize| u64::from_be_bytes(header[at..at + 8].try_into().unwrap());
    assert_eq!([time(9), time(17)], [10_001, 10_400]);
    let error = fail(place, &words(&format!("{line} late.fst --from 99999999")));
    let last: u64 = error.split("--from: the run has only the cycles 0 to ").nth(1).unwrap().parse().unwrap();
    assert!((5200..99_999_999).contains(&last), "{error}");
    let output = run(place, &words("simulate build --input glyphs --from 5"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--trace"), "a window of nothing");
}

#[test]
fn inputs_that_do_not_fit_are_refused() {
    let place = made();
    let place = place.path();
    let refused = |file: &str| fail(place, &["simulate", "build", "--input", file, "--output", "out.npz"]);
    let write = |name: &str, array: &dyn Fn(File)| array(File::create(place.join(name)).unwrap());
    write("float.npy", &|file| images().mapv(f32::from).write_npy(file).unwrap());
    assert!(refused("float.npy").contains("type `<f4`"));
    write("small.npy", &|file| images().slice(s![.., .., 1.., ..]).write_npy(file).unwrap());
    assert!(refused("small.npy").contains("[3, 1, 27, 28], the network takes [N, 1, 28, 28]"));
    write("cut.npy", &|file| images().write_npy(file).unwrap());
    let file = File::options().write(true).open(place.join("cut.npy")).unwrap();
    file.set_len(1000).unwrap();
    assert!(refused("cut.npy").contains("bytes of data"));
    assert!(refused("none.npy").contains("cannot read none.npy"));
    write("shares.npy", &|file| images().mapv(|code| f32::from(code) / 255.0).write_npy(file).unwrap());
    assert!(refused("shares.npy").ends_with(": (x * 255).round().astype('uint8')"));
    let line = "simulate build --input glyphs --samples 1001";
    assert!(fail(place, &words(line)).contains("--samples: 1001 samples are asked for, there are 1000"));
    let line = "simulate build --input glyphs --engine golden --trace x.fst";
    assert!(fail(place, &words(line)).contains("--trace: needs --engine verilator"));
    let line = "simulate build --input glyphs --samples 1 --output none/out.npz";
    assert!(fail(place, &words(line)).contains("none: is no folder; create it first"));
    let output = Path::new("/proc/out.npz");
    let line =
        ["simulate", "build", "--input", "glyphs", "--samples", "1", "--output", output.to_str().unwrap()];
    assert!(fail(place, &line).contains("cannot write /proc/out.npz"));
}
