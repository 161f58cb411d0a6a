//! JSON text, with what a parser would let pass.

use crate::printable::spelled_out;
use crate::{Error, Result};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use std::collections::HashSet;
use std::fmt;
use std::path::Path;

/// The text of a file, which is UTF-8 without a byte order mark.
pub(crate) fn plain_text<'b>(path: &Path, bytes: &'b [u8]) -> Result<&'b str> {
    let syntax = |message: String| Error::Syntax { path: path.into(), message };
    match bytes {
        [0xef, 0xbb, 0xbf, ..] => {
            Err(syntax("starts with a byte order mark (BOM); save it as UTF-8 without one".into()))
        }
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Err(syntax("is UTF-16; save it as UTF-8".into())),
        _ => std::str::from_utf8(bytes).map_err(|e| syntax(format!("is no UTF-8 text: {e}"))),
    }
}

/// What a parser says, in words that are not a programming language's.
pub(crate) fn said(error: &serde_json::Error) -> String {
    let types = [
        ("expected usize", "expected a whole number"),
        ("expected u32", "expected a whole number"),
        ("expected u64", "expected a whole number"),
        ("expected u8", "expected a whole number of 0..=255"),
        ("expected f32", "expected a number"),
        ("expected f64", "expected a number"),
        ("expected a sequence", "expected a list"),
        ("expected a map", "expected an object"),
        ("type: sequence", "type: list"),
        ("type: map", "type: object"),
    ];
    let said = spelled_out(&error.to_string(), &[]);
    types.into_iter().fold(said, |text, (from, to)| text.replace(from, to))
}

/// The text of a JSON file in which no object gives a key twice.
pub(crate) fn text<'b>(path: &Path, bytes: &'b [u8]) -> Result<&'b str> {
    let text = plain_text(path, bytes)?;
    let syntax = |e: serde_json::Error| Error::Syntax { path: path.into(), message: said(&e) };
    serde_json::from_str::<Unique>(text).map(|_| text).map_err(syntax)
}

/// Any value in which no object gives a key twice; a parser alone would take the last one.
struct Unique;

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(Unique)
    }
}

impl<'de> Visitor<'de> for Unique {
    type Value = Unique;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> std::result::Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_i64<E>(self, _: i64) -> std::result::Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_u64<E>(self, _: u64) -> std::result::Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_f64<E>(self, _: f64) -> std::result::Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_str<E>(self, _: &str) -> std::result::Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_unit<E>(self) -> std::result::Result<Unique, E> {
        Ok(Unique)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Unique, A::Error> {
        while items.next_element::<Unique>()?.is_some() {}
        Ok(Unique)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> std::result::Result<Unique, A::Error> {
        let mut keys = HashSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            if keys.contains(&key) {
                return Err(A::Error::custom(format!("the key `{key}` is given twice")));
            }
            entries.next_value::<Unique>()?;
            keys.insert(key);
        }
        Ok(Unique)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(bytes: &[u8]) -> String {
        text(Path::new("a.json"), bytes).unwrap_err().to_string()
    }

    #[test]
    fn a_key_is_given_once() {
        let nested = br#"{"a": 1, "b": [{"a": null, "c": true, "d": -1, "e": 0.5, "f": "a"}]}"#;
        assert_eq!(text(Path::new("a.json"), nested).unwrap().as_bytes(), nested);
        let text = error(br#"{"a": 1, "b": [{"c": 1, "c": 2}]}"#);
        assert!(text.starts_with("a.json: the key `c` is given twice at line 1"), "{text}");
    }

    #[test]
    fn text_is_utf_8_without_a_mark() {
        for (bytes, said) in [
            (&b"\xef\xbb\xbf{}"[..], "starts with a byte order mark (BOM); save it as UTF-8 without one"),
            (b"\xff\xfe{\0}\0", "is UTF-16; save it as UTF-8"),
            (b"{\"\xff\": 1}", "is no UTF-8 text"),
        ] {
            let text = error(bytes);
            assert!(text.starts_with(&format!("a.json: {said}")), "{text}");
        }
    }
}
