//! Files that someone has broken: reading them gives an error or a valid value, and never a panic.

use crate::networks::{network, program, quant};
use empf_ir::{Network, Program, QuantNetwork};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use tempfile::TempDir;

/// What a leaf of a JSON text is replaced by.
fn strange() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!(0),
        json!(1),
        json!(-1),
        json!(1u64 << 20),
        json!(1u64 << 31),
        json!(1u64 << 40),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1e300),
        json!(0.5),
        json!(""),
        json!("input"),
        json!("add"),
        json!("fc"),
        json!(true),
        json!(null),
        json!([]),
        json!({}),
    ])
}

/// Replaces the `index`-th leaf, in the order of the text.
fn replace(value: &mut Value, index: &mut usize, by: &Value) {
    let leaf = match value {
        Value::Array(items) if !items.is_empty() => {
            items.iter_mut().for_each(|item| replace(item, index, by));
            false
        }
        Value::Object(items) if !items.is_empty() => {
            items.values_mut().for_each(|item| replace(item, index, by));
            false
        }
        _ => true,
    };
    if leaf {
        if *index == 0 {
            *value = by.clone();
        }
        *index = index.wrapping_sub(1);
    }
}

fn leaves(value: &Value) -> usize {
    match value {
        Value::Array(items) if !items.is_empty() => items.iter().map(leaves).sum(),
        Value::Object(items) if !items.is_empty() => items.values().map(leaves).sum(),
        _ => 1,
    }
}

fn break_json(file: &Path, changes: &[(prop::sample::Index, Value)]) {
    let mut json: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    for (index, by) in changes {
        let mut index = index.index(leaves(&json));
        replace(&mut json, &mut index, by);
    }
    fs::write(file, json.to_string()).unwrap();
}

fn break_bytes(file: &Path, at: prop::sample::Index, by: u8, cut: bool) {
    let mut bytes = fs::read(file).unwrap();
    let at = at.index(bytes.len());
    bytes[at] = by;
    if cut {
        bytes.truncate(at);
    }
    fs::write(file, bytes).unwrap();
}

/// A network, an integer network and a program.
static SAVED: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    network().save(folder.path()).unwrap();
    quant().save(folder.path()).unwrap();
    program().save(folder.path()).unwrap();
    folder
});

/// Loads what [`SAVED`] holds after `change` to the file called `name`.
fn load_changed(name: &str, change: impl Fn(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(SAVED.path()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    change(&folder.path().join(name));
    let results = [
        Network::load(folder.path()).map(|_| ()),
        QuantNetwork::load(folder.path()).map(|_| ()),
        Program::load(folder.path()).map(|_| ()),
    ];
    let failures = results.into_iter().filter_map(Result::err);
    failures.for_each(|error| assert!(!error.to_string().is_empty()));
}

#[test]
fn what_is_whole_is_read() {
    assert_eq!(Network::load(SAVED.path()).unwrap(), network());
    assert_eq!(QuantNetwork::load(SAVED.path()).unwrap(), quant());
    assert_eq!(Program::load(SAVED.path()).unwrap(), program());
}

/// Words that are words and yet not those that were written.
#[test]
fn changed_rom_images_are_named() {
    for (name, from, to) in [
        ("weights.mem", "1\n", "3\n"),
        ("parameters.mem", "0003\n", "0007\n"),
        ("schedule.mem", "2\n", "3\n"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        program().save(folder.path()).unwrap();
        let file = folder.path().join(name);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(&file, text.replacen(from, to, 1)).unwrap();
        let error = Program::load(folder.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("{name}: its CRC-32C is ")), "{error}");
        assert!(error.contains("compile again"), "{error}");
    }
}

/// The schedule is also held to the steps of program.json.
#[test]
fn a_schedule_of_other_steps_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    program().save(folder.path()).unwrap();
    let file = folder.path().join("program.json");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("\"build_id\": 7", "\"build_id\": 8", 1)).unwrap();
    let error = Program::load(folder.path()).unwrap_err().to_string();
    assert!(error.contains("schedule.mem: is not the schedule of program.json"), "{error}");
}

proptest! {
    #[test]
    fn broken_json_is_an_error(
        file in prop::sample::select(vec!["network.json", "quant.json", "program.json"]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), strange()), 1..4),
    ) {
        load_changed(file, |file| break_json(file, &changes));
    }

    #[test]
    fn broken_bytes_are_an_error(
        file in prop::sample::select(vec!["weights.safetensors", "quant.safetensors", "weights.mem", "schedule.mem"]),
        at in any::<prop::sample::Index>(),
        by in any::<u8>(),
        cut in any::<bool>(),
    ) {
        load_changed(file, |file| break_bytes(file, at, by, cut));
    }
}
