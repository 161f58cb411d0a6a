//! Files that someone has broken, read and compiled: that gives an error or a program, and never a panic.

use crate::front_half::{images, network, residual};
use crate::networks::{self, Random};
use empf_compiler::{compile, lower};
use empf_ir::{ArchConfig, Network, NeuronVersion, QuantNetwork};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// What is done to a folder.
#[derive(Clone, Debug)]
enum Damage {
    /// A value of the JSON text becomes another; sizes stay small, so that nothing is computed for long.
    Value(Index, Value),
    /// A key of the JSON text is removed.
    Key(Index),
    /// A byte of the tensors becomes another.
    Byte(Index, u8),
    /// A tensor is removed.
    Tensor(Index),
    /// A value of a tensor becomes another.
    Number(Index, Index, f32),
}

fn damage() -> impl Strategy<Value = Damage> {
    let any_index = any::<Index>;
    let value = select(vec![
        json!(0),
        json!(1),
        json!(2),
        json!(3),
        json!(7),
        json!(-1),
        json!(0.5),
        json!(-1e300),
        json!(""),
        json!("input"),
        json!("add"),
        json!("neuron1"),
        json!("conv2"),
        json!("I"),
        json!("III"),
        json!("max_pool"),
        json!("linear"),
        json!(true),
        json!(null),
        json!([]),
        json!({}),
        json!(["pool", "pool"]),
    ]);
    let number = select(vec![0.0, -0.0, 1e-45, -1e-30, 8.0, -8.0, 255.0, 1e9, -1e20, 3e38, -3e38, f32::NAN]);
    prop_oneof![
        (any_index(), value).prop_map(|(at, value)| Damage::Value(at, value)),
        any_index().prop_map(Damage::Key),
        (any_index(), any::<u8>()).prop_map(|(at, byte)| Damage::Byte(at, byte)),
        any_index().prop_map(Damage::Tensor),
        (any_index(), any_index(), number).prop_map(|(of, at, number)| Damage::Number(of, at, number)),
    ]
}

/// JSON pointers to everything in `value`.
fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
    all.push(at.to_owned());
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, item)| pointers(item, &format!("{at}/{i}"), all));
        }
        Value::Object(items) => {
            items.iter().for_each(|(key, item)| pointers(item, &format!("{at}/{key}"), all));
        }
        _ => {}
    }
}

fn edit(file: &Path, change: impl FnOnce(&mut Value, Vec<String>)) {
    let mut json: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let mut all = vec![];
    pointers(&json, "", &mut all);
    change(&mut json, all);
    fs::write(file, json.to_string()).unwrap();
}

/// Does `damage` to the files of a folder.
fn break_files(header: &Path, tensors: &Path, damage: &Damage) {
    match damage {
        Damage::Value(at, value) => edit(header, |json, all| {
            let pointer: &String = at.get(&all);
            *json.pointer_mut(pointer).unwrap() = value.clone();
        }),
        Damage::Key(at) => edit(header, |json, all| {
            let pointer: &String = at.get(&all);
            let (of, key) = pointer.rsplit_once('/').unwrap_or(("", ""));
            if let Some(Value::Object(items)) = json.pointer_mut(of) {
                items.remove(key);
            }
        }),
        Damage::Byte(at, byte) => {
            let mut bytes = fs::read(tensors).unwrap();
            let at = at.index(bytes.len());
            bytes[at] = *byte;
            fs::write(tensors, bytes).unwrap();
        }
        // Those are done before the folder is written.
        Damage::Tensor(_) | Damage::Number(..) => {}
    }
}

/// Does `damage` to a network.
fn break_tensors(network: &mut Network, damage: &Damage) {
    let names: Vec<String> = network.tensors.0.keys().cloned().collect();
    match damage {
        Damage::Tensor(at) => {
            let name: &String = at.get(&names);
            network.tensors.0.remove(name);
        }
        Damage::Number(of, at, number) => {
            let name: &String = of.get(&names);
            let (node, name) = name.split_once('.').unwrap();
            let (shape, values) = network.tensor(node, name).unwrap();
            let (shape, mut values) = (shape.to_vec(), values.to_vec());
            let at = at.index(values.len());
            values[at] = *number;
            network.set_tensor(node, name, shape, values);
        }
        Damage::Value(..) | Damage::Key(_) | Damage::Byte(..) => {}
    }
}

fn check_network(mut network: Network, damage: &[Damage], arch: &ArchConfig) {
    let folder = tempfile::tempdir().unwrap();
    network.save(folder.path()).unwrap();
    damage.iter().for_each(|damage| break_tensors(&mut network, damage));
    network.tensors.save(&folder.path().join("weights.safetensors")).unwrap();
    let [header, tensors] = ["network.json", "weights.safetensors"].map(|name| folder.path().join(name));
    damage.iter().for_each(|damage| break_files(&header, &tensors, damage));
    let text = match Network::load(folder.path()) {
        Err(error) => error.to_string(),
        Ok(network) => match compile(&network, images(&network, 2, 1).view(), arch) {
            Err(error) => error.to_string(),
            Ok(_) => return,
        },
    };
    assert!(!text.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn broken_networks(
        seed in 0u64..4,
        damage in prop::collection::vec(damage(), 1..4),
        membrane_bits in select(vec![12, 16, 24]),
        is_residual in any::<bool>(),
    ) {
        let versions = [NeuronVersion::I, NeuronVersion::II, NeuronVersion::III, NeuronVersion::I];
        let network = if is_residual { residual(seed) } else { network(seed, versions[seed as usize]) };
        let arch = ArchConfig { membrane_bits, ..ArchConfig::sized(4, 4, 4) };
        check_network(network, &damage, &arch);
    }

    #[test]
    fn broken_integer_networks(seed in 0u64..16, damage in prop::collection::vec(damage(), 1..4)) {
        let mut r = Random::new(seed);
        let arch = networks::arch(&mut r);
        let folder = tempfile::tempdir().unwrap();
        networks::network(&mut r, &arch).save(folder.path()).unwrap();
        let [header, tensors] = ["quant.json", "quant.safetensors"].map(|name| folder.path().join(name));
        damage.iter().for_each(|damage| break_files(&header, &tensors, damage));
        let _ = QuantNetwork::load(folder.path()).map(|network| lower(&network, &arch).is_ok());
    }
}
