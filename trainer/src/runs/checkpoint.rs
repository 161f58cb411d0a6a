//! The state of a run in one file, from which it goes on exactly.

use crate::Model;
use crate::error::{Error, Result};
use crate::runs::average::Average;
use crate::runs::config::TrainConfig;
use crate::runs::difference::difference;
use crate::runs::optimizer::Sgd;
use crc32c::{crc32c, crc32c_append};
use empf_ir::{Codes, store};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

const VERSION: u32 = 2;
/// Key of the header in the file's metadata.
const HEADER: &str = "empf-checkpoint";
/// Key of the checksum in the file's metadata.
const CHECKSUM: &str = "crc32c";
/// What to do where a run cannot go on.
const START_OVER: &str = "start over in another folder";

/// What a run is: a checkpoint goes on only with all of this unchanged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) config: TrainConfig,
    /// Name, T, classes, input and nodes.
    pub(crate) graph: Value,
    /// SHA-256 of the training data.
    pub(crate) data: String,
}

impl Identity {
    /// In what `here` is another run, in words that follow "other"; nothing where it is the same.
    fn difference(&self, here: &Self) -> serde_json::Result<Option<String>> {
        let settings = |identity: &Self| serde_json::to_value(&identity.config);
        let said = |what: &str, there: &Value, here: &Value| {
            difference(there, here).map(|difference| format!("{what}: {difference}"))
        };
        let data = || (self.data != here.data).then(|| "training data".to_owned());
        let settings = said("settings", &settings(self)?, &settings(here)?);
        Ok(settings.or_else(|| said("network", &self.graph, &here.graph)).or_else(data))
    }
}

/// Where a run is, and what the current epoch has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Position {
    pub(crate) epoch: usize,
    /// Batches of the epoch that are done.
    pub(crate) batch: usize,
    /// Sum of the losses of the epoch's images.
    pub(crate) loss: f64,
    pub(crate) correct: usize,
    pub(crate) seen: usize,
}

/// What changes from batch to batch.
pub(crate) struct State<'a> {
    pub(crate) model: &'a mut Model<f32>,
    pub(crate) sgd: &'a mut Sgd<f32>,
    pub(crate) average: Option<&'a mut Average>,
}

impl State<'_> {
    /// What the optimizer and the average keep, by name.
    fn followers(&mut self) -> Vec<(String, &mut Vec<f32>)> {
        let names: Vec<String> =
            self.model.params().iter().map(|(name, _)| format!("{name}.velocity")).collect();
        let velocities = names.into_iter().zip(&mut self.sgd.velocity);
        let averages = self.average.iter_mut().flat_map(|average| average.states.iter_mut().enumerate());
        velocities.chain(averages.map(|(i, state)| (format!("average.{i}"), state))).collect()
    }
}

#[derive(Serialize, Deserialize)]
struct Header {
    version: u32,
    identity: Identity,
    position: Position,
    codes: Option<Codes>,
}

/// CRC-32C of the header and of names, shapes and values of all tensors, in the order of their names.
fn checksum<'t>(header: &str, tensors: impl Iterator<Item = (&'t str, &'t TensorView<'t>)>) -> String {
    let sorted: BTreeMap<_, _> = tensors.collect();
    let sum = sorted.into_iter().fold(crc32c(header.as_bytes()), |sum, (name, view)| {
        let shape = format!("{name}{:?}", view.shape());
        crc32c_append(crc32c_append(sum, shape.as_bytes()), view.data())
    });
    sum.to_string()
}

/// Writes the state to `path`, whole or not at all.
pub(crate) fn save(path: &Path, identity: &Identity, position: Position, mut state: State<'_>) -> Result<()> {
    let broken = |e: &dyn std::fmt::Display| Error::Checkpoint { path: path.into(), message: e.to_string() };
    let bytes = |values: &[f32]| values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = state
        .model
        .tensors()
        .into_iter()
        .map(|(name, shape, values)| (name, shape, bytes(&values)))
        .collect();
    for (name, values) in state.followers() {
        tensors.push((name, vec![values.len()], bytes(values)));
    }
    let mut views = Vec::with_capacity(tensors.len());
    for (name, shape, bytes) in &tensors {
        let view = TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(|e| broken(&e))?;
        views.push((name, view));
    }
    let codes = state.model.codes();
    let header = Header { version: VERSION, identity: identity.clone(), position, codes };
    let header = serde_json::to_string(&header).map_err(|e| broken(&e))?;
    let sum = checksum(&header, views.iter().map(|(name, view)| (name.as_str(), view)));
    let metadata = HashMap::from([(CHECKSUM.to_string(), sum), (HEADER.to_string(), header)]);
    let file = safetensors::serialize(views, Some(metadata)).map_err(|e| broken(&e))?;
    Ok(store::write(path, &file)?)
}

/// Puts `state` where the checkpoint at `path` left off.
pub(crate) fn load(path: &Path, identity: &Identity, mut state: State<'_>) -> Result<Position> {
    let wrong = |message: String| Error::Checkpoint { path: path.into(), message };
    let damaged = |e: &dyn std::fmt::Display| wrong(format!("is damaged ({e}); {START_OVER}"));
    let bytes = store::read(path)?;
    let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(|e| damaged(&e))?;
    let said = |key| metadata.metadata().as_ref().and_then(|m| m.get(key));
    let header = said(HEADER).ok_or_else(|| damaged(&"no header"))?;
    let version: Value = serde_json::from_str(header).map_err(|e| damaged(&e))?;
    if version["version"] != VERSION {
        return Err(wrong(format!("is of version {}, expected {VERSION}; {START_OVER}", version["version"])));
    }
    let file = SafeTensors::deserialize(&bytes).map_err(|e| damaged(&e))?;
    let sum = checksum(header, file.tensors().iter().map(|(name, view)| (name.as_str(), view)));
    match said(CHECKSUM) {
        Some(expected) if *expected == sum => {}
        Some(expected) => return Err(damaged(&format!("its CRC-32C is {sum}, it says {expected}"))),
        None => return Err(damaged(&"no checksum")),
    }
    let header: Header = serde_json::from_str(header).map_err(|e| damaged(&e))?;
    if let Some(other) = header.identity.difference(identity).map_err(|e| damaged(&e))? {
        return Err(wrong(format!("belongs to a run with other {other}; use those, or {START_OVER}")));
    }

    let read = |name: &str| -> Result<(Vec<usize>, Vec<f32>)> {
        let view = file.tensor(name).map_err(|e| damaged(&e))?;
        if view.dtype() != Dtype::F32 {
            return Err(damaged(&format!("tensor `{name}` is {:?}", view.dtype())));
        }
        let values = view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        Ok((view.shape().to_vec(), values))
    };
    if let Some(codes) = &header.codes {
        state.model.set_codes(codes)?;
    }
    for (name, _, _) in state.model.tensors() {
        let (shape, values) = read(&name)?;
        state.model.set(&name, &shape, &values.iter().map(|x| f64::from(*x)).collect::<Vec<f64>>())?;
    }
    for (name, values) in state.followers() {
        let (_, read) = read(&name)?;
        if read.len() != values.len() {
            return Err(damaged(&format!("tensor `{name}` has {} elements", read.len())));
        }
        *values = read;
    }
    Ok(header.position)
}
