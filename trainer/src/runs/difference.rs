//! In which of their settings two runs differ.

use serde_json::Value;

/// Of more settings than this, the others are counted.
const LISTED: usize = 4;

/// What `there` and `here` say of the same settings, in words: `rate is 0.1, here 0.2`; nothing where they are equal.
pub(crate) fn difference(there: &Value, here: &Value) -> Option<String> {
    let mut all = vec![];
    compare("", Some(there), Some(here), &mut all);
    let more = all.len().saturating_sub(LISTED);
    all.truncate(LISTED);
    let text = (!all.is_empty()).then(|| all.join(", "))?;
    Some(if more == 0 { text } else { format!("{text}, and {more} more") })
}

/// Adds what differs at `path` and below.
fn compare(path: &str, there: Option<&Value>, here: Option<&Value>, all: &mut Vec<String>) {
    let inner = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match (there, here) {
        (Some(Value::Object(there)), Some(Value::Object(here))) => {
            for name in there.keys().chain(here.keys().filter(|name| !there.contains_key(*name))) {
                compare(&inner(name), there.get(name), here.get(name), all);
            }
        }
        (Some(Value::Array(there)), Some(Value::Array(here))) => {
            for index in 0..there.len().max(here.len()) {
                compare(&inner(&index.to_string()), there.get(index), here.get(index), all);
            }
        }
        _ if there == here => {}
        _ => all.push(format!("{path} is {}, here {}", shown(there), shown(here))),
    }
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "none".into(),
        Some(Value::Object(_) | Value::Array(_)) => "there".into(),
        Some(value) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn settings_that_differ_are_named_with_both_values() {
        let there = json!({"rate": 0.1, "sgd": {"momentum": 0.9}, "nodes": [{"kernel": 3}, {}], "ema": null});
        let with = |changes: &[(&str, Value)]| {
            let mut here = there.clone();
            changes.iter().for_each(|(at, value)| *here.pointer_mut(at).unwrap() = value.clone());
            difference(&there, &here)
        };
        assert_eq!(with(&[]), None);
        assert_eq!(with(&[("/rate", json!(0.2))]).unwrap(), "rate is 0.1, here 0.2");
        let inner = with(&[("/sgd/momentum", json!(0.5)), ("/ema", json!(0.99))]).unwrap();
        assert!(inner.contains("sgd.momentum is 0.9, here 0.5") && inner.contains("ema is none, here 0.99"));
        assert_eq!(with(&[("/nodes/0/kernel", json!(5))]).unwrap(), "nodes.0.kernel is 3, here 5");
        assert_eq!(with(&[("/nodes", json!([{"kernel": 3}]))]).unwrap(), "nodes.1 is there, here none");
        let many = difference(&json!([1, 2, 3, 4, 5, 6]), &json!([0, 0, 0, 0, 0, 0])).unwrap();
        assert_eq!(many, "0 is 1, here 0, 1 is 2, here 0, 2 is 3, here 0, 3 is 4, here 0, and 2 more");
    }
}
