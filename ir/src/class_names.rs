//! What classes are called.

use crate::name::MAX_NAME;
use crate::printable::is_printable;
use crate::{Error, Result, counted};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::{self, Display, Formatter};

/// Of longer lists, people see so many names.
const LISTED: usize = 20;

/// Names of all classes, by their numbers; none where only the numbers are known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct ClassNames(Vec<String>);

/// In a file, who knows no names leaves out the list.
impl TryFrom<Vec<String>> for ClassNames {
    type Error = &'static str;

    fn try_from(names: Vec<String>) -> std::result::Result<Self, Self::Error> {
        match names.is_empty() {
            true => Err("`class_names` is empty; leave it out where the names are not known"),
            false => Ok(ClassNames(names)),
        }
    }
}

impl ClassNames {
    /// Class 0 is called by the first of `names`, and so on.
    pub fn new(names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        ClassNames(names.into_iter().map(Into::into).collect())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names, by number.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// What `class` is called, or its number.
    pub fn name(&self, class: usize) -> Cow<'_, str> {
        match self.0.get(class) {
            Some(name) => Cow::Borrowed(name),
            None => Cow::Owned(class.to_string()),
        }
    }

    /// There are none, or one for each of `classes`, all different and fit to be printed.
    ///
    /// # Errors
    /// The first name that is not.
    pub fn validate(&self, classes: usize) -> Result<()> {
        let wrong = |message: String| Err(Error::invalid("class_names", message));
        if !self.is_empty() && self.0.len() != classes {
            return wrong(format!("are {}, but there are {}", self.0.len(), counted(classes, "class")));
        }
        let mut seen = HashMap::new();
        for (class, name) in self.0.iter().enumerate() {
            if !is_printable(name) {
                return wrong(format!("{name:?} of class {class} is no name that can be printed"));
            }
            if name.chars().count() > MAX_NAME {
                return wrong(format!("the name of class {class} has more than {MAX_NAME} characters"));
            }
            if let Some(other) = seen.insert(name, class) {
                return wrong(format!("`{name}` is the name of class {other} and of class {class}"));
            }
        }
        Ok(())
    }

    /// How these names and `others` differ, in words that follow "the names of the classes"; nothing where they are
    /// equal, or one of them is not known.
    pub fn difference(&self, others: &Self) -> Option<String> {
        if self.is_empty() || others.is_empty() || self == others {
            return None;
        }
        let first = (0..self.0.len().max(others.0.len())).find(|i| self.0.get(*i) != others.0.get(*i))?;
        let called = |names: &Self| names.0.get(first).map_or("missing".into(), |name| format!("`{name}`"));
        let (here, there) = (called(self), called(others));
        Some(format!("are {self}, not {others}: class {first} is {here}, not {there}"))
    }
}

/// All of them, or the first of a long list.
impl Display for ClassNames {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        let listed = self.0.len().min(LISTED);
        let more =
            if listed < self.0.len() { format!(", ... ({} in all)", self.0.len()) } else { String::new() };
        write!(f, "[{}{more}]", self.0[..listed].join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_for_numbers() {
        let names = ClassNames::new(["ant", "bee"]);
        assert_eq!([names.name(1), names.name(2), ClassNames::default().name(7)], ["bee", "2", "7"]);
        assert_eq!(serde_json::to_string(&names).unwrap(), r#"["ant","bee"]"#);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let error =
            |names: &[&str]| ClassNames::new(names.iter().copied()).validate(2).unwrap_err().to_string();
        assert!(
            ClassNames::new(["ant", "bee"]).validate(2).is_ok() && ClassNames::default().validate(2).is_ok()
        );
        assert!(error(&["ant"]).contains("are 1, but there are 2 classes"));
        assert!(error(&["ant", "ant"]).contains("`ant` is the name of class 0 and of class 1"));
        assert!(error(&["ant", " "]).contains("class 1 is no name"));
        assert!(error(&["a\nb", "c"]).contains(r#""a\nb" of class 0"#));
        assert!(error(&["a", &"b".repeat(256)]).contains("class 1 has more than 255"));
    }

    #[test]
    fn a_difference_is_both_lists() {
        let names = ClassNames::new(["0", "1", "2"]);
        let sorted_as_text = ClassNames::new(["0", "1", "10"]);
        assert_eq!(
            names.difference(&sorted_as_text).unwrap(),
            "are [0, 1, 2], not [0, 1, 10]: class 2 is `2`, not `10`"
        );
        let fewer = names.difference(&ClassNames::new(["0", "1"])).unwrap();
        assert!(fewer.ends_with("class 2 is `2`, not missing"), "{fewer}");
        assert_eq!(names.difference(&names), None);
        assert_eq!(names.difference(&ClassNames::default()), None);
        let many = ClassNames::new((0..30).map(|i| i.to_string())).to_string();
        assert!(many.ends_with("18, 19, ... (30 in all)]"), "{many}");
    }
}
