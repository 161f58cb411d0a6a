//! Named tensors in a safetensors file.

use crate::{Error, Result, store};
pub(crate) use safetensors::tensor::Dtype;
use safetensors::tensor::{SafeTensorError, SafeTensors, TensorView};
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

/// Elements of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// 32-bit floating point.
    F32(Vec<f32>),
    /// 32-bit integers.
    I32(Vec<i32>),
}

/// A dense row-major tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Extent of each axis, outermost first.
    pub shape: Vec<usize>,
    /// Elements, last axis fastest.
    pub values: Values,
}

impl Tensor {
    /// A float tensor; `values` has the product of `shape` elements.
    pub fn f32(shape: Vec<usize>, values: Vec<f32>) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), values.len());
        Tensor { shape, values: Values::F32(values) }
    }

    /// An integer tensor; `values` has the product of `shape` elements.
    pub fn i32(shape: Vec<usize>, values: Vec<i32>) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), values.len());
        Tensor { shape, values: Values::I32(values) }
    }

    /// The float values; `name` is for the error.
    pub fn as_f32(&self, name: &str) -> Result<&[f32]> {
        match &self.values {
            Values::F32(v) => Ok(v),
            _ => Err(Error::tensor(name, "must be of type F32")),
        }
    }

    /// The integer values; `name` is for the error.
    pub fn as_i32(&self, name: &str) -> Result<&[i32]> {
        match &self.values {
            Values::I32(v) => Ok(v),
            _ => Err(Error::tensor(name, "must be of type I32")),
        }
    }

    fn view(&self) -> (Dtype, Vec<u8>) {
        fn bytes<T: Copy, const N: usize>(v: &[T], f: impl Fn(T) -> [u8; N]) -> Vec<u8> {
            v.iter().flat_map(|x| f(*x)).collect()
        }
        match &self.values {
            Values::F32(v) => (Dtype::F32, bytes(v, f32::to_le_bytes)),
            Values::I32(v) => (Dtype::I32, bytes(v, i32::to_le_bytes)),
        }
    }

    fn from_view(view: &TensorView) -> Option<Tensor> {
        fn values<T, const N: usize>(data: &[u8], f: impl Fn([u8; N]) -> T) -> Vec<T> {
            data.as_chunks::<N>().0.iter().map(|c| f(*c)).collect()
        }
        let data = view.data();
        let values = match view.dtype() {
            Dtype::F32 => Values::F32(values(data, f32::from_le_bytes)),
            Dtype::I32 => Values::I32(values(data, i32::from_le_bytes)),
            _ => return None,
        };
        Some(Tensor { shape: view.shape().to_vec(), values })
    }
}

/// Why a file is none of tensors.
fn unreadable(path: &Path, error: SafeTensorError) -> Error {
    let path = path.to_owned();
    match error {
        SafeTensorError::InvalidHeaderDeserialization(error) => {
            Error::Syntax { path, message: format!("in the header of safetensors: {error}") }
        }
        other => Error::Tensors { path, message: other.to_string() },
    }
}

/// Tensors by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tensors(pub BTreeMap<String, Tensor>);

impl Tensors {
    /// The tensor called `name`.
    pub fn get(&self, name: &str) -> Result<&Tensor> {
        self.0.get(name).ok_or_else(|| Error::tensor(name, "is missing"))
    }

    /// Stores `tensor` as `name`.
    pub fn insert(&mut self, name: String, tensor: Tensor) {
        self.0.insert(name, tensor);
    }

    /// Bytes of a safetensors file with these tensors.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let raw: Vec<_> = self.0.iter().map(|(name, t)| (name, &t.shape, t.view())).collect();
        let mut views = Vec::with_capacity(raw.len());
        for (name, shape, (dtype, bytes)) in &raw {
            let view = TensorView::new(*dtype, shape.to_vec(), bytes)
                .map_err(|e| Error::tensor(*name, e.to_string()))?;
            views.push((name.as_str(), view));
        }
        safetensors::serialize(views, None).map_err(|e| Error::invalid("tensors", e.to_string()))
    }

    /// Writes a safetensors file, whole or not at all.
    pub fn save(&self, path: &Path) -> Result<()> {
        store::write(path, &self.to_bytes()?)
    }

    /// Reads a safetensors file whose tensors are all of `dtype`, F32 or I32.
    pub(crate) fn load(path: &Path, dtype: Dtype) -> Result<Self> {
        let bytes = store::read(path)?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| unreadable(path, error))?;
        let mut tensors = Tensors::default();
        for (name, view) in file.tensors().into_iter().collect::<BTreeMap<_, _>>() {
            let tensor = Tensor::from_view(&view).filter(|_| view.dtype() == dtype).ok_or_else(|| {
                let context = format!("{}, tensor `{name}`", path.display());
                Error::invalid(context, format!("is {:?}; convert it to {dtype:?}", view.dtype()))
            })?;
            tensors.insert(name, tensor);
        }
        Ok(tensors)
    }

    /// Every tensor is among the `known` ones.
    pub(crate) fn check_known(&self, known: &HashSet<String>) -> Result<()> {
        let Some(name) = self.0.keys().find(|name| !known.contains(*name)) else { return Ok(()) };
        let node = name.rsplit_once('.').map_or(name.as_str(), |(node, _)| node);
        let mut own: Vec<&str> = known
            .iter()
            .filter(|own| own.rsplit_once('.').is_some_and(|(of, _)| of == node))
            .map(String::as_str)
            .collect();
        own.sort_unstable();
        let message = match own.is_empty() {
            true => format!("no node called `{node}` has tensors"),
            false => format!("is not known; `{node}` has only `{}`", own.join("`, `")),
        };
        Err(Error::tensor(name, message))
    }
}
