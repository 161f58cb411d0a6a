//! Samples from NumPy's files, and results as such.
//!
//! Headers are read here and not by `ndarray-npy`, which reserves whatever memory a header asks for.

use crate::{Error, Result};
use empf_ir::{QuantInput, Trace, counted, store};
use ndarray::{Array1, Array2, Array5, ArrayD, Axis, Ix5, IxDyn, ShapeBuilder};
use ndarray_npy::{NpzWriter, WriteNpzError};
use std::io::{Cursor, Read};
use std::path::Path;
use zip::ZipArchive;
use zip::result::ZipError;

/// Name of the samples in an archive.
const INPUTS: &str = "inputs";
/// Name of their classes.
const LABELS: &str = "labels";
/// Largest unpacked member of an archive, so that a small file cannot ask for all memory.
const MAX_BYTES: u64 = 1 << 31;

/// What enters a network, many times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inputs {
    /// Codes, `[sample, frame, channel, y, x]`.
    pub frames: Array5<u8>,
    /// Class of each sample, where they are known.
    pub labels: Option<Vec<usize>>,
}

type Text<T> = std::result::Result<T, String>;

/// Reads samples for a network that takes `input`: a `.npy` file, or the arrays `inputs` and, where there is
/// one, `labels` of an `.npz`.
///
/// Samples are of type uint8, `[N, frames, C, H, W]`, or `[N, C, H, W]` where the input is static; labels are
/// uint8 or int64, `[N]`.
pub fn read_inputs(path: &Path, input: &QuantInput) -> Result<Inputs> {
    let bytes = store::read(path)?;
    let inputs = match bytes.starts_with(b"PK") {
        true => from_archive(&bytes, input),
        false => {
            Npy::parse(&bytes).and_then(|npy| npy.frames(input)).map(|frames| Inputs { frames, labels: None })
        }
    };
    inputs.map_err(|message| Error::Numpy { path: path.into(), message })
}

fn from_archive(bytes: &[u8], input: &QuantInput) -> Text<Inputs> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| damaged(&e))?;
    let Some(inputs) = member(&mut archive, INPUTS)? else {
        let names: Vec<&str> = archive.file_names().collect();
        return Err(format!(
            "has no array `{INPUTS}`, but {}; np.savez(file, {INPUTS}=...)",
            names.join(", ")
        ));
    };
    let of = |name: &'static str| move |message: String| format!("array `{name}` {message}");
    let frames = Npy::parse(&inputs).and_then(|npy| npy.frames(input)).map_err(of(INPUTS))?;
    let labels = match member(&mut archive, LABELS)? {
        Some(labels) => {
            let labels = Npy::parse(&labels).and_then(|npy| npy.labels(frames.len_of(Axis(0))));
            Some(labels.map_err(of(LABELS))?)
        }
        None => None,
    };
    Ok(Inputs { frames, labels })
}

fn damaged(error: &dyn std::fmt::Display) -> String {
    format!("is no whole .npz file ({error}); copy or write it again")
}

/// The file of array `name`; `None` where there is no such array.
fn member(archive: &mut ZipArchive<Cursor<&[u8]>>, name: &str) -> Text<Option<Vec<u8>>> {
    let file = match archive.by_name(&format!("{name}.npy")) {
        Ok(file) => file,
        Err(ZipError::FileNotFound) => return Ok(None),
        Err(error) => return Err(damaged(&error)),
    };
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|e| damaged(&e))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(format!("array `{name}` is larger than {MAX_BYTES} bytes; split it"));
    }
    Ok(Some(bytes))
}

/// The parts of a `.npy` file.
struct Npy<'a> {
    /// Type of an element, such as `|u1`.
    descr: String,
    /// The first axis is the fastest.
    fortran: bool,
    shape: Vec<usize>,
    data: &'a [u8],
}

impl<'a> Npy<'a> {
    fn parse(bytes: &'a [u8]) -> Text<Self> {
        const CUT: &str = "is cut short within its header; copy or write it again";
        let rest = bytes.strip_prefix(b"\x93NUMPY").ok_or("is no .npy or .npz file; save it with np.save")?;
        let (length, rest) = match rest {
            [1, _, a, b, rest @ ..] => (usize::from(u16::from_le_bytes([*a, *b])), rest),
            [2 | 3, _, a, b, c, d, rest @ ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, rest),
            [1..=3, ..] | [] => return Err(CUT.into()),
            [version, ..] => return Err(format!("is of .npy version {version}; versions 1 to 3 are read")),
        };
        let (header, data) = rest.split_at_checked(length).ok_or(CUT)?;
        let header = String::from_utf8_lossy(header);
        let unreadable = || format!("has a header that cannot be read: {header}");
        let value = |key: &str| {
            header.split_once(&format!("'{key}':")).map(|(_, rest)| rest.trim_start()).ok_or_else(unreadable)
        };
        let descr = value("descr")?.strip_prefix('\'').and_then(|v| v.split_once('\''));
        let shape = value("shape")?.strip_prefix('(').and_then(|v| v.split_once(')'));
        let sizes = shape.ok_or_else(unreadable)?.0.split(',').map(str::trim).filter(|s| !s.is_empty());
        Ok(Npy {
            descr: descr.ok_or_else(unreadable)?.0.into(),
            fortran: value("fortran_order")?.starts_with("True"),
            shape: sizes.map(|s| s.parse().map_err(|_| unreadable())).collect::<Text<_>>()?,
            data,
        })
    }

    /// Codes of samples, five axes.
    fn frames(&self, input: &QuantInput) -> Text<Array5<u8>> {
        let QuantInput { channels, height, width, frames } = *input;
        if self.descr != "|u1" {
            let descr = &self.descr;
            return Err(format!(
                "is of type `{descr}`; inputs are codes 0..=255 of type `|u1`{}",
                self.conversion()
            ));
        }
        let mut shape = self.shape.clone();
        if shape.len() == 4 && frames == 1 {
            shape.insert(1, 1);
        }
        if shape.len() != 5 || shape[1..] != [frames, channels, height, width] {
            let short =
                if frames == 1 { format!("[N, {channels}, {height}, {width}] or ") } else { String::new() };
            return Err(format!(
                "has shape {:?}, the network takes {short}[N, {frames}, {channels}, {height}, {width}]",
                self.shape
            ));
        }
        if shape[0] == 0 {
            return Err(format!("has shape {:?}: there is no sample", self.shape));
        }
        let data = self.exactly(1)?;
        let array = ArrayD::from_shape_vec(IxDyn(&shape).set_f(self.fortran), data.to_vec());
        array.and_then(|a| a.into_dimensionality::<Ix5>()).map_err(|e| e.to_string())
    }

    /// How numbers of another type become codes, in NumPy's words.
    fn conversion(&self) -> String {
        let range = match self.descr.as_str() {
            "<f4" => range(self.data.as_chunks().0.iter().map(|word| f64::from(f32::from_le_bytes(*word)))),
            "<f8" => range(self.data.as_chunks().0.iter().map(|word| f64::from_le_bytes(*word))),
            "<i4" => range(self.data.as_chunks().0.iter().map(|word| f64::from(i32::from_le_bytes(*word)))),
            "<i8" => range(self.data.as_chunks().0.iter().map(|word| i64::from_le_bytes(*word) as f64)),
            "|b1" => Some((0.0, 1.0)),
            _ => None,
        };
        match range {
            Some((low, high)) if low >= 0.0 && high <= 1.0 => {
                format!(", these are from {low} to {high}: (x * 255).round().astype('uint8')")
            }
            Some((low, high)) if low >= 0.0 && high <= 255.0 => ": x.round().astype('uint8')".into(),
            Some((low, high)) => format!(
                ", these are from {low} to {high}; a value v has the code v / scale + zero_point, with both of \
                 network.json"
            ),
            None => String::new(),
        }
    }

    /// Classes of `count` samples.
    fn labels(&self, count: usize) -> Text<Vec<usize>> {
        if self.shape != [count] {
            let is = if count == 1 { "is" } else { "are" };
            return Err(format!("has shape {:?}, but there {is} {}", self.shape, counted(count, "sample")));
        }
        let label =
            |value: i64| usize::try_from(value).map_err(|_| format!("holds {value}; a class is 0 or more"));
        match self.descr.as_str() {
            "|u1" => Ok(self.exactly(1)?.iter().map(|l| usize::from(*l)).collect()),
            "<i8" => {
                let words = self.exactly(8)?.as_chunks::<8>().0;
                words.iter().map(|word| label(i64::from_le_bytes(*word))).collect()
            }
            other => {
                Err(format!("is of type `{other}`; labels are of type `|u1` or `<i8`: y.astype('int64')"))
            }
        }
    }

    /// The data, which is what elements of `size` bytes take.
    fn exactly(&self, size: usize) -> Text<&'a [u8]> {
        let expected = self.shape.iter().try_fold(size, |bytes, n| bytes.checked_mul(*n));
        match expected {
            Some(expected) if expected == self.data.len() => Ok(self.data),
            _ => Err(format!(
                "has {} bytes of data, shape {:?} takes {}; copy or write it again",
                self.data.len(),
                self.shape,
                expected.map_or("more than there is memory".into(), |n| n.to_string())
            )),
        }
    }
}

/// Smallest and largest of `numbers`, where there are some and all are finite.
fn range(numbers: impl Iterator<Item = f64> + Clone) -> Option<(f64, f64)> {
    let finite = numbers.clone().all(f64::is_finite);
    Some((numbers.clone().reduce(f64::min)?, numbers.reduce(f64::max)?)).filter(|_| finite)
}

/// Writes what an engine computed for samples of one network as an `.npz`, whole or not at all: `inputs`
/// `[N, frame, channel, y, x]` and, where they are known, `labels` `[N]`, so that [`read_inputs`] takes it; `logits`
/// `[N, class]`, `cycles` `[N]` where they are counted, and `tensors/<node>` `[N, frame, channel, y, x]`.
pub fn write_outputs(path: &Path, inputs: &Inputs, traces: &[Trace]) -> Result<()> {
    let failed = |message: String| Error::Numpy { path: path.into(), message };
    store::write(path, &archive(inputs, traces).map_err(failed)?)?;
    Ok(())
}

fn archive(inputs: &Inputs, traces: &[Trace]) -> Text<Vec<u8>> {
    let write = |e: WriteNpzError| format!("cannot be made: {e}");
    let shape = |e: ndarray::ShapeError| format!("cannot be made, results differ in shape: {e}");
    let mut npz = NpzWriter::new_compressed(Cursor::new(Vec::new()));
    npz.add_array(INPUTS, &inputs.frames).map_err(write)?;
    if let Some(labels) = &inputs.labels {
        let labels: Array1<i64> = labels.iter().map(|label| *label as i64).collect();
        npz.add_array(LABELS, &labels).map_err(write)?;
    }
    let classes = traces.first().map_or(0, |trace| trace.logits.len());
    let logits = traces.iter().flat_map(|trace| trace.logits.iter().copied()).collect();
    npz.add_array("logits", &Array2::from_shape_vec((traces.len(), classes), logits).map_err(shape)?)
        .map_err(write)?;
    if let Some(cycles) = traces.iter().map(|trace| trace.cycles).collect::<Option<Vec<u64>>>() {
        npz.add_array("cycles", &Array1::from_vec(cycles)).map_err(write)?;
    }
    for name in traces.first().iter().flat_map(|trace| trace.tensors.keys()) {
        let views: Vec<_> = traces.iter().filter_map(|t| t.tensors.get(name)).map(|t| t.view()).collect();
        let all = ndarray::stack(Axis(0), &views).map_err(shape)?;
        npz.add_array(format!("tensors/{name}"), &all).map_err(write)?;
    }
    Ok(npz.finish().map_err(write)?.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array4, array, s};
    use ndarray_npy::{NpzReader, WriteNpyExt};

    const INPUT: QuantInput = QuantInput { channels: 2, height: 3, width: 2, frames: 1 };

    fn codes() -> Array5<u8> {
        Array5::from_shape_fn((3, 1, 2, 3, 2), |(n, _, c, y, x)| (60 * n + 20 * c + 3 * y + x) as u8)
    }

    fn npy(array: &impl WriteNpyExt) -> Vec<u8> {
        let mut bytes = Vec::new();
        array.write_npy(&mut bytes).unwrap();
        bytes
    }

    fn read(bytes: &[u8], input: &QuantInput) -> Result<Inputs> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.npy");
        std::fs::write(&file, bytes).unwrap();
        read_inputs(&file, input)
    }

    fn error(bytes: &[u8]) -> String {
        read(bytes, &INPUT).unwrap_err().to_string()
    }

    fn npz(labels: &[i64]) -> Vec<u8> {
        let mut npz = NpzWriter::new_compressed(Cursor::new(Vec::new()));
        npz.add_array("inputs", &codes()).unwrap();
        npz.add_array("labels", &Array1::from_vec(labels.to_vec())).unwrap();
        npz.finish().unwrap().into_inner()
    }

    #[test]
    fn samples_have_five_axes_or_four() {
        assert_eq!(read(&npy(&codes()), &INPUT).unwrap(), Inputs { frames: codes(), labels: None });
        let images = codes().remove_axis(Axis(1));
        assert_eq!(read(&npy(&images), &INPUT).unwrap().frames, codes());
        let turned = images.t();
        let columns_first = turned.as_standard_layout().reversed_axes();
        assert_eq!(read(&npy(&columns_first), &INPUT).unwrap().frames, codes());
        assert_eq!(read(&npz(&[4, 0, 300]), &INPUT).unwrap().labels, Some(vec![4, 0, 300]));
    }

    #[test]
    fn wrong_types_and_shapes_are_named() {
        let floats = |factor: f32| error(&npy(&codes().mapv(|code| factor * f32::from(code))));
        let whole = floats(1.0);
        assert!(whole.contains("type `<f4`") && whole.ends_with(": x.round().astype('uint8')"), "{whole}");
        let shares = floats(1.0 / 256.0);
        assert!(
            shares.contains("from 0 to ") && shares.ends_with(": (x * 255).round().astype('uint8')"),
            "{shares}"
        );
        let standardised = floats(-0.5);
        assert!(standardised.contains("v / scale + zero_point"), "{standardised}");
        assert!(error(&npy(&codes().mapv(i64::from))).ends_with(": x.round().astype('uint8')"));
        let turned = error(&npy(&codes().permuted_axes([0, 1, 2, 4, 3])));
        assert!(turned.contains("[3, 1, 2, 2, 3]") && turned.contains("[N, 1, 2, 3, 2]"), "{turned}");
        let none = error(&npy(&Array5::<u8>::zeros((0, 1, 2, 3, 2))));
        assert!(none.ends_with("has shape [0, 1, 2, 3, 2]: there is no sample"), "{none}");
        let frames = QuantInput { frames: 4, ..INPUT };
        let image = read(&npy(&codes().remove_axis(Axis(1))), &frames).unwrap_err().to_string();
        assert!(image.contains("takes [N, 4, 2, 3, 2]"), "{image}");
        assert!(error(&npz(&[1, 2])).contains("array `labels` has shape [2], but there are 3 samples"));
        assert!(error(&npz(&[1, -2, 3])).contains("holds -2"));
    }

    #[test]
    fn files_cut_short_are_refused_at_every_length() {
        for bytes in [npy(&codes()), npz(&[1, 2, 3])] {
            for length in 0..bytes.len() {
                assert!(read(&bytes[..length], &INPUT).is_err(), "{length} bytes");
            }
        }
        assert!(error(&npy(&codes())[..100]).contains("is cut short"));
        let bytes = npy(&codes());
        assert!(error(&bytes[..bytes.len() - 1]).contains("has 35 bytes of data"));
    }

    #[test]
    fn a_header_cannot_ask_for_memory() {
        let text = "{'descr': '|u1', 'fortran_order': False, 'shape': (4611686018427387904, 1, 2, 3, 2), }\n";
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((text.len() as u16).to_le_bytes());
        bytes.extend(text.as_bytes());
        assert!(error(&bytes).contains("more than there is memory"));
    }

    #[test]
    fn results_are_stacked_by_layer() {
        let trace = |n: i32| Trace {
            tensors: [("a/b".to_owned(), Array4::from_elem((2, 1, 3, 1), n))].into(),
            logits: vec![n, -n],
            cycles: Some(100),
            ..Trace::default()
        };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("out.npz");
        let inputs =
            Inputs { frames: codes().slice(s![..2, .., .., .., ..]).to_owned(), labels: Some(vec![1, 0]) };
        write_outputs(&file, &inputs, &[trace(7), trace(8)]).unwrap();
        assert_eq!(read_inputs(&file, &INPUT).unwrap(), inputs);
        let mut npz = NpzReader::new(std::fs::File::open(&file).unwrap()).unwrap();
        assert_eq!(npz.by_name::<_, _>("logits").map(|a: Array2<i32>| a).unwrap(), array![[7, -7], [8, -8]]);
        assert_eq!(npz.by_name::<_, _>("cycles").map(|a: Array1<u64>| a).unwrap(), array![100, 100]);
        let tensor: Array5<i32> = npz.by_name("tensors/a/b").unwrap();
        assert_eq!((tensor.dim(), tensor[[1, 0, 0, 2, 0]]), ((2, 2, 1, 3, 1), 8));
        let names = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(names, 1);
    }
}
