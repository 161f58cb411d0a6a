//! Fills the ROM images and puts the program together.

use crate::digits;
use crate::plan::{ArrayWork, Plan, Weights, Work};
use crate::{Error, Result};
use empf_ir::isa::LaneParameters;
use empf_ir::program::{Checksums, Placement, Step};
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
    let program = Program {
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
        checksums: Checksums::default(),
        weights,
        parameters,
    };
    Ok(program.sealed())
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
    // m = 0 does not pass a threshold of 0.
    let silent = LaneParameters::default();
    let mantissas = network.tensor(&work.layer, "mantissa")?;
    let biases = network.tensor(&work.layer, "bias")?;
    let lambdas = network.tensor(neuron, "lambda")?;
    let thetas = network.tensor(neuron, "theta")?;
    let offsets = network.tensor(neuron, "offset")?;
    let of_channel = |at: usize| LaneParameters {
        mantissa: mantissas[at].into(),
        bias: biases[at].into(),
        lambda: lambdas[at].into(),
        theta: thetas[at].into(),
        offset: offsets[at].into(),
    };
    for first in (0..channels).step_by(arch.lanes) {
        for step in 0..network.time_steps {
            for channel in first..first + arch.lanes {
                let lane = if channel < channels { of_channel(step * channels + channel) } else { silent };
                rom.extend(lane.words(arch));
            }
        }
    }
    Ok(())
}

/// The biases of a linear layer, one a lane.
fn push_biases(rom: &mut Vec<u64>, biases: &[i32], arch: &ArchConfig) {
    let padded = biases.len().next_multiple_of(arch.lanes);
    for bias in biases.iter().copied().chain(std::iter::repeat(0)).take(padded) {
        rom.extend(LaneParameters::of_logit(bias).words(arch));
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
