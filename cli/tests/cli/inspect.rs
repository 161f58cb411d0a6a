//! What folders hold.

use crate::command::{made, succeed, words};

fn rows<'t>(text: &'t str, heading: &str) -> Vec<&'t str> {
    let lines = text.lines().skip_while(|line| !line.starts_with(heading));
    lines.skip(2).take_while(|line| !line.is_empty()).collect()
}

#[test]
fn weights_are_counted_as_the_paper_does_and_packed() {
    let place = made();
    let text = succeed(place.path(), &words("inspect network"));
    // 8 * 4 * 9 + 8 * 8 * 9 weights of +-1; 4 * 9 of the first convolution and 10 * 8 of the classifier.
    assert!(text.contains("980 weights, 864 of them +-1"), "{text}");
    for (figure, size) in [
        ("float32 ", "3.920 kB"),
        ("the paper's figure (2 bits, rest float32)", "680 B"),
        ("packed (1 bit, rest float32)", "572 B"),
        ("packed in hardware (1 bit, rest 8 digits)", "224 B"),
    ] {
        assert!(text.lines().any(|l| l.starts_with(figure) && l.ends_with(&format!(" {size}"))), "{text}");
    }
    let conv = rows(&text, "node")[3];
    assert_eq!(
        conv.split_whitespace().collect::<Vec<_>>().join(" "),
        "conv2 +-1 conv 3x3 8x14x14 288 72 B 36 B"
    );
}

#[test]
fn a_build_shows_steps_and_memories() {
    let place = made();
    let text = succeed(place.path(), &words("inspect build"));
    let steps = rows(&text, "step");
    let nodes: Vec<&str> = steps.iter().map(|row| row.split_whitespace().nth(1).unwrap()).collect();
    assert_eq!(nodes, ["input", "neuron1", "neuron2", "pool1", "neuron3", "gap1", "fc1"]);
    let memories = rows(&text, "memory");
    assert!(
        memories.len() == 9
            && memories[7].starts_with("input buffer")
            && memories[7].split_whitespace().nth(2) == Some("784"),
        "{text}"
    );
    let program = std::fs::read_to_string(place.path().join("build/program.json")).unwrap();
    let program: serde_json::Value = serde_json::from_str(&program).unwrap();
    let id = program["build_id"].as_u64().unwrap();
    assert!(text.contains(&format!("build {id:08x} for a 4x4 array, A = 8")), "{text}");
}
