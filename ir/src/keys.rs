//! The keys of a node in a JSON file, taken one by one, so that every error names its key and none is left over.

use crate::Border;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// What can be wrong with a key, without the node that it belongs to.
pub(crate) type Result<T> = std::result::Result<T, String>;

/// Characters of a wrong value that an error shows.
const SHOWN: usize = 40;

/// The keys of one node that have not been taken yet.
#[derive(Debug)]
pub struct Keys {
    values: Map<String, Value>,
    known: Vec<&'static str>,
}

impl Keys {
    pub(crate) fn new(values: Map<String, Value>) -> Self {
        Keys { values, known: vec![] }
    }

    /// What is left, for the node's operator.
    pub(crate) fn rest(self) -> Self {
        Keys::new(self.values)
    }

    /// Takes a whole number.
    pub fn count(&mut self, key: &'static str) -> Result<usize> {
        self.required(key, "a whole number", whole)
    }

    /// Takes two whole numbers.
    pub fn pair(&mut self, key: &'static str) -> Result<[usize; 2]> {
        self.required(key, "two whole numbers, [height, width]", |value| {
            let [a, b] = value.as_array()?.as_slice() else { return None };
            Some([whole(a)?, whole(b)?])
        })
    }

    /// Takes a whole number of 8 bits.
    pub fn byte(&mut self, key: &'static str) -> Result<u8> {
        self.required(key, "a whole number of 0..=255", |value| whole(value)?.try_into().ok())
    }

    /// Takes codes of a border.
    pub fn border(&mut self, key: &'static str) -> Result<Border> {
        self.required(
            key,
            "a whole number of 0..=255, or a list of up to 4, one for each channel",
            Border::read,
        )
    }

    /// Takes a number.
    pub fn number(&mut self, key: &'static str) -> Result<f32> {
        self.required(key, "a number", number)
    }

    /// Takes a number that may be left out.
    pub fn number_or(&mut self, key: &'static str, otherwise: f32) -> Result<f32> {
        Ok(self.typed(key, "a number", number)?.unwrap_or(otherwise))
    }

    /// Takes `true` or `false`.
    pub fn flag(&mut self, key: &'static str) -> Result<bool> {
        self.required(key, "true or false", Value::as_bool)
    }

    /// Takes a text.
    pub fn text(&mut self, key: &'static str) -> Result<String> {
        self.required(key, "a text", |value| Some(value.as_str()?.to_owned()))
    }

    /// Takes a list of texts.
    pub fn texts(&mut self, key: &'static str) -> Result<Vec<String>> {
        self.required(key, "a list of texts", |value| {
            value.as_array()?.iter().map(|item| Some(item.as_str()?.to_owned())).collect()
        })
    }

    /// Takes the name of a variant; the error lists all.
    pub fn choice<T: DeserializeOwned>(&mut self, key: &'static str) -> Result<T> {
        let name = self.required(key, "a name", |value| {
            Some(value.as_str().map_or_else(|| shown(value), ToOwned::to_owned))
        })?;
        serde_json::from_value(Value::String(name)).map_err(|e| format!("`{key}`: {e}"))
    }

    /// Refuses what was not taken.
    pub(crate) fn finish(self, op: &str) -> Result<()> {
        let Some(key) = self.values.keys().next() else { return Ok(()) };
        let own: Vec<_> = self.known.iter().map(|key| format!("`{key}`")).collect();
        let own =
            if own.is_empty() { "no keys of its own".into() } else { format!("only {}", own.join(", ")) };
        Err(format!("the key `{key}` is not known; `{op}` has {own}"))
    }

    fn required<T>(
        &mut self,
        key: &'static str,
        what: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<T> {
        self.typed(key, what, read)?.ok_or_else(|| format!("`{key}` is missing"))
    }

    fn typed<T>(
        &mut self,
        key: &'static str,
        what: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<Option<T>> {
        self.known.push(key);
        let Some(value) = self.values.remove(key) else { return Ok(None) };
        read(&value).map(Some).ok_or_else(|| format!("`{key}` is {}, not {what}", shown(&value)))
    }
}

fn whole(value: &Value) -> Option<usize> {
    value.as_u64()?.try_into().ok()
}

fn number(value: &Value) -> Option<f32> {
    Some(value.as_f64()? as f32)
}

/// The JSON text of `value`, cut where it is long.
fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
