//! Help that teaches.

use crate::command::{run, succeed};
use std::path::Path;

#[test]
fn without_a_verb_the_way_is_explained() {
    let output = run(Path::new("."), &[]);
    let text = String::from_utf8_lossy(&output.stderr);
    let step = |name: &str| text.find(&format!("\n  empf {name} ")).expect(name);
    assert!(step("train") < step("compile") && step("compile") < step("check"), "{text}");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn every_verb_has_an_example() {
    for verb in
        ["train", "evaluate", "compile", "check", "simulate", "inspect", "emit", "estimate", "demo", "data"]
    {
        let text = succeed(Path::new("."), &["help", verb]);
        assert!(text.contains("Example") && text.contains(&format!("empf {verb} ")), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    }
}
