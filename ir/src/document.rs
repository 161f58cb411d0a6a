//! What is kept as a folder: a JSON file, which says its format and version first, and files of numbers beside it.

use crate::{Error, Result, json, store};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, IntoDeserializer, MapAccess, Visitor,
    value::MapAccessDeserializer,
};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::marker::PhantomData;
use std::path::Path;

/// What a document holds. Its fields are the keys of the JSON file behind `format` and `version`.
pub(crate) trait Content: Serialize + DeserializeOwned {
    /// What the file says that it is.
    const FORMAT: &'static str;
    /// Version of the form that is written and read.
    const VERSION: u32;
    /// The oldest version that is read. What its files may hold says the same in this version.
    const OLDEST: u32 = Self::VERSION;
    /// Name of the JSON file.
    const FILE: &'static str;
    /// Name of the file of tensors, where there is one.
    const TENSORS: Option<&'static str> = None;
    /// What to do about a file of another version.
    const AGAIN: &'static str = "write it again with a matching `empf`";

    /// Everything agrees and is in its range.
    fn validate(&self) -> Result<()>;

    /// Nothing is there that files of `version`, an older one, do not have yet.
    fn validate_version(&self, _version: u32) -> Result<()> {
        Ok(())
    }

    /// Writes the files beside the JSON.
    fn write_beside(&self, folder: &Path) -> Result<()>;

    /// Reads them into what the JSON left empty.
    fn read_beside(&mut self, folder: &Path) -> Result<()>;

    /// As [`Content::validate`]; errors name the file of `folder` that they are about.
    fn validate_files(&self, folder: &Path) -> Result<()> {
        self.validate().map_err(|error| {
            let tensors = Self::TENSORS.filter(|_| matches!(error, Error::Tensor { .. }));
            error.of(folder.join(tensors.unwrap_or(Self::FILE)))
        })
    }
}

/// The JSON file, as it is written.
#[derive(Serialize)]
pub(crate) struct Document<T> {
    format: &'static str,
    version: u32,
    #[serde(flatten)]
    content: T,
}

impl<T: Content> Document<&T> {
    /// Writes `content` into `folder`. Each file appears whole or not at all, the JSON last: without it, a folder is
    /// no document.
    pub(crate) fn save(content: &T, folder: &Path) -> Result<()> {
        content.validate()?;
        store::create_dir(folder)?;
        content.write_beside(folder)?;
        let document = Document { format: T::FORMAT, version: T::VERSION, content };
        store::write_json(&folder.join(T::FILE), &document)
    }
}

impl<T: Content> Document<T> {
    /// Reads and validates what [`Document::save`] writes; format and version are looked at before anything else.
    pub(crate) fn load(folder: &Path) -> Result<T> {
        let path = folder.join(T::FILE);
        let syntax = |e: serde_json::Error| Error::Syntax { path: path.clone(), message: json::said(&e) };
        let bytes = store::read(&path)?;
        let text = json::text(&path, &bytes)?;
        let Tag { format, version } = serde_json::from_str(text).map_err(syntax)?;
        if format != T::FORMAT {
            let message = format!("is `{format}`, expected `{}`", T::FORMAT);
            return Err(Error::Syntax { path, message });
        }
        if !(T::OLDEST..=T::VERSION).contains(&version) {
            let (format, expected, advice) = (T::FORMAT, T::OLDEST..=T::VERSION, T::AGAIN);
            return Err(Error::Version { path, format, found: version, expected, advice });
        }
        let Untagged(mut content) = serde_json::from_str::<Untagged<T>>(text).map_err(syntax)?;
        content.validate_version(version).map_err(|error| error.of(path))?;
        content.read_beside(folder)?;
        content.validate_files(folder)?;
        Ok(content)
    }
}

#[derive(Deserialize)]
#[serde(expecting = "an object with `format` and `version`")]
struct Tag {
    format: String,
    version: u32,
}

/// What a document holds, without its tag, so that no other unknown key is passed over.
struct Untagged<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Untagged<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(ContentVisitor(PhantomData))
    }
}

struct ContentVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ContentVisitor<T> {
    type Value = Untagged<T>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> std::result::Result<Untagged<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(BehindTag(entries))).map(Untagged)
    }
}

/// The entries of an object without `format` and `version`.
struct BehindTag<A>(A);

impl<'de, A: MapAccess<'de>> MapAccess<'de> for BehindTag<A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> std::result::Result<Option<K::Value>, A::Error> {
        while let Some(key) = self.0.next_key::<String>()? {
            if key != "format" && key != "version" {
                return seed.deserialize(key.into_deserializer()).map(Some);
            }
            self.0.next_value::<IgnoredAny>()?;
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> std::result::Result<V::Value, A::Error> {
        self.0.next_value_seed(seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Thing {
        size: u32,
        #[serde(skip)]
        beside: Vec<u8>,
    }

    impl Content for Thing {
        const FORMAT: &'static str = "thing";
        const VERSION: u32 = 3;
        const FILE: &'static str = "thing.json";

        fn validate(&self) -> Result<()> {
            match self.beside.len() == self.size as usize {
                true => Ok(()),
                false => Err(Error::invalid("thing", "is of another size")),
            }
        }

        fn write_beside(&self, folder: &Path) -> Result<()> {
            store::write(&folder.join("beside"), &self.beside)
        }

        fn read_beside(&mut self, folder: &Path) -> Result<()> {
            self.beside = store::read(&folder.join("beside"))?;
            Ok(())
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("new");
        Document::save(&Thing { size: 2, beside: vec![7, 9] }, &place).unwrap();
        let text = std::fs::read_to_string(place.join("thing.json")).unwrap();
        assert_eq!(text, "{\n  \"format\": \"thing\",\n  \"version\": 3,\n  \"size\": 2\n}\n");
        assert_eq!(Document::<Thing>::load(&place).unwrap().beside, [7, 9]);
    }

    #[test]
    fn nothing_is_written_of_what_is_not_valid() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("new");
        assert!(Document::save(&Thing { size: 1, beside: vec![] }, &place).is_err());
        assert!(!place.exists());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("beside"), [1]).unwrap();
        for (text, said) in [
            (r#"{"format": "other", "version": 9}"#, "is `other`, expected `thing`"),
            (
                r#"{"format": "thing", "version": 4, "new": 0}"#,
                "thing version 4, but this program reads version 3",
            ),
            (r#"{"version": 3, "size": 1}"#, "missing field `format`"),
            (r#"{"format": "thing", "version": 3}"#, "missing field `size`"),
            (
                "{\"size\": 1,\n\"more\": 1, \"format\": \"thing\", \"version\": 3}",
                "unknown field `more`, expected `size` at line 2",
            ),
            (
                "{\"format\": \"thing\", \"version\": 3,\n\n\"size\": \"1\"}",
                "expected a whole number at line 3",
            ),
            (r#"{"format": "thing", "version": 3, "size": 1, "size": 1}"#, "the key `size` is given twice"),
            (r#"{"format": "thing", "version": 3, "size": 1, "beside": [1]}"#, "unknown field `beside`"),
            (r#"{"format": "thing", "version": 3, "size": 2}"#, "thing.json: thing: is of another size"),
            ("[]", "expected an object with `format` and `version`"),
        ] {
            std::fs::write(folder.path().join("thing.json"), text).unwrap();
            let error = Document::<Thing>::load(folder.path()).unwrap_err().to_string();
            assert!(error.contains(said) && error.contains("thing.json"), "{error}");
        }
    }
}
