//! Fills the ROM images and puts the program together.

use super::allocate::LANE_PARAMETERS;
use crate::digits;
use crate::plan::{ArrayWork, Plan, Weights, Work};
use crate::{Error, Result};
use empf_ir::program::{Placement, Step};
use empf_ir::{ArchConfig, Program, QuantNetwork};
use sha2::{Digest, Sha256};

/// The program of an allocated plan and its steps.
pub fn emit(plan: &Plan, steps: Vec<Step>, network: &QuantNetwork, arch: &ArchConfig) -> Result<Program> {
    let mut weights = Vec::with_capacity(plan.memory.weight);
    let mut parameters = Vec::with_capacity(plan.memory.parameter);
    for stage in &plan.stages {
        let (Work::Array(work), Some(reads)) = (&stage.work, stage.reads) else { continue };
        let channels = plan.buffers[reads].shape.channels;
        push_weights(&mut weights, work, Weights::new(network, work, channels)?, channels, arch);
        match &work.neuron {
            Some(neuron) => push_neurons(&mut parameters, work, neuron, network, arch)?,
            None => push_biases(&mut parameters, network.tensor(&work.layer, "bias")?, arch),
        }
    }
    Ok(Program {
        name: network.name.clone(),
        arch: arch.clone(),
        build_id: build_id(network, arch)?,
        time_steps: network.time_steps,
        classes: network.classes,
        input: network.input.shape(),
        input_frames: network.input.frames,
        steps,
        placements: placements(plan, arch),
        memory: plan.memory.clone(),
        weights,
        parameters,
    })
}

fn placements(plan: &Plan, arch: &ArchConfig) -> Vec<Placement> {
    plan.buffers
        .iter()
        .map(|b| Placement {
            node: b.node.clone(),
            base: b.base as u32,
            words: b.words(arch.rows) as u32,
            frames: b.frames as u32,
            shape: b.shape,
            written_by: b.written_by,
        })
        .collect()
}

/// `rows` words for each weight tile, in the order of the array's loops. Bit c is column c's digit; rows and
/// columns that do not exist hold 0.
fn push_weights(rom: &mut Vec<u64>, work: &ArrayWork, weights: Weights, channels: usize, arch: &ArchConfig) {
    let outputs = work.output.channels;
    let taps = work.window.taps();
    for first in (0..outputs).step_by(arch.cols) {
        let columns = arch.cols.min(outputs - first);
        for pass in &work.passes {
            for tap in 0..taps {
                for row in 0..channels.next_multiple_of(arch.rows) {
                    let set =
                        |column: &usize| digits::digit(weights.at(first + column, tap, row), pass.digit) > 0;
                    let bits = if row < channels { columns } else { 0 };
                    rom.push((0..bits).filter(set).fold(0, |word, column| word | 1 << column));
                }
            }
        }
    }
}

/// Parameters of each group of `lanes` channels and step. Lanes without a channel never spike, because every
/// code of a written bank enters the array.
fn push_neurons(
    rom: &mut Vec<u64>,
    work: &ArrayWork,
    neuron: &str,
    network: &QuantNetwork,
    arch: &ArchConfig,
) -> Result<()> {
    let channels = work.output.channels;
    let silent = [0, 0, 0, i32::MAX >> (32 - arch.membrane_bits), 0];
    let tensors = [
        network.tensor(&work.layer, "mantissa")?,
        network.tensor(&work.layer, "bias")?,
        network.tensor(neuron, "lambda")?,
        network.tensor(neuron, "theta")?,
        network.tensor(neuron, "offset")?,
    ];
    let mask = (1 << arch.parameter_bits()) - 1;
    for first in (0..channels).step_by(arch.lanes) {
        for step in 0..network.time_steps {
            for channel in first..first + arch.lanes {
                let at = step * channels + channel;
                let values = if channel < channels { tensors.map(|t| t[at]) } else { silent };
                rom.extend(values.map(|v| v as u64 & mask));
            }
        }
    }
    Ok(())
}

/// The biases of a linear layer in the places of M (low half) and B (high half).
fn push_biases(rom: &mut Vec<u64>, biases: &[i32], arch: &ArchConfig) {
    let padded = biases.len().next_multiple_of(arch.lanes);
    for bias in biases.iter().copied().chain(std::iter::repeat(0)).take(padded) {
        let halves = [bias as u64 & 0xffff, bias as u64 >> 16 & 0xffff];
        rom.extend(halves.into_iter().chain([0; LANE_PARAMETERS - 2]));
    }
}

/// First 32 bits of a SHA-256 of everything that the result depends on.
fn build_id(network: &QuantNetwork, arch: &ArchConfig) -> Result<u32> {
    let header = (
        (&network.time_steps, &network.classes, &network.act_bits, &network.membrane_bits),
        (&network.input, &network.nodes, arch),
    );
    let header = serde_json::to_vec(&header).map_err(|e| {
        Error::Invalid(empf_ir::Error::invalid(format!("integer network `{}`", network.name), e.to_string()))
    })?;
    let hash = Sha256::new().chain_update(header).chain_update(network.tensors.to_bytes()?).finalize();
    Ok(u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]))
}
