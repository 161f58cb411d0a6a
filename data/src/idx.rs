//! The idx files of MNIST and its kin, plain or gzipped.

use crate::dataset::{Dataset, Split};
use crate::error::{Error, Result};
use crate::unpack::{find, open};
use std::io::Read;
use std::path::{Path, PathBuf};

const IMAGES_MAGIC: u32 = 0x0000_0803;
const LABELS_MAGIC: u32 = 0x0000_0801;
/// Largest content of a file, so that a broken header cannot ask for all memory.
const MAX_BYTES: u64 = 1 << 31;
/// Labels are digits or letters; more classes than this are a broken file.
const MAX_CLASSES: usize = 64;

/// Reads `{train,t10k}-{images-idx3,labels-idx1}-ubyte[.gz]` from `folder`.
pub fn load(folder: &Path) -> Result<Split> {
    let mut train = set(folder, "train")?;
    let mut test = set(folder, "t10k")?;
    if (train.height, train.width) != (test.height, test.width) {
        let message = format!(
            "training images are {}x{}, test images {}x{}",
            train.height, train.width, test.height, test.width
        );
        return Err(Error::File { path: folder.into(), message });
    }
    train.classes = train.classes.max(test.classes);
    test.classes = train.classes;
    Ok(Split { train, test })
}

fn set(folder: &Path, prefix: &str) -> Result<Dataset> {
    let images = Idx::read(&find(folder, &format!("{prefix}-images-idx3-ubyte"))?, IMAGES_MAGIC, 3)?;
    let labels = Idx::read(&find(folder, &format!("{prefix}-labels-idx1-ubyte"))?, LABELS_MAGIC, 1)?;
    if images.sizes[0] != labels.sizes[0] {
        let message = format!("holds {} labels, but there are {} images", labels.sizes[0], images.sizes[0]);
        return Err(Error::File { path: labels.path, message });
    }
    let classes = labels.bytes.iter().max().map_or(0, |top| usize::from(*top) + 1);
    if classes > MAX_CLASSES {
        let at = labels.bytes.iter().position(|l| usize::from(*l) + 1 == classes).unwrap_or(0);
        let message = format!("label {} at byte {} is above {}", classes - 1, 8 + at, MAX_CLASSES - 1);
        return Err(Error::File { path: labels.path, message });
    }
    Ok(Dataset {
        channels: 1,
        height: images.sizes[1],
        width: images.sizes[2],
        frames: 1,
        classes,
        class_names: Default::default(),
        pixels: images.bytes.into(),
        labels: labels.bytes.into_iter().map(u16::from).collect(),
    })
}

struct Idx {
    path: PathBuf,
    sizes: Vec<usize>,
    bytes: Vec<u8>,
}

impl Idx {
    fn read(path: &Path, magic: u32, axes: usize) -> Result<Self> {
        let data = |message: String| Error::File { path: path.into(), message };
        let mut input = open(path)?;
        let header_bytes = 4 * (1 + axes) as u64;
        let header = read_exactly(&mut input, header_bytes, 0, header_bytes).map_err(data)?;
        let words: Vec<u32> = header.as_chunks::<4>().0.iter().map(|w| u32::from_be_bytes(*w)).collect();
        if words[0] != magic {
            return Err(data(format!(
                "starts with {:#010x} at byte 0, an idx file of this kind with {magic:#010x}",
                words[0]
            )));
        }
        let sizes: Vec<usize> = words[1..].iter().map(|w| *w as usize).collect();
        if let Some(axis) = sizes.iter().position(|s| *s == 0) {
            return Err(data(format!("size {axis} at byte {} is 0", 4 + 4 * axis)));
        }
        let length = words[1..].iter().try_fold(1u64, |n, w| n.checked_mul(u64::from(*w)));
        let length = length.filter(|n| *n <= MAX_BYTES).ok_or_else(|| {
            data(format!("its header at byte 4 announces sizes {sizes:?}, more than {MAX_BYTES} bytes"))
        })?;
        let bytes = read_exactly(&mut input, length, header_bytes, header_bytes + length).map_err(data)?;
        match input.read(&mut [0]) {
            Ok(0) => Ok(Idx { path: path.into(), sizes, bytes }),
            Ok(_) => Err(data(format!(
                "goes on after byte {}, where its header says it ends",
                header_bytes + length
            ))),
            Err(e) => Err(data(format!("is damaged after byte {}: {e}", header_bytes + length))),
        }
    }
}

/// The next `length` bytes, which start at byte `offset` of `total`; memory grows only with what is there.
fn read_exactly(
    input: &mut dyn Read,
    length: u64,
    offset: u64,
    total: u64,
) -> std::result::Result<Vec<u8>, String> {
    let mut bytes = vec![];
    let result = input.take(length).read_to_end(&mut bytes);
    let end = offset + bytes.len() as u64;
    match result {
        Ok(_) if bytes.len() as u64 == length => Ok(bytes),
        Ok(_) => Err(format!("is cut short: it ends at byte {end} of {total}; fetch it again")),
        Err(e) => {
            Err(format!("is damaged or cut short at byte {end} of {total} (unpacked): {e}; fetch it again"))
        }
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
        load(folder.path())
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
        assert!(error.contains("has no file t10k-labels-idx1-ubyte.gz"), "{error}");
    }
}
