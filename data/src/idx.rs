//! The idx files of MNIST and its kin, plain or packed.

use crate::dataset::{Dataset, Split};
use crate::error::{Error, Result};
use crate::files::{decode, walk};
use empf_ir::{ClassNames, counted};
use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};
use std::path::Path;

const IMAGES_MAGIC: u32 = 0x0000_0803;
const LABELS_MAGIC: u32 = 0x0000_0801;
/// Largest content of a file, so that a broken header cannot ask for all memory.
const MAX_BYTES: u64 = 1 << 31;
/// Labels are digits or letters; more classes than this are a broken file.
const MAX_CLASSES: usize = 64;
/// Names of the part of a set for learning and of that for judging.
const TRAIN: [&str; 1] = ["train"];
const TEST: [&str; 2] = ["t10k", "test"];

/// Whether `path` is that of a file of images.
pub(crate) fn is_file(path: &str) -> bool {
    Name::of(path).is_some_and(|name| name.kind == Kind::Images)
}

/// What a file of a set holds.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Images,
    Labels,
    /// Lines of a label and the codes of its characters, such as `1 65 97`, as EMNIST has them.
    Mapping,
}

/// The name of a file, such as `emnist-letters-train-images-idx3-ubyte`.
struct Name<'a> {
    /// Folder and name of the set, empty or with a slash or a dash at its end: `emnist-letters-`.
    set: &'a str,
    /// `train`; nothing for a mapping.
    part: &'a str,
    kind: Kind,
}

impl<'a> Name<'a> {
    fn of(path: &'a str) -> Option<Self> {
        if let Some(set) = path.strip_suffix("mapping.txt") {
            return set.ends_with('-').then_some(Name { set, part: "", kind: Kind::Mapping });
        }
        let kinds = [("images", "idx3-ubyte", Kind::Images), ("labels", "idx1-ubyte", Kind::Labels)];
        let (stem, kind) = kinds.into_iter().find_map(|(what, form, kind)| {
            let stem = path.strip_suffix(form)?.strip_suffix(['-', '.'])?.strip_suffix(what)?;
            Some((stem.strip_suffix('-')?, kind))
        })?;
        let part = stem.rsplit(['-', '/']).next().unwrap_or(stem);
        Some(Name { set: &stem[..stem.len() - part.len()], part, kind })
    }
}

/// What was read of a file.
enum Content {
    Idx(Idx),
    Names(Vec<(u16, String)>),
}

/// Reads the files `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and those of `t10k` or `test`, with any name of
/// a set in front, of the one set that the folder or archive `source` holds. The label `first_label` becomes class 0.
pub fn load(source: &Path, first_label: u8) -> Result<Split> {
    let set = only_set(source)?;
    let wanted = |path: &str| Name::of(path).is_some_and(|name| name.set == set);
    let read = |path: &str, bytes: &[u8]| match Name::of(path).map(|name| name.kind) {
        Some(Kind::Images) => Ok(Content::Idx(Idx::parse(bytes, IMAGES_MAGIC, 3)?)),
        Some(Kind::Labels) => Ok(Content::Idx(Idx::parse(bytes, LABELS_MAGIC, 1)?)),
        _ => Ok(Content::Names(mapping(bytes)?)),
    };
    let mut files = decode(source, &wanted, MAX_BYTES, read)?.files;
    let mapping = files.iter().find_map(|(path, content)| match content {
        Content::Names(names) => Some((path.clone(), names.clone())),
        Content::Idx(_) => None,
    });
    let mut part = |parts: &[&str]| {
        let mut take = |kind: Kind, what: &str| {
            let is = |path: &str| {
                Name::of(path).is_some_and(|name| name.kind == kind && parts.contains(&name.part))
            };
            let at = files.iter().position(|(path, _)| is(path));
            match at.map(|at| files.swap_remove(at)) {
                Some((path, Content::Idx(idx))) => Ok((path, idx)),
                _ => Err(Error::file(
                    source,
                    format!("has no file {set}{}-{what}, plain or packed as .gz or .xz", parts[0]),
                )),
            }
        };
        let images = take(Kind::Images, "images-idx3-ubyte")?;
        labelled(source, images, take(Kind::Labels, "labels-idx1-ubyte")?, first_label)
    };
    let (mut train, mut test) = (part(&TRAIN)?, part(&TEST)?);
    if (train.height, train.width) != (test.height, test.width) {
        let message = format!(
            "training images are {}x{}, test images {}x{}",
            train.height, train.width, test.height, test.width
        );
        return Err(Error::file(source, message));
    }
    let classes = train.classes.max(test.classes);
    let class_names = match mapping {
        Some((path, names)) => {
            let used = train.labels.iter().chain(&test.labels).copied().collect();
            let wrong = |message| Error::file(&source.join(path), message);
            mapped_names(&names, first_label, classes, &used).map_err(wrong)?
        }
        None => label_names(first_label, classes),
    };
    for set in [&mut train, &mut test] {
        (set.classes, set.class_names) = (classes, class_names.clone());
    }
    Ok(Split { train, test })
}

/// Folder and name of the set that `source` holds.
fn only_set(source: &Path) -> Result<String> {
    let mut sets = BTreeSet::new();
    walk(source, &is_file, &mut |path, _| {
        sets.extend(Name::of(path).map(|name| name.set.to_owned()));
        Ok(ControlFlow::Continue(()))
    })?;
    match sets.len() {
        0 => Err(Error::file(source, "has no file train-images-idx3-ubyte".into())),
        1 => Ok(sets.pop_first().unwrap_or_default()),
        count => {
            let name = |set: &str| match set.trim_end_matches(['-', '/']) {
                "" => "one without a name".to_owned(),
                name => name.to_owned(),
            };
            let shown: Vec<String> = sets.iter().take(8).map(|set| name(set)).collect();
            let message =
                format!("holds {count} sets ({}); give a folder with one of them", shown.join(", "));
            Err(Error::file(source, message))
        }
    }
}

fn labelled(
    source: &Path,
    (images_path, images): (String, Idx),
    (labels_path, labels): (String, Idx),
    first_label: u8,
) -> Result<Dataset> {
    let wrong = |message: String| Error::file(&source.join(&labels_path), message);
    if images.sizes[0] != labels.sizes[0] {
        return Err(wrong(format!(
            "holds {}, but {images_path} {}",
            counted(labels.sizes[0], "label"),
            counted(images.sizes[0], "image")
        )));
    }
    let at = |label: u8| 8 + labels.bytes.iter().position(|l| *l == label).unwrap_or(0);
    let range = || Some((*labels.bytes.iter().min()?, *labels.bytes.iter().max()?));
    let (lowest, top) = range().unwrap_or_default();
    if lowest < first_label {
        let at = at(lowest);
        return Err(wrong(format!(
            "label {lowest} at byte {at} is below {first_label}, the first that is given"
        )));
    }
    if usize::from(top) >= MAX_CLASSES {
        return Err(wrong(format!("label {top} at byte {} is above {}", at(top), MAX_CLASSES - 1)));
    }
    Ok(Dataset {
        channels: 1,
        height: images.sizes[1],
        width: images.sizes[2],
        frames: 1,
        classes: usize::from(top - first_label) + 1,
        class_names: ClassNames::default(),
        pixels: images.bytes.into(),
        labels: labels.bytes.into_iter().map(|label| u16::from(label - first_label)).collect(),
    })
}

/// Characters of labels.
fn mapping(bytes: &[u8]) -> std::result::Result<Vec<(u16, String)>, String> {
    let parse = |line: &str| {
        let mut numbers = line.split_whitespace().map(|number| number.parse::<u32>().ok());
        let label = u16::try_from(numbers.next()??).ok()?;
        let characters = numbers.map(|code| char::from_u32(code?)).collect::<Option<String>>()?;
        Some((label, characters)).filter(|(_, characters)| !characters.is_empty())
    };
    let text = String::from_utf8_lossy(bytes);
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty());
    let wrong = |number: usize| {
        format!("line {number} is no label with the codes of its characters, as `1 65 97` is")
    };
    lines.map(|(number, line)| parse(line).ok_or_else(|| wrong(number))).collect()
}

/// Names of `classes` classes by the `characters` of labels; classes that are never `used` may have none, and then
/// none has.
fn mapped_names(
    characters: &[(u16, String)],
    first_label: u8,
    classes: usize,
    used: &BTreeSet<u16>,
) -> std::result::Result<ClassNames, String> {
    let label = |class: u16| class + u16::from(first_label);
    let character =
        |class| characters.iter().find(|(of, _)| *of == label(class)).map(|(_, name)| name.clone());
    if let Some(class) = used.iter().find(|class| character(**class).is_none()) {
        return Err(format!(
            "has no characters for label {}; mend this file, or take it away",
            label(*class)
        ));
    }
    let Some(names) = (0..=u16::MAX).take(classes).map(character).collect::<Option<Vec<_>>>() else {
        return Ok(label_names(first_label, classes));
    };
    let names = ClassNames::new(names);
    names.validate(classes).map_err(|e| format!("{e}; mend this file, or take it away"))?;
    Ok(names)
}

/// The labels of the files, where these are not the numbers of the classes.
fn label_names(first_label: u8, classes: usize) -> ClassNames {
    let labels: Range<usize> = first_label.into()..usize::from(first_label) + classes;
    match first_label {
        0 => ClassNames::default(),
        _ => ClassNames::new(labels.map(|label| label.to_string())),
    }
}

struct Idx {
    sizes: Vec<usize>,
    bytes: Vec<u8>,
}

impl Idx {
    /// Of a whole file, unpacked, with `axes` sizes in its header.
    fn parse(bytes: &[u8], magic: u32, axes: usize) -> std::result::Result<Self, String> {
        let header = 4 * (1 + axes);
        let cut =
            |total: u64| format!("is cut short: it ends at byte {} of {total}; fetch it again", bytes.len());
        let (words, data) = bytes.split_at_checked(header).ok_or_else(|| cut(header as u64))?;
        let words: Vec<u32> = words.as_chunks::<4>().0.iter().map(|w| u32::from_be_bytes(*w)).collect();
        if words[0] != magic {
            return Err(format!(
                "starts with {:#010x} at byte 0, an idx file of this kind with {magic:#010x}",
                words[0]
            ));
        }
        let sizes: Vec<usize> = words[1..].iter().map(|w| *w as usize).collect();
        if let Some(axis) = sizes.iter().position(|s| *s == 0) {
            return Err(format!("size {axis} at byte {} is 0", 4 + 4 * axis));
        }
        let length = words[1..].iter().try_fold(1u64, |n, w| n.checked_mul(u64::from(*w)));
        let length = length.filter(|n| *n <= MAX_BYTES).ok_or_else(|| {
            format!("its header at byte 4 announces sizes {sizes:?}, more than {MAX_BYTES} bytes")
        })?;
        let total = header as u64 + length;
        if (bytes.len() as u64) < total {
            return Err(cut(total));
        }
        if bytes.len() as u64 > total {
            return Err(format!("goes on after byte {total}, where its header says it ends"));
        }
        Ok(Idx { sizes, bytes: data.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;

    fn gz(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(vec![], Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn idx(magic: u32, sizes: &[u32], content: &[u8]) -> Vec<u8> {
        let words = [&[magic], sizes].concat();
        [words.iter().flat_map(|w| w.to_be_bytes()).collect::<Vec<u8>>(), content.to_vec()].concat()
    }

    /// A folder of two 2x3 images a set, in which `change` may break things.
    fn folder(change: impl FnOnce(&Path)) -> Result<Split> {
        let folder = tempfile::tempdir().unwrap();
        for prefix in ["train", "t10k"] {
            let pixels: Vec<u8> = (0..12).collect();
            let images = gz(&idx(IMAGES_MAGIC, &[2, 2, 3], &pixels));
            std::fs::write(folder.path().join(format!("{prefix}-images-idx3-ubyte.gz")), images).unwrap();
            let labels = idx(LABELS_MAGIC, &[2], &[1, 4]);
            std::fs::write(folder.path().join(format!("{prefix}-labels-idx1-ubyte")), labels).unwrap();
        }
        change(folder.path());
        load(folder.path(), 0)
    }

    fn error_with(name: &str, bytes: Vec<u8>) -> String {
        folder(|f| std::fs::write(f.join(name), bytes).unwrap()).unwrap_err().to_string()
    }

    const IMAGES: &str = "train-images-idx3-ubyte.gz";
    const LABELS: &str = "t10k-labels-idx1-ubyte";

    #[test]
    fn reads_plain_and_gzipped_files() {
        let split = folder(|_| ()).unwrap();
        assert_eq!((split.train.len(), split.train.height, split.train.width), (2, 2, 3));
        assert_eq!((split.test.classes, &split.test.image(1).unwrap()[..]), (5, &[6, 7, 8, 9, 10, 11][..]));
    }

    /// As EMNIST's letters: a set's own names, labels from 1 on, and what they stand for.
    fn letters() -> Vec<(String, Vec<u8>)> {
        let mut files = vec![];
        for part in ["train", "test"] {
            let images = idx(IMAGES_MAGIC, &[2, 1, 1], &[7, 9]);
            files.push((format!("emnist-letters-{part}-images-idx3-ubyte.gz"), gz(&images)));
            files
                .push((format!("emnist-letters-{part}-labels-idx1-ubyte"), idx(LABELS_MAGIC, &[2], &[1, 2])));
        }
        files
    }

    fn load_letters(more: &[(&str, &[u8])], first_label: u8) -> Result<Split> {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("gzip");
        std::fs::create_dir(&place).unwrap();
        letters().iter().for_each(|(name, bytes)| std::fs::write(place.join(name), bytes).unwrap());
        more.iter().for_each(|(name, bytes)| std::fs::write(place.join(name), bytes).unwrap());
        load(folder.path(), first_label)
    }

    #[test]
    fn a_set_may_have_a_name_and_labels_of_its_own() {
        let Split { train, test } = load_letters(&[], 0).unwrap();
        assert_eq!((&train.labels, train.classes, train.empty_classes()), (&vec![1, 2], 3, vec![0]));
        assert_eq!(test.image(1).unwrap()[..], [9]);
        let Split { train, test } = load_letters(&[], 1).unwrap();
        assert_eq!((train.labels, train.classes, test.labels), (vec![0, 1], 2, vec![0, 1]));
        assert_eq!(train.class_names, ClassNames::new(["1", "2"]));
        let mapping = ("emnist-letters-mapping.txt", &b"1 65 97 \r\n2 66 98\n"[..]);
        assert_eq!(load_letters(&[mapping], 1).unwrap().test.class_names, ClassNames::new(["Aa", "Bb"]));
        assert!(
            load_letters(&[mapping], 0).unwrap().test.class_names.is_empty(),
            "nothing is called by label 0"
        );
        for (text, said) in [
            ("1 65 97\n", "mapping.txt: has no characters for label 2"),
            ("1 65\n\n2 B\n", "line 3 is no label with the codes"),
            ("1 65\n2\n", "line 2 is no label"),
            ("1 65\n2 65\n", "`A` is the name of class 0 and of class 1"),
        ] {
            let mapping = ("emnist-letters-mapping.txt", text.as_bytes());
            let error = load_letters(&[mapping], 1).err().unwrap().to_string();
            assert!(error.contains(said), "{error}");
        }
        let error = load_letters(&[], 2).err().unwrap().to_string();
        assert!(error.contains("label 1 at byte 8 is below 2"), "{error}");
    }

    #[test]
    fn of_several_sets_one_has_to_be_given() {
        let other = ("emnist-digits-train-images-idx3-ubyte", &b""[..]);
        let error = load_letters(&[other], 0).err().unwrap().to_string();
        assert!(error.contains("holds 2 sets (gzip/emnist-digits, gzip/emnist-letters)"), "{error}");
        let folder = tempfile::tempdir().unwrap();
        for name in ["train-images-idx3-ubyte", "own-train-images-idx3-ubyte"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let error = load(folder.path(), 0).err().unwrap().to_string();
        assert!(error.contains("holds 2 sets (one without a name, own)"), "{error}");
    }

    #[test]
    fn names_with_dots_and_in_archives_are_read() {
        let mut builder = tar::Builder::new(vec![]);
        for (name, bytes) in letters() {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            let name = name.replace("-idx", ".idx").replace("emnist-letters-", "");
            builder.append_data(&mut header, format!("raw/{name}"), bytes.as_slice()).unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set.tar");
        std::fs::write(&path, builder.into_inner().unwrap()).unwrap();
        assert_eq!(load(&path, 0).unwrap().train.labels, [1, 2]);
    }

    #[test]
    fn names_the_byte_where_a_file_ends() {
        let cut = idx(IMAGES_MAGIC, &[2, 2, 3], &[0; 7]);
        assert!(error_with(IMAGES, gz(&cut)).contains("cut short: it ends at byte 23 of 28"));
        let mut packed = gz(&idx(IMAGES_MAGIC, &[2, 2, 3], &[0; 12]));
        packed.truncate(packed.len() - 14);
        assert!(error_with(IMAGES, packed).contains("(unpacked)"));
        assert!(error_with(LABELS, vec![0, 0, 8]).contains("byte 3 of 8"));
    }

    #[test]
    fn rejects_what_contradicts_itself() {
        assert!(error_with(IMAGES, gz(&idx(7, &[2, 2, 3], &[0; 12]))).contains("0x00000007 at byte 0"));
        assert!(error_with(IMAGES, gz(&idx(IMAGES_MAGIC, &[u32::MAX; 3], &[]))).contains("announces"));
        assert!(error_with(IMAGES, gz(&idx(IMAGES_MAGIC, &[1, 2, 3], &[0; 6]))).contains("2 labels"));
        assert!(
            error_with(IMAGES, gz(&idx(IMAGES_MAGIC, &[2, 2, 3], &[0; 13])))
                .contains("goes on after byte 28")
        );
        assert!(error_with(LABELS, idx(LABELS_MAGIC, &[2], &[1, 64])).contains("label 64 at byte 9"));
    }

    #[test]
    fn names_a_missing_file() {
        let error = folder(|f| std::fs::remove_file(f.join(LABELS)).unwrap()).unwrap_err().to_string();
        assert!(error.contains("has no file t10k-labels-idx1-ubyte, plain or packed"), "{error}");
    }
}
