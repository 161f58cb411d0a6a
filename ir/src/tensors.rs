//! Named tensors in a safetensors file.

use crate::{Error, Result, store};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::BTreeMap;
use std::path::Path;

/// Elements of a tensor.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// 32-bit floating point.
    F32(Vec<f32>),
    /// 64-bit floating point.
    F64(Vec<f64>),
    /// 32-bit integers.
    I32(Vec<i32>),
    /// 64-bit integers.
    I64(Vec<i64>),
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
            _ => Err(Error::invalid(format!("tensor `{name}`"), "must be of type F32")),
        }
    }

    /// The integer values; `name` is for the error.
    pub fn as_i32(&self, name: &str) -> Result<&[i32]> {
        match &self.values {
            Values::I32(v) => Ok(v),
            _ => Err(Error::invalid(format!("tensor `{name}`"), "must be of type I32")),
        }
    }

    fn view(&self) -> (Dtype, Vec<u8>) {
        fn bytes<T: Copy, const N: usize>(v: &[T], f: impl Fn(T) -> [u8; N]) -> Vec<u8> {
            v.iter().flat_map(|x| f(*x)).collect()
        }
        match &self.values {
            Values::F32(v) => (Dtype::F32, bytes(v, f32::to_le_bytes)),
            Values::F64(v) => (Dtype::F64, bytes(v, f64::to_le_bytes)),
            Values::I32(v) => (Dtype::I32, bytes(v, i32::to_le_bytes)),
            Values::I64(v) => (Dtype::I64, bytes(v, i64::to_le_bytes)),
        }
    }

    fn from_view(view: &TensorView) -> Option<Tensor> {
        fn values<T, const N: usize>(data: &[u8], f: impl Fn([u8; N]) -> T) -> Vec<T> {
            data.as_chunks::<N>().0.iter().map(|c| f(*c)).collect()
        }
        let data = view.data();
        let values = match view.dtype() {
            Dtype::F32 => Values::F32(values(data, f32::from_le_bytes)),
            Dtype::F64 => Values::F64(values(data, f64::from_le_bytes)),
            Dtype::I32 => Values::I32(values(data, i32::from_le_bytes)),
            Dtype::I64 => Values::I64(values(data, i64::from_le_bytes)),
            _ => return None,
        };
        Some(Tensor { shape: view.shape().to_vec(), values })
    }
}

/// Tensors by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tensors(pub BTreeMap<String, Tensor>);

impl Tensors {
    /// The tensor called `name`.
    pub fn get(&self, name: &str) -> Result<&Tensor> {
        self.0.get(name).ok_or_else(|| Error::invalid(format!("tensor `{name}`"), "is missing"))
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
                .map_err(|e| Error::invalid(format!("tensor `{name}`"), e.to_string()))?;
            views.push((name.as_str(), view));
        }
        safetensors::serialize(views, None).map_err(|e| Error::invalid("tensors", e.to_string()))
    }

    /// Writes a safetensors file, whole or not at all.
    pub fn save(&self, path: &Path) -> Result<()> {
        store::write(path, &self.to_bytes()?)
    }

    /// Reads a safetensors file of F32, F64, I32 and I64 tensors.
    pub fn load(path: &Path) -> Result<Self> {
        let broken = |message: String| Error::Tensors { path: path.into(), message };
        let bytes = store::read(path)?;
        let file = SafeTensors::deserialize(&bytes).map_err(|e| broken(e.to_string()))?;
        let mut tensors = Tensors::default();
        for (name, view) in file.tensors() {
            let tensor = Tensor::from_view(&view).ok_or_else(|| {
                broken(format!("`{name}` is {:?}; F32, F64, I32 and I64 are read", view.dtype()))
            })?;
            tensors.insert(name, tensor);
        }
        Ok(tensors)
    }
}
