//! What is refused when a network is read, and with which words.

use crate::networks::{network, quant};
use empf_ir::{Codes, INPUT, Network, NeuronVersion, Node, Op, QuantNetwork, Tensor};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

/// What reading `network.json` says after `change`.
fn of_network(change: impl FnOnce(&mut Value)) -> String {
    let folder = tempfile::tempdir().unwrap();
    network().save(folder.path()).unwrap();
    edit(&folder.path().join("network.json"), change);
    Network::load(folder.path()).unwrap_err().to_string()
}

/// What reading `quant.json` says after `change`.
fn of_quant(change: impl FnOnce(&mut Value)) -> String {
    let folder = tempfile::tempdir().unwrap();
    quant().save(folder.path()).unwrap();
    edit(&folder.path().join("quant.json"), change);
    QuantNetwork::load(folder.path()).unwrap_err().to_string()
}

fn edit(file: &Path, change: impl FnOnce(&mut Value)) {
    let mut json = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    change(&mut json);
    fs::write(file, json.to_string()).unwrap();
}

fn node<'a>(json: &'a mut Value, name: &str) -> &'a mut Value {
    json["nodes"].as_array_mut().unwrap().iter_mut().find(|node| node["name"] == name).unwrap()
}

#[track_caller]
fn contains(text: &str, parts: &[&str]) {
    assert!(parts.iter().all(|part| text.contains(part)), "{text}");
}

#[test]
fn unknown_keys_are_named_with_their_node() {
    for (name, key, own) in [
        ("conv", "dilation", "`conv` has only `out_channels`, `kernel`, `stride`, `padding`, `weights`"),
        ("neuron", "reset", "`neuron` has only `version`, `eps`"),
        ("gap", "kernel", "`global_avg_pool` has no keys of its own"),
    ] {
        let text = of_network(|json| node(json, name)[key] = 1.into());
        contains(&text, &[&format!("node `{name}`: the key `{key}` is not known; {own}"), "docs/format.md"]);
    }
    let text = of_quant(|json| node(json, "sum")["shift"] = 1.into());
    contains(&text, &["node `sum`: the key `shift` is not known; `add` has no keys of its own"]);
    contains(&of_network(|json| json["groups"] = 1.into()), &["unknown field `groups`"]);
    contains(&of_network(|json| json["input"]["mean"] = 1.into()), &["unknown field `mean`"]);
}

#[test]
fn json_of_other_types_is_said_in_plain_words() {
    let height = of_network(|json| json["input"]["height"] = "8".into());
    contains(&height, &["network.json: invalid type: string \"8\", expected a whole number at line 1"]);
    let zero = of_network(|json| json["input"]["zero_point"] = 300.into());
    contains(&zero, &["input zero_point is 300, not a number of 0..=255"]);
    let scale = of_network(|json| json["input"]["scale"] = true.into());
    contains(&scale, &["network.json: `scale` is not a number, or a list of one for each channel"]);
    let zero = of_network(|json| json["input"]["zero_point"] = Value::Null);
    contains(&zero, &["network.json: `zero_point` is not a number, or a list of one for each channel"]);
    let names = of_network(|json| json["class_names"] = json!([]));
    contains(&names, &["network.json: `class_names` is empty; leave it out where the names are not known"]);
    contains(&of_network(|json| json["nodes"] = json!({})), &["invalid type: object, expected a list"]);
    contains(&of_network(|json| json["nodes"][1] = json!([])), &["invalid type: list, expected an object"]);
}

/// Of tensors of another type, the first by name is always the one that is named; unknown types are said as such.
#[test]
fn other_types_of_tensors_are_named() {
    let said = |dtype: &str, bytes| {
        let folder = tempfile::tempdir().unwrap();
        network().save(folder.path()).unwrap();
        write_tensors(&folder.path().join("weights.safetensors"), dtype, bytes);
        Network::load(folder.path()).unwrap_err().to_string()
    };
    contains(&said("BF16", 2), &["weights.safetensors, tensor `a`: is BF16; convert it to F32"]);
    contains(&said("F24", 3), &["weights.safetensors: in the header of safetensors: unknown variant `F24`"]);
}

/// Writes the tensors `b` and `a`, of an element of `bytes` bytes.
fn write_tensors(file: &Path, dtype: &str, bytes: usize) {
    let entry = |at: usize| json!({ "dtype": dtype, "shape": [1], "data_offsets": [at, at + bytes] });
    let header = json!({ "b": entry(0), "a": entry(bytes) }).to_string();
    let mut all = (header.len() as u64).to_le_bytes().to_vec();
    all.extend(header.as_bytes());
    all.resize(all.len() + 2 * bytes, 0);
    fs::write(file, all).unwrap();
}

#[test]
fn wrong_values_are_named_with_node_and_key() {
    type Wrong = (&'static str, &'static str, Value, &'static str);
    let of_networks: [Wrong; 9] = [
        ("conv", "kernel", json!("3"), "`kernel` is \"3\", not a whole number"),
        ("conv", "stride", json!(1.5), "`stride` is 1.5, not a whole number"),
        ("conv", "padding", json!(-1), "`padding` is -1, not a whole number"),
        ("conv", "weights", json!("ternary"), "unknown variant `ternary`, expected `float` or `sign`"),
        ("neuron", "version", json!(1), "unknown variant `1`, expected one of `I`, `II`, `III`"),
        ("neuron", "eps", json!([]), "`eps` is [], not a number"),
        ("bn", "eps", json!(null), "`eps` is null, not a number"),
        ("bn", "inputs", json!("conv"), "`inputs` is \"conv\", not a list of texts"),
        ("fc", "op", json!("softmax"), "`op` is `softmax`, none of add, avg_pool, batch_norm, conv"),
    ];
    for (name, key, value, said) in of_networks {
        let text = of_network(|json| node(json, name)[key] = value);
        contains(&text, &[&format!("node `{name}`: "), said]);
    }
    let of_quants: [Wrong; 5] = [
        ("conv", "zero_point", json!(256), "`zero_point` is 256, not a whole number of 0..=255"),
        ("conv", "shift", json!(32), "shift is 32, not 0..=31"),
        ("neuron", "parallel", json!(0), "`parallel` is 0, not true or false"),
        ("pool", "kernel", json!(2), "`kernel` is 2, not two whole numbers"),
        ("fc", "op", json!("batch_norm"), "`op` is `batch_norm`, none of add, avg_pool, conv"),
    ];
    for (name, key, value, said) in of_quants {
        let text = of_quant(|json| node(json, name)[key] = value);
        contains(&text, &[&format!("node `{name}`: "), said]);
    }
    let missing = |json: &mut Value| {
        node(json, "pool").as_object_mut().unwrap().remove("stride");
    };
    contains(&of_network(missing), &["node `pool`: `stride` is missing"]);
    contains(&of_network(|json| node(json, "pool")["name"] = 7.into()), &["a node: `name` is 7, not a text"]);
    let long = "x".repeat(100_000);
    let text = of_network(|json| node(json, "pool")["kernel"] = long.into());
    assert!(text.len() < 300, "{}", text.len());
}

#[test]
fn a_key_given_twice_is_named() {
    let folder = tempfile::tempdir().unwrap();
    network().save(folder.path()).unwrap();
    let file = folder.path().join("network.json");
    let text = fs::read_to_string(&file).unwrap();
    let twice = text.replacen("\"kernel\": 3,", "\"kernel\": 3, \"kernel\": 1,", 1);
    assert_ne!(text, twice);
    fs::write(&file, twice).unwrap();
    contains(&Network::load(folder.path()).unwrap_err().to_string(), &["the key `kernel` is given twice"]);
}

#[test]
fn a_byte_order_mark_is_named() {
    let folder = tempfile::tempdir().unwrap();
    network().save(folder.path()).unwrap();
    let file = folder.path().join("network.json");
    let text = [b"\xef\xbb\xbf".to_vec(), fs::read(&file).unwrap()].concat();
    fs::write(&file, text).unwrap();
    let text = Network::load(folder.path()).unwrap_err().to_string();
    contains(&text, &["network.json: starts with a byte order mark (BOM); save it as UTF-8 without one"]);
}

fn refused(change: impl FnOnce(&mut Network)) -> String {
    let mut network = network();
    change(&mut network);
    let text = network.validate().unwrap_err().to_string();
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(network.save(folder.path()).unwrap_err().to_string(), text, "what is not read is not written");
    text
}

#[test]
fn unknown_tensors_are_named() {
    let text = refused(|n| n.set_tensor("conv", "bias", vec![3], vec![0.0; 3]));
    assert_eq!(text, "tensor `conv.bias`: is not known; `conv` has only `conv.weight`");
    let text = refused(|n| n.set_tensor("conv9", "weight", vec![1], vec![0.0]));
    assert_eq!(text, "tensor `conv9.weight`: no node called `conv9` has tensors");
    let text = refused(|n| n.tensors.insert("stray".into(), Tensor::f32(vec![], vec![0.0])));
    assert_eq!(text, "tensor `stray`: no node called `stray` has tensors");
    let mut quant = quant();
    quant.set_tensor("sum", "mantissa", vec![1], vec![1]);
    let text = quant.validate().unwrap_err().to_string();
    assert_eq!(text, "tensor `sum.mantissa`: no node called `sum` has tensors");
}

#[test]
fn tensors_of_another_type_are_named() {
    let folder = tempfile::tempdir().unwrap();
    network().save(folder.path()).unwrap();
    let file = folder.path().join("weights.safetensors");
    let mut bytes = fs::read(&file).unwrap();
    for dtype in ["F16", "I32", "F64"] {
        let name = "bn.bias";
        let (width, count) = if dtype == "F16" { (2, 3) } else { (if dtype == "F64" { 8 } else { 4 }, 3) };
        let header =
            json!({ name: { "dtype": dtype, "shape": [count], "data_offsets": [0, width * count] } });
        let header = header.to_string();
        bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.into_bytes());
        bytes.extend(vec![0; width * count]);
        fs::write(&file, &bytes).unwrap();
        let text = Network::load(folder.path()).unwrap_err().to_string();
        contains(
            &text,
            &["weights.safetensors, tensor `bn.bias`: ", &format!("is {dtype}; convert it to F32")],
        );
    }
    fs::write(&file, &bytes[..20]).unwrap();
    contains(&Network::load(folder.path()).unwrap_err().to_string(), &["not a whole safetensors file"]);
}

fn eps_of<'n>(network: &'n mut Network, name: &str) -> &'n mut f32 {
    match &mut network.nodes.iter_mut().find(|node| node.name == name).unwrap().op {
        Op::BatchNorm { eps } | Op::Neuron { eps, .. } => eps,
        op => panic!("{op:?}"),
    }
}

#[test]
fn normalisations_divide_by_something() {
    for (name, columns) in [("bn", 3), ("neuron", 3)] {
        for eps in [-2.0, -1e-9, f32::NAN, f32::INFINITY] {
            let text = refused(|n| *eps_of(n, name) = eps);
            assert_eq!(text, format!("node `{name}`: eps is {eps}, not a number of at least 0"));
        }
        let with = |var: f32| {
            move |n: &mut Network| {
                *eps_of(n, name) = 0.0;
                let mut values = vec![0.5; 2 * columns];
                values[columns + 1] = var;
                n.set_tensor(name, "var", vec![2, columns], values);
            }
        };
        let text = refused(with(0.0));
        assert_eq!(
            text,
            format!("node `{name}`: element 4 of `var` and eps are both 0; give an eps above 0")
        );
        assert_eq!(refused(with(-0.25)), format!("node `{name}`: element 4 of `var` is -0.25, below 0"));
        let mut good = network();
        with(f32::MIN_POSITIVE)(&mut good);
        good.validate().unwrap();
        *eps_of(&mut good, name) = f32::MIN_POSITIVE;
        good.set_tensor(name, "var", vec![2, columns], vec![0.0; 2 * columns]);
        good.validate().unwrap();
    }
    // Version I has no variance, whatever its eps.
    let mut network = network();
    let neuron = network.nodes.iter_mut().find(|node| node.name == "neuron").unwrap();
    neuron.op = Op::Neuron { version: NeuronVersion::III, eps: 0.0 };
    network.tensors.0.retain(|name, _| !name.starts_with("neuron.") || name == "neuron.theta");
    network.validate().unwrap();
}

#[test]
fn thresholds_of_lif_are_above_0() {
    let text = refused(|n| n.nodes[2].op = Op::Lif { leak: 0.5, threshold: 0.0 });
    assert_eq!(text, "node `neuron`: threshold is 0, not a number above 0");
    let text = refused(|n| n.nodes[2].op = Op::Lif { leak: f32::INFINITY, threshold: 1.0 });
    assert_eq!(text, "node `neuron`: leak is inf, not a finite number");
}

#[test]
fn codes_are_complete() {
    let scales = || [("neuron", 0.5), ("pool", 0.125), ("gap", 0.25)].map(|(n, s)| (n.to_owned(), s));
    let mut whole = network();
    whole.codes = Some(Codes { bits: 4, scales: scales().into() });
    whole.validate().unwrap();
    for missing in ["neuron", "pool", "gap"] {
        let scales = scales().into_iter().filter(|(name, _)| name != missing).collect();
        let text = refused(|n| n.codes = Some(Codes { bits: 4, scales }));
        contains(&text, &[&format!("codes of `{missing}`: `scales` has no entry; it needs one")]);
    }
    let with = |name: &str, scale: f64| {
        let scales = scales().into_iter().chain([(name.to_owned(), scale)]).collect();
        refused(|n| n.codes = Some(Codes { bits: 4, scales }))
    };
    assert_eq!(with("conv", 0.5), "codes of `conv`: is no neuron and no average pooling");
    assert_eq!(
        with("neuron", 0.3),
        "codes of `neuron`: scale 0.3 is no power of two, as that of a neuron is"
    );
    assert_eq!(with("pool", 0.0), "codes of `pool`: scale 0 is not a positive number");
    let text = refused(|n| n.codes = Some(Codes { bits: 9, scales: scales().into() }));
    contains(&text, &["codes: have 9 bits"]);
}

#[test]
fn scales_belong_to_nodes() {
    for (name, scale, said) in [
        ("nobody", 1.0, "`scales` of `nobody`: no node has this name"),
        ("neuron", 0.0, "`scales` of `neuron`: is not a number above 0"),
        ("input", f64::INFINITY, "`scales` of `input`: is not a number above 0"),
    ] {
        let mut quant = quant();
        quant.scales.insert(name.into(), scale);
        assert_eq!(quant.validate().unwrap_err().to_string(), said);
    }
}

#[test]
fn kinds_are_named_as_the_user_wrote_them() {
    let reading = |name: &str, reads: &str| {
        refused(|n| n.nodes.iter_mut().find(|n| n.name == name).unwrap().inputs = vec![reads.into()])
    };
    let mut network = network();
    network.nodes.iter_mut().find(|n| n.name == "pool").unwrap().inputs = vec!["bn".into()];
    network.shapes().expect("in float, a mean of currents is one");
    assert_eq!(
        network.check_integers().unwrap_err().to_string(),
        "node `pool`: reads `bn`, which gives currents, but integers of `avg_pool` are those of spikes (or means \
         or maxima of them); put a neuron between them"
    );
    assert_eq!(
        reading("neuron", INPUT),
        "node `neuron`: reads `input`, which is the input, but `neuron` takes currents; put a convolution \
         between them"
    );
    assert_eq!(
        reading("pool", INPUT),
        "node `pool`: reads `input`, which is the input, but `avg_pool` takes spikes (or means or maxima of \
         them) or currents; pool the data, or what a neuron makes of it"
    );
    let text = refused(|n| {
        n.nodes.push(Node {
            name: "again".into(),
            inputs: vec!["fc".into()],
            op: Op::Linear { out_features: 2 },
        });
    });
    assert_eq!(
        text,
        "node `again`: reads `fc`, which gives logits, but `linear` takes the input or spikes (or means or \
         maxima of them) or currents; logits are the end of a network"
    );
}

#[test]
fn a_network_ends_with_logits() {
    let text = refused(|n| {
        n.nodes.pop();
        n.tensors.0.retain(|name, _| !name.starts_with("fc."));
    });
    assert_eq!(
        text,
        "node `gap`: is the last node and gives spikes (or means or maxima of them); a network ends with `linear`"
    );
    let text = refused(|n| {
        n.nodes.push(Node {
            name: "more".into(),
            inputs: vec!["gap".into()],
            op: Op::Linear { out_features: 2 },
        });
    });
    assert_eq!(text, "node `fc`: gives logits, but is not the last node");
    assert_eq!(refused(|n| n.classes = 3), "node `fc`: gives 2 logits, the network has 3 classes");
    assert_eq!(refused(|n| n.nodes.clear()), "network: it has no nodes");
}

#[test]
fn names_that_programs_make_are_not_those_of_people() {
    let named = |name: &str| refused(|n| n.nodes[3].name = name.into());
    for name in ["", "a b", "neuron@add", "@", "é"] {
        let text = named(name);
        contains(&text, &[&format!("node `{name}`: a name is made of letters, digits, `_`, `-` and `/`")]);
    }
    for name in ["input", "input@conv"] {
        contains(&named(name), &["`input` is the name of what enters the network; choose another"]);
    }
    let mut quant = quant();
    let rename = |quant: &mut QuantNetwork, to: &str| {
        quant.nodes[4].name = to.into();
        quant.nodes[5].inputs = vec![to.into(); 2];
        quant.set_tensor(to, "mantissa", vec![2, 3], vec![1; 6]);
    };
    quant.tensors.0.remove("scale.mantissa");
    rename(&mut quant, "most@sum");
    quant.validate().unwrap();
    for name in ["input@sum", "most@", "@sum", "a@b@c"] {
        rename(&mut quant, name);
        quant.validate().unwrap_err();
    }
}
