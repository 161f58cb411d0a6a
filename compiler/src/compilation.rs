//! What the passes hand each other.

use crate::draft::Draft;
use crate::passes::calibrate::{Calibration, calibrate};
use crate::passes::{
    Pass, allocate, emit, fold_bn, lower, prove, quantize, reparameterize, resolve, schedule, tile,
};
use crate::plan::Plan;
use crate::{Error, Result};
use empf_ir::program::Step;
use empf_ir::{ArchConfig, Network, Program, QuantNetwork};
use ndarray::ArrayView5;
use serde_json::json;

/// A network on its way through the passes. Each pass reads what earlier ones left and leaves its own result.
#[derive(Debug)]
pub struct Compilation<'a> {
    arch: &'a ArchConfig,
    source: Option<(&'a Network, ArrayView5<'a, u8>)>,
    draft: Option<Draft>,
    calibration: Option<Calibration>,
    quantized: Option<QuantNetwork>,
    plan: Option<Plan>,
    steps: Option<Vec<Step>>,
    program: Option<Program>,
}

impl<'a> Compilation<'a> {
    /// Starts from a float network, with images `[image, frame, channel, y, x]` to calibrate on.
    pub fn of_network(network: &'a Network, images: ArrayView5<'a, u8>, arch: &'a ArchConfig) -> Self {
        Compilation { source: Some((network, images)), ..Self::empty(arch) }
    }

    /// Starts from an integer network, at the pass `lower`.
    pub fn of_integers(network: QuantNetwork, arch: &'a ArchConfig) -> Self {
        Compilation { quantized: Some(network), ..Self::empty(arch) }
    }

    fn empty(arch: &'a ArchConfig) -> Self {
        Compilation {
            arch,
            source: None,
            draft: None,
            calibration: None,
            quantized: None,
            plan: None,
            steps: None,
            program: None,
        }
    }

    /// Runs all passes up to `last`, and calls `after` behind each.
    pub fn run(&mut self, last: Pass, mut after: impl FnMut(Pass, &Self) -> Result<()>) -> Result<()> {
        let first = if self.source.is_some() { Pass::Resolve } else { Pass::Lower };
        for pass in Pass::ALL.into_iter().filter(|pass| (first..=last).contains(pass)) {
            self.pass(pass)?;
            after(pass, self)?;
        }
        Ok(())
    }

    /// Runs one pass.
    pub fn pass(&mut self, pass: Pass) -> Result<()> {
        let arch = self.arch;
        match pass {
            Pass::Resolve => self.draft = Some(resolve::resolve(self.source(pass)?.0)?),
            Pass::FoldBn => fold_bn::fold_bn(self.draft_mut(pass)?)?,
            Pass::Reparameterize => reparameterize::reparameterize(self.draft_mut(pass)?)?,
            Pass::Calibrate => {
                let images = self.source(pass)?.1;
                self.calibration = Some(calibrate(self.draft_mut(pass)?, images)?);
            }
            Pass::Quantize => {
                let seen = self.calibration.as_ref().ok_or_else(|| missing(pass, "a calibration"))?;
                let draft = self.draft.as_ref().ok_or_else(|| missing(pass, "a draft"))?;
                self.quantized = Some(quantize::quantize(draft, seen, arch)?);
            }
            Pass::Lower => self.plan = Some(lower::lower(self.quantized(pass)?, arch)?),
            Pass::Tile => tile::tile(self.planned(pass)?.0, arch),
            Pass::Prove => {
                let (plan, network) = self.planned(pass)?;
                prove::prove(plan, network, arch)?;
            }
            Pass::Allocate => {
                let (plan, network) = self.planned(pass)?;
                allocate::allocate(plan, network, arch)?;
            }
            Pass::Schedule => {
                let (plan, network) = self.planned(pass)?;
                self.steps = Some(schedule::schedule(plan, network, arch)?);
            }
            Pass::Emit => {
                let steps = self.steps.clone().ok_or_else(|| missing(pass, "a schedule"))?;
                let (plan, network) = self.planned(pass)?;
                self.program = Some(emit::emit(plan, steps, network, arch)?);
            }
        }
        Ok(())
    }

    /// JSON of what `pass` left: the graph without the tensors of an integer network, all of a draft.
    pub fn dump(&self, pass: Pass) -> serde_json::Value {
        match pass {
            Pass::Resolve | Pass::FoldBn | Pass::Reparameterize => json!(self.draft),
            Pass::Calibrate => json!(self.calibration),
            Pass::Quantize => {
                json!(self.quantized.as_ref().map(|q| json!({ "nodes": q.nodes, "scales": q.scales })))
            }
            Pass::Lower | Pass::Tile | Pass::Prove | Pass::Allocate => json!(self.plan),
            Pass::Schedule => json!(self.steps),
            Pass::Emit => json!(self.program.as_ref().map(|p| {
                json!({ "build_id": p.build_id, "memory": p.memory, "placements": p.placements })
            })),
        }
    }

    /// Neurons that did not spike once on the images; known from the pass `calibrate` on.
    pub fn silent(&self) -> Vec<&str> {
        let known = self.calibration.as_ref().zip(self.draft.as_ref());
        known.map_or(vec![], |(calibration, draft)| calibration.silent(draft))
    }

    /// The integer network; there from the pass `quantize` on.
    pub fn quantized(&self, pass: Pass) -> Result<&QuantNetwork> {
        self.quantized.as_ref().ok_or_else(|| missing(pass, "an integer network"))
    }

    /// The integer network and its program, when all passes have run.
    pub fn finish(self) -> Result<(QuantNetwork, Program)> {
        self.quantized.zip(self.program).ok_or_else(|| missing(Pass::Emit, "every pass before it"))
    }

    fn source(&self, pass: Pass) -> Result<(&'a Network, ArrayView5<'a, u8>)> {
        self.source.ok_or_else(|| missing(pass, "a float network and images"))
    }

    fn draft_mut(&mut self, pass: Pass) -> Result<&mut Draft> {
        self.draft.as_mut().ok_or_else(|| missing(pass, "a draft"))
    }

    /// The plan, to be changed, and what it is a plan of.
    fn planned(&mut self, pass: Pass) -> Result<(&mut Plan, &QuantNetwork)> {
        self.plan.as_mut().zip(self.quantized.as_ref()).ok_or_else(|| missing(pass, "a plan"))
    }
}

fn missing(pass: Pass, expected: &'static str) -> Error {
    Error::PassOrder { pass, expected }
}
