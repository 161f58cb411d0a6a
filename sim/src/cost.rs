//! What an inference costs, layer by layer: cycles, use of the array, bits of the memories.

use crate::accesses::Accesses;
use crate::cycles::Cycles;
use empf_ir::isa::{Array, Drain, Task, score_words};
use empf_ir::program::{Placement, Step};
use empf_ir::{ArchConfig, Program};
use serde::Serialize;
use std::collections::BTreeSet;

/// Costs of one inference.
#[derive(Clone, Debug)]
pub struct Cost {
    /// In the order of the schedule.
    pub layers: Vec<Layer>,
    /// Of the whole inference: more cycles than the layers have, by those of the input and of the schedule.
    pub total: Work,
    /// Bits that it reads and writes of each memory.
    pub accesses: Accesses,
}

/// Costs of a step of the schedule, or of all that do the same for other frames.
#[derive(Clone, Debug, Serialize)]
pub struct Layer {
    /// Node whose result the step writes.
    pub node: String,
    /// `unfold`, `conv`, `linear`, `attention`, `pool`.
    pub unit: &'static str,
    /// Cycles, and what the array does in them.
    #[serde(flatten)]
    pub work: Work,
    /// Bits of its weights in the weight ROM, rows and columns without a weight included.
    pub weight_bits: u64,
    /// Bits of its neurons' parameters and of its table of scores, or of its biases.
    pub parameter_bits: u64,
    /// Bits of its result in the activation memory.
    pub activation_bits: u64,
    /// Bits that it reads and writes of each memory.
    pub accesses: Accesses,
}

/// Cycles, and what the array does in them.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Work {
    /// Clock cycles.
    pub cycles: u64,
    /// Additions of a weight digit times an activation, borders included.
    pub useful_additions: u64,
    /// `useful_additions / (rows * cols * cycles)`.
    pub utilisation: f64,
}

impl Work {
    fn new(cycles: u64, useful_additions: u64, arch: &ArchConfig) -> Self {
        let possible = (arch.rows * arch.cols) as f64 * cycles as f64;
        let utilisation = if cycles == 0 { 0.0 } else { useful_additions as f64 / possible };
        Work { cycles, useful_additions, utilisation }
    }

    /// Of several layers together.
    pub fn sum<'a>(layers: impl IntoIterator<Item = &'a Layer>, arch: &ArchConfig) -> Self {
        let (mut cycles, mut additions) = (0, 0);
        for layer in layers {
            cycles += layer.work.cycles;
            additions += layer.work.useful_additions;
        }
        Work::new(cycles, additions, arch)
    }
}

impl Layer {
    /// Of a step; a table of scores counts where its number is not among `tables` yet, as all frames share it.
    fn new(
        step: &Step,
        cycles: u64,
        placements: &[Placement],
        arch: &ArchConfig,
        tables: &mut BTreeSet<u32>,
    ) -> Self {
        let mut parameter_bits = |drain: &Drain| {
            let is_new = drain.scales_currents() && tables.insert(drain.score_base);
            let scores = if is_new { score_words(drain.score_reach as usize) as u64 } else { 0 };
            (drain.parameter_words(arch) + scores) * u64::from(arch.parameter_bits())
        };
        let (unit, weight_bits, parameter_bits) = match &step.task {
            Task::Unfold(_) => ("unfold", 0, 0),
            Task::Pool(_) => ("pool", 0, 0),
            Task::Array(array) => {
                let Array { stream, drain } = &**array;
                let unit = if drain.logits == 1 { "linear" } else { "conv" };
                (unit, stream.weight_words(arch) * arch.cols as u64, parameter_bits(drain))
            }
            Task::Drain(drain) => ("attention", 0, parameter_bits(drain)),
        };
        let words = placements.iter().filter(|p| p.node == step.node).map(|p| u64::from(p.words));
        Layer {
            node: step.node.clone(),
            unit,
            work: Work::new(cycles, step.additions, arch),
            weight_bits,
            parameter_bits,
            activation_bits: words.sum::<u64>() * arch.rows as u64 * u64::from(arch.act_bits),
            accesses: Accesses::of_task(&step.task, arch),
        }
    }
}

/// The layers of all steps; steps that do the same for other frames are one layer, with one set of weights.
fn layers(steps: impl IntoIterator<Item = Layer>, arch: &ArchConfig) -> Vec<Layer> {
    let mut layers: Vec<Layer> = vec![];
    for step in steps {
        match layers.iter_mut().find(|layer| (&layer.node, layer.unit) == (&step.node, step.unit)) {
            Some(layer) => {
                layer.parameter_bits += step.parameter_bits;
                layer.accesses += &step.accesses;
                layer.work = Work::sum([&*layer, &step], arch);
            }
            None => layers.push(step),
        }
    }
    layers
}

impl Cost {
    /// Costs of `program`.
    pub fn of(program: &Program) -> Cost {
        Cost::of_steps(&program.steps, &program.placements, &program.arch)
    }

    /// Costs of a schedule whose tensors lie at `placements`.
    pub fn of_steps(steps: &[Step], placements: &[Placement], arch: &ArchConfig) -> Cost {
        let Cycles { steps: cycles, total } = Cycles::of(steps.iter().map(|step| &step.task), arch);
        let mut tables = BTreeSet::new();
        let of_steps = steps
            .iter()
            .zip(cycles)
            .map(|(step, cycles)| Layer::new(step, cycles, placements, arch, &mut tables));
        let layers = layers(of_steps, arch);
        let additions = layers.iter().map(|layer| layer.work.useful_additions).sum();
        let accesses = Accesses::of_schedule(steps.iter().map(|step| &step.task), arch);
        Cost { layers, total: Work::new(total, additions, arch), accesses }
    }
}
