//! Classes that are folders.

use crate::error::{Error, Result};
use empf_ir::ClassNames;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::path::Path;

/// Names of classes in their order, and the number of each.
#[derive(Debug)]
pub(crate) struct Classes {
    names: Vec<String>,
    numbers: HashMap<String, u16>,
}

impl Classes {
    /// Of the folders `names` of `source`, in any order: sorted as numbers where all are numbers, so that 10 follows 9,
    /// else as text.
    pub(crate) fn of(source: &Path, names: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut names: Vec<String> = names.into_iter().collect();
        if names.iter().all(|name| is_number(name)) {
            names.sort_by(|a, b| by_number(a, b));
        } else {
            names.sort();
        }
        names.dedup();
        if names.len() > usize::from(u16::MAX) {
            let message = format!("has {} classes; {} can be told apart", names.len(), u16::MAX);
            return Err(Error::file(source, message));
        }
        let classes = ClassNames::new(names.iter().cloned());
        classes
            .validate(names.len())
            .map_err(|e| Error::file(source, format!("as names of folders, {e}")))?;
        let numbers = names.iter().cloned().zip(0..=u16::MAX).collect();
        Ok(Classes { names, numbers })
    }

    /// In their order.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The number of the class called `name`.
    pub(crate) fn number(&self, name: &str) -> Option<u16> {
        self.numbers.get(name).copied()
    }

    /// For networks and people.
    pub(crate) fn class_names(&self) -> ClassNames {
        ClassNames::new(self.names.iter().cloned())
    }
}

fn is_number(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// Numbers of any length; equal ones, such as 1 and 01, as text.
fn by_number(a: &str, b: &str) -> Ordering {
    let digits = |name: &str| name.trim_start_matches('0').to_owned();
    let (x, y) = (digits(a), digits(b));
    x.len().cmp(&y.len()).then(x.cmp(&y)).then(a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(names: &[&str]) -> Vec<String> {
        Classes::of(Path::new("set"), names.iter().map(|name| name.to_string())).unwrap().names
    }

    #[test]
    fn numbers_are_sorted_as_numbers() {
        assert_eq!(order(&["10", "2", "1", "0", "11"]), ["0", "1", "2", "10", "11"]);
        assert_eq!(order(&["010", "2", "02", "9"]), ["02", "2", "9", "010"]);
        let large = ["99999999999999999999999999", "100000000000000000000000000", "5"];
        assert_eq!(order(&large), ["5", large[0], large[1]]);
        assert_eq!(order(&["10", "2", "a"]), ["10", "2", "a"], "one name makes all of them text");
        assert_eq!(order(&["n02", "n01", "n02"]), ["n01", "n02"]);
    }

    #[test]
    fn numbers_follow_the_order() {
        let classes = Classes::of(Path::new("set"), ["10", "9"].map(str::to_owned)).unwrap();
        assert_eq!(
            [classes.number("9"), classes.number("10"), classes.number("1")],
            [Some(0), Some(1), None]
        );
        assert_eq!(classes.class_names(), ClassNames::new(["9", "10"]));
        let error = Classes::of(Path::new("set"), ["a\nb".to_owned()]).unwrap_err().to_string();
        assert!(error.contains("set: as names of folders") && error.contains(r#""a\nb""#), "{error}");
    }
}
