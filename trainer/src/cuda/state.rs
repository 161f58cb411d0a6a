//! Parameters, gradients and running statistics on the device, copied as a whole.

use super::buffer::Buffer;
use super::device::Device;
use super::fault::failed;
use super::norm::Running;
use super::param::Param;
use super::pointer::Pointer;
use crate::Float;
use crate::error::Result;
use crate::layers::layer::Layer;
use crate::layers::param;
use cudarc::driver::PinnedHostSlice;
use rayon::prelude::*;

/// Tensors start at multiples of this many elements: kernels read four at a time.
const ALIGNMENT: usize = 4;

/// Where the tensors of a layer lie.
#[derive(Debug)]
pub(super) struct Places<F> {
    params: Vec<(&'static str, Param<F>)>,
    moments: [Pointer<F>; 2],
}

impl<F: Float> Places<F> {
    /// Of the layer's parameter `name`, which it has.
    pub(super) fn param(&self, name: &str) -> Param<F> {
        let found = self.params.iter().find(|(n, _)| *n == name);
        found.unwrap_or_else(|| unreachable!("the layer has a parameter `{name}`")).1
    }

    /// Of the layer's running moments.
    pub(super) fn running(&self, eps: f64) -> Running<F> {
        let [mean, var] = self.moments;
        Running { mean, var, eps }
    }
}

/// All tensors of a model, one behind the other in the order of its layers.
#[derive(Debug)]
pub(super) struct State<F> {
    values: Buffer<F>,
    grads: Buffer<F>,
    running: Buffer<F>,
    /// Elements of all parameters.
    params: usize,
    /// Parameters or gradients, on their way between here and there.
    staging: PinnedHostSlice<F>,
    moments: Vec<F>,
}

impl<F: Float> State<F> {
    /// Room for the tensors of `layers`, and where each layer's lie.
    pub(super) fn new(device: &Device<F>, layers: &[Layer<F>]) -> Result<(Self, Vec<Places<F>>)> {
        let params = all_params(layers).map(|p| room(p.value.len())).sum();
        let moments: usize = layers.iter().filter_map(Layer::running).map(|r| 2 * room(r.mean.len())).sum();
        let mut state = State {
            values: Buffer::default(),
            grads: Buffer::default(),
            running: Buffer::default(),
            params,
            staging: device.allocate_pinned(params)?,
            moments: vec![F::zero(); moments],
        };
        pinned(&mut state.staging)?.fill(F::zero());
        let mut value = state.values.resize(device, params)?;
        let mut grad = state.grads.resize(device, params)?;
        let mut moment = state.running.resize(device, moments)?;
        let next = |pointer: &mut Pointer<F>, elements: usize| {
            let at = *pointer;
            *pointer = at.skip(room(elements));
            at
        };
        let places = layers.iter().map(|layer| {
            let params = layer.params().into_iter().map(|(name, p)| {
                let (elements, width) = (p.value.len(), p.shape.last().copied().unwrap_or(1) as i32);
                (name, Param { value: next(&mut value, elements), grad: next(&mut grad, elements), width })
            });
            let params = params.collect();
            let elements = layer.running().map_or(0, |r| r.mean.len());
            Places { params, moments: [next(&mut moment, elements), next(&mut moment, elements)] }
        });
        let places = places.collect();
        Ok((state, places))
    }

    /// Copies values and moments to the device; gradients are zero there.
    pub(super) fn upload(&mut self, device: &Device<F>, layers: &[Layer<F>]) -> Result<()> {
        let staging = pinned(&mut self.staging)?;
        gather(all_params(layers).map(|param| &param.value), staging);
        let moments = layers.iter().filter_map(Layer::running).flat_map(|r| [&r.mean, &r.var]);
        gather(moments, &mut self.moments);
        self.values.fill(device, staging)?;
        self.running.fill(device, &self.moments)?;
        self.grads.zeros(device, self.params)?;
        Ok(())
    }

    /// Copies gradients and moments from the device.
    pub(super) fn download(&mut self, device: &Device<F>, layers: &mut [Layer<F>]) -> Result<()> {
        let staging = pinned(&mut self.staging)?;
        self.grads.read(device, staging)?;
        self.running.read(device, &mut self.moments)?;
        let moments =
            layers.iter_mut().filter_map(Layer::running_mut).flat_map(|r| [&mut r.mean, &mut r.var]);
        scatter(&self.moments, moments);
        let params = layers.iter_mut().flat_map(|layer| layer.params_mut());
        scatter(staging, params.map(|(_, param)| &mut param.grad));
        Ok(())
    }
}

/// Elements that a tensor of `elements` takes.
fn room(elements: usize) -> usize {
    elements.next_multiple_of(ALIGNMENT)
}

/// Memory that the device copies from and to by itself.
fn pinned<F: Float>(staging: &mut PinnedHostSlice<F>) -> Result<&mut [F]> {
    staging.as_mut_slice().map_err(failed)
}

/// Copies `from` one behind the other to `to`.
fn gather<'a, F: Float>(from: impl Iterator<Item = &'a Vec<F>>, mut to: &mut [F]) {
    let mut pairs = vec![];
    for from in from {
        let (front, rest) = to.split_at_mut(room(from.len()));
        pairs.push((&mut front[..from.len()], from));
        to = rest;
    }
    pairs.into_par_iter().for_each(|(to, from)| to.copy_from_slice(from));
}

/// Copies what lies one behind the other in `from` to each of `to`.
fn scatter<'a, F: Float>(mut from: &[F], to: impl Iterator<Item = &'a mut Vec<F>>) {
    let mut pairs = vec![];
    for to in to {
        let (front, rest) = from.split_at(room(to.len()));
        pairs.push((&front[..to.len()], to));
        from = rest;
    }
    pairs.into_par_iter().for_each(|(from, to)| to.copy_from_slice(from));
}

fn all_params<F: Float>(layers: &[Layer<F>]) -> impl Iterator<Item = &param::Param<F>> {
    layers.iter().flat_map(|layer| layer.params()).map(|(_, param)| param)
}
