//! Fills the ROM images and puts the program together.

use crate::attention::reach_of;
use crate::digits;
use crate::multiplier::Multiplier;
use crate::plan::{ArrayWork, Buffer, Drained, Gives, Plan, Streamed, Takes, Weights, Work};
use crate::{Error, Result};
use empf_ir::isa::{LaneParameters, ShortcutParameters, score_table};
use empf_ir::program::{Checksums, Placement, Step};
use empf_ir::{ArchConfig, Program, QuantNetwork};
use sha2::{Digest, Sha256};
use std::ops::Range;

/// The program of an allocated plan and its steps.
pub fn emit(plan: &Plan, steps: Vec<Step>, network: &QuantNetwork, arch: &ArchConfig) -> Result<Program> {
    let mut weights = Vec::with_capacity(plan.memory.weight);
    let mut parameters = Vec::with_capacity(plan.memory.parameter);
    for stage in &plan.stages {
        let Work::Array(work) = &stage.work else { continue };
        if let (Some(stream), Some(reads)) = (&work.stream, stage.reads)
            && stream.weight_base == weights.len()
        {
            push_weights(&mut weights, work, stream, &plan.buffers[reads], plan, network, arch)?;
        }
        match &work.drain.gives {
            Gives::Logits => {
                push_biases(&mut parameters, network.tensor(work.drain.takes.node(), "bias")?, arch);
            }
            Gives::Spikes(_) | Gives::Kept(_) => push_runs(&mut parameters, work, network, arch)?,
        }
        if let Some(attention) = work.drain.attention()
            && work.drain.score_base == parameters.len()
        {
            let score = network.tensor(attention, "score")?;
            let table = score_table(score, 2 * reach_of(network, attention) + 1);
            parameters.extend(table.into_iter().map(|score| score as u64));
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

/// Where the tensors of an allocated plan lie.
pub(crate) fn placements(plan: &Plan, arch: &ArchConfig) -> Vec<Placement> {
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

/// `rows` words for each weight tile, in the order of the array's loops: those of a column block, then those of its
/// shortcut. Bit c is column c's digit; rows and columns that do not exist hold 0.
fn push_weights(
    rom: &mut Vec<u64>,
    work: &ArrayWork,
    stream: &Streamed,
    reads: &Buffer,
    plan: &Plan,
    network: &QuantNetwork,
    arch: &ArchConfig,
) -> Result<()> {
    let channels = reads.shape.channels;
    let weights = Weights::new(network, stream, channels)?;
    let of_shortcut = Weights::of_shortcut(network, work, &plan.buffers)?;
    let outputs = work.output.channels;
    for first in (0..outputs).step_by(arch.cols) {
        let columns = first..outputs.min(first + arch.cols);
        for pass in &stream.passes {
            push_taps(rom, weights, [stream.window.taps(), channels], pass.digit, columns.clone(), arch.rows);
        }
        if let Some((weights, taps)) = of_shortcut {
            push_taps(rom, weights, taps, None, columns, arch.rows);
        }
    }
    Ok(())
}

/// The weight tiles of a pass of a column block: a digit of the weights of `columns` at all taps and channels.
fn push_taps(
    rom: &mut Vec<u64>,
    weights: Weights,
    [taps, channels]: [usize; 2],
    digit: Option<u32>,
    columns: Range<usize>,
    rows: usize,
) {
    for (tap, row) in
        (0..taps).flat_map(|tap| (0..channels.next_multiple_of(rows)).map(move |row| (tap, row)))
    {
        let is_set = |column: usize| row < channels && digits::digit(weights.at(column, tap, row), digit) > 0;
        let word = columns.clone().enumerate().map(|(bit, column)| u64::from(is_set(column)) << bit);
        rom.push(word.fold(0, |word, bit| word | bit));
    }
}

/// Parameters of each group of `lanes` channels and step. Lanes without a channel never spike, because every
/// code of a written bank enters the array.
fn push_runs(rom: &mut Vec<u64>, work: &ArrayWork, network: &QuantNetwork, arch: &ArchConfig) -> Result<()> {
    let channels = work.output.channels;
    // m = 0 does not pass a threshold of 0.
    let silent = LaneParameters::default();
    let of_sums = lane_parameters(&work.drain, channels, network)?;
    let of_shortcut = match &work.drain.shortcut {
        Some(shortcut) => Some(Multiplier::of(network, shortcut).parameters(network, shortcut, channels)?),
        None => None,
    };
    for first in (0..channels).step_by(arch.lanes) {
        for step in work.drain.steps.clone() {
            let lanes = first..first + arch.lanes;
            let at = |channel: usize| (channel < channels).then_some(step * channels + channel);
            for channel in lanes.clone() {
                rom.extend(at(channel).map_or(silent, |at| of_sums[at]).words(arch));
            }
            for (channel, parameters) in lanes.filter_map(|channel| Some((channel, of_shortcut.as_ref()?))) {
                let lane = at(channel).map_or(ShortcutParameters::default(), |at| parameters[at]);
                rom.extend(lane.words(arch));
            }
        }
    }
    Ok(())
}

/// M, B, lambda, theta, c of each step and channel, `[T, C]`. Attention has no B, and currents that are kept meet no
/// neuron.
fn lane_parameters(drain: &Drained, channels: usize, network: &QuantNetwork) -> Result<Vec<LaneParameters>> {
    let zeros = vec![0; network.time_steps * channels];
    let of_neuron = |name: &str| match drain.neuron() {
        Some(neuron) => network.tensor(neuron, name),
        None => Ok(&zeros[..]),
    };
    let mantissas = network.tensor(drain.takes.node(), "mantissa")?;
    let biases = match &drain.takes {
        Takes::Sums(layer) => network.tensor(layer, "bias")?,
        Takes::Kept(_) => &zeros,
    };
    let (lambdas, thetas, offsets) = (of_neuron("lambda")?, of_neuron("theta")?, of_neuron("offset")?);
    let of_channel = |at: usize| LaneParameters {
        mantissa: mantissas[at].into(),
        bias: biases[at].into(),
        lambda: lambdas[at].into(),
        theta: thetas[at].into(),
        offset: offsets[at].into(),
    };
    Ok((0..zeros.len()).map(of_channel).collect())
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
