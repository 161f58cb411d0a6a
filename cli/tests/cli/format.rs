//! The examples of `docs/format.md`, from Python to the comparison of all engines.

use crate::command::{succeed, words};
use std::process::Command;

const FORMAT: &str = include_str!("../../../docs/format.md");

#[test]
fn a_network_from_python_goes_the_whole_way() {
    let place = tempfile::tempdir().unwrap();
    let block = |rest: &str| rest.split("```").next().unwrap_or_default().to_owned();
    let script: String = FORMAT.split("```python\n").skip(1).map(block).collect();
    let output = Command::new("python3").args(["-I", "-c", &script]).current_dir(place.path()).output();
    let output = output.expect("python3 is not on PATH; install it with `apt-get install python3`");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let lines = FORMAT.lines().filter_map(|line| line.strip_prefix("    empf "));
    let texts: Vec<String> = lines.map(|line| succeed(place.path(), &words(line))).collect();
    assert_eq!(texts.len(), 2);
    assert!(texts[1].contains("\n0 mismatches in "), "{}", texts[1]);
}
