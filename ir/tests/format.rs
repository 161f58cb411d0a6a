//! `docs/format.md` is right: its examples run, and what they write is read.

use empf_ir::graph::{Kind, Operator};
use empf_ir::{ArchConfig, Network, Node, Op, QuantNetwork, QuantOp};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

const FORMAT: &str = include_str!("../../docs/format.md");

/// All blocks of `language`, one after the other.
fn blocks(language: &str) -> String {
    let open = format!("```{language}\n");
    let block = |rest: &str| rest.split("```").next().unwrap_or_default().to_owned();
    FORMAT.split(&open).skip(1).map(block).collect()
}

fn run_python(script: &str, folder: &Path) {
    let output = Command::new("python3").args(["-I", "-c", script]).current_dir(folder).output();
    let output = output.expect("python3 is not on PATH; install it with `apt-get install python3`");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn networks_written_from_python_are_read() {
    let folder = tempfile::tempdir().unwrap();
    run_python(&blocks("python"), folder.path());
    let network = Network::load(&folder.path().join("network")).unwrap();
    assert_eq!((network.time_steps, network.classes, network.nodes.len()), (4, 10, 9));
    let (shape, values) = network.tensor("neuron1", "theta").unwrap();
    assert_eq!((shape, values), (&[4, 1][..], &[0.1f32; 4][..]));

    let network = QuantNetwork::load(&folder.path().join("quant")).unwrap();
    assert_eq!(network.tensor("fc", "weight").unwrap(), [3, -3, -3, 3]);
    assert_eq!(network.scales["neuron"], 0.25);
}

#[test]
fn the_example_architecture_is_the_preset() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("arch.toml");
    std::fs::write(&file, blocks("toml")).unwrap();
    assert_eq!(ArchConfig::load(&file).unwrap(), ArchConfig::default());
    let keys = blocks("toml").lines().count();
    assert_eq!(keys, serde_json::to_value(ArchConfig::default()).unwrap().as_object().unwrap().len());
}

/// The cells of each row of the table whose first row is `head`.
fn rows(head: &str) -> Vec<Vec<&'static str>> {
    let table = FORMAT.split_once(head).expect(head).1.lines().skip(2);
    let cells = |line: &'static str| line.trim_matches('|').split('|').map(str::trim).collect();
    table.take_while(|line| line.starts_with('|')).map(cells).collect()
}

/// What stands in a cell between backquotes.
fn quoted(cell: &str) -> BTreeSet<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

fn sample(json: &str) -> String {
    format!("{{\"name\": \"n\", \"inputs\": [], {json}}}")
}

#[test]
fn what_may_read_what_in_a_network() {
    let ops: Vec<Op> = [
        r#""op": "conv", "out_channels": 1, "kernel": 1, "stride": 1, "padding": 0, "weights": "sign""#,
        r#""op": "batch_norm", "eps": 0"#,
        r#""op": "neuron", "version": "I""#,
        r#""op": "lif", "leak": 0.5, "threshold": 1"#,
        r#""op": "avg_pool", "kernel": 1, "stride": 1"#,
        r#""op": "global_avg_pool""#,
        r#""op": "max_pool", "kernel": 1, "stride": 1, "padding": 0"#,
        r#""op": "seca", "kernel": 3"#,
        r#""op": "linear", "out_features": 1"#,
        r#""op": "add""#,
    ]
    .map(|json| serde_json::from_str::<Node<Op>>(&sample(json)).unwrap().op)
    .into();
    let kinds = [Kind::Input, Kind::Codes, Kind::Current, Kind::Logits];
    let table = rows("| what | is given by | may be read by |");
    assert_eq!(table.len(), kinds.len());
    for (row, kind) in table.iter().zip(kinds) {
        let named = |which: &dyn Fn(&Op) -> bool| ops.iter().filter(|op| which(op)).map(Op::name).collect();
        assert_eq!(quoted(row[1]), named(&|op| op.gives() == kind), "{row:?}");
        assert_eq!(quoted(row[2]), named(&|op| op.takes().contains(&kind)), "{row:?}");
    }
    assert_eq!(rows("| `op` | keys | tensors (F32) | result |").len(), ops.len());
}

#[test]
fn what_may_read_what_in_an_integer_network() {
    let ops = [
        r#""op": "conv", "out_channels": 1, "kernel": 1, "stride": 1, "padding": 0, "weights": "sign", "zero_point": 0, "shift": 0"#,
        r#""op": "neuron", "parallel": true, "shift": 0"#,
        r#""op": "avg_pool", "kernel": [1, 1], "stride": [1, 1], "shift": 0"#,
        r#""op": "max_pool", "kernel": 1, "stride": 1, "padding": 0"#,
        r#""op": "linear", "out_features": 1"#,
        r#""op": "widen", "shift": 0"#,
        r#""op": "scale", "shift": 0"#,
        r#""op": "seca", "kernel": 3, "shift": 0"#,
        r#""op": "add""#,
    ]
    .map(|json| serde_json::from_str::<Node<QuantOp>>(&sample(json)).unwrap().op);
    let table = rows("| `op` | keys | tensors | reads -> gives |");
    assert_eq!(table.len(), ops.len());
    let word = |kind: &Kind| match kind {
        Kind::Input => "input",
        Kind::Codes => "codes",
        Kind::Current => "current",
        Kind::Logits => "logits",
    };
    for (row, op) in table.iter().zip(ops) {
        assert_eq!(quoted(row[0]), [op.name()].into());
        let reads = op.takes().iter().map(word).collect::<Vec<_>>().join(" or ");
        let reads = if op.arity() == 2 { format!("two {reads}s") } else { reads };
        assert_eq!(row[3], format!("{reads} -> {}", word(&op.gives())));
    }
}
