//! Files of older versions.

use crate::networks::{network, quant};
use empf_ir::{Border, Network, PerChannel, QuantNetwork, QuantOp};
use serde_json::{Value, json};
use std::path::Path;

/// Makes a file one of version 1, after `change`.
fn age(file: &Path, change: impl FnOnce(&mut Value)) {
    let mut json: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    json["version"] = json!(1);
    change(&mut json);
    std::fs::write(file, json.to_string()).unwrap();
}

#[test]
fn networks_of_version_1_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut expected = network();
    expected.input.zero_point = 128.0.into();
    expected.save(folder.path()).unwrap();
    age(&folder.path().join("network.json"), |json| json["input"]["zero_point"] = json!(128));
    assert_eq!(Network::load(folder.path()).unwrap(), expected);

    let mut expected = quant();
    for node in &mut expected.nodes {
        if let QuantOp::Conv { zero_point, .. } = &mut node.op {
            *zero_point = 7.into();
        }
    }
    expected.save(folder.path()).unwrap();
    age(&folder.path().join("quant.json"), |json| assert_eq!(json["nodes"][0]["zero_point"], json!(7)));
    assert_eq!(QuantNetwork::load(folder.path()).unwrap(), expected);
}

#[test]
fn version_1_has_no_lists() {
    let folder = tempfile::tempdir().unwrap();
    let float = network();
    float.save(folder.path()).unwrap();
    for key in ["zero_point", "scale"] {
        let list: Vec<f32> = (0..float.input.channels).map(|channel| 1.5 + channel as f32).collect();
        age(&folder.path().join("network.json"), |json| json["input"][key] = json!(list));
        let error = Network::load(folder.path()).unwrap_err().to_string();
        assert!(
            error
                .ends_with(&format!("network.json: input: `{key}` is a list, which version 1 does not have"))
        );
        age(&folder.path().join("network.json"), |json| json["input"][key] = json!(1.5));
        Network::load(folder.path()).unwrap();
    }
    let integer = quant();
    integer.save(folder.path()).unwrap();
    let codes: Vec<usize> = (0..integer.input.channels).collect();
    age(&folder.path().join("quant.json"), |json| json["nodes"][0]["zero_point"] = json!(codes));
    let error = QuantNetwork::load(folder.path()).unwrap_err().to_string();
    assert!(error.ends_with("`zero_point` is a list, which version 1 does not have"), "{error}");
}

#[test]
fn numbers_of_each_channel_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let (mut float, mut integer) = (network(), quant());
    let channels = float.input.channels;
    let means: Vec<f32> = (0..channels).map(|channel| 100.25 + channel as f32).collect();
    float.input.zero_point = PerChannel::Each(means.clone());
    float.save(folder.path()).unwrap();
    assert_eq!(Network::load(folder.path()).unwrap(), float);
    let channels = integer.input.channels;
    let codes: Vec<u8> = (0..channels).map(|channel| 3 + channel as u8).collect();
    if let QuantOp::Conv { zero_point, .. } = &mut integer.nodes[0].op {
        *zero_point = Border::new(&codes).unwrap();
    }
    integer.save(folder.path()).unwrap();
    assert_eq!(QuantNetwork::load(folder.path()).unwrap(), integer);

    float.input.zero_point = PerChannel::Each(vec![0.0; float.input.channels + 1]);
    let error = float.validate().unwrap_err().to_string();
    assert!(error.contains("input zero_point has"), "{error}");
    float.input.zero_point = PerChannel::Each(vec![-0.5; float.input.channels]);
    let error = float.validate().unwrap_err().to_string();
    assert!(error.contains("input zero_point of channel 0 is -0.5, not a number of 0..=255"), "{error}");
    float.input.zero_point = 255.5.into();
    let error = float.validate().unwrap_err().to_string();
    assert!(error.contains("input zero_point is 255.5, not a number of 0..=255"), "{error}");
}
