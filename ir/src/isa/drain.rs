//! Descriptor of the drain.

use super::field::Kind::{Address, Count, Number, Offset};
use super::lane::LaneParameters;
use super::limit::Limit::{Classes, Entries, Flag, Frames, Groups, RequantShift, SpikeShift, Tiles};
use super::limit::{LimitError, product};
use super::record::descriptor;
use crate::ArchConfig;
use crate::arch::Memory::{Activation, Parameter};

descriptor! {
    /// What happens to the sums in the accumulators: through requantizer and neuron into the activation memory,
    /// or out as logits.
    ///
    /// ```text
    /// for tile of positions:  for column block:         one accumulator bank, when it is full
    ///     for group of lanes:  for step:                `5 * lanes` parameters, while the run before goes on
    ///         for position of the tile:                 one result a cycle
    /// ```
    Drain {
        /// Frames of sums: T, or 1 where the input does not change.
        frames: Count(Frames),
        /// Tiles of positions.
        tiles: Count(Tiles),
        /// Positions of every tile but the last.
        tile_positions: Count(Entries),
        /// Positions of the last tile.
        last_tile_positions: Count(Entries),
        /// 0: neuron; 1: logits.
        logits: Number(Flag),
        /// Steps that the neuron walks.
        time_steps: Count(Frames),
        /// Groups of `lanes` output channels.
        groups: Count(Groups),
        /// First parameter word; `5 * lanes` words for each (group, step).
        parameter_base: Address(Parameter),
        /// Right shift of the requantizer.
        requant_shift: Number(RequantShift),
        /// Right shift from membrane to spike.
        spike_shift: Number(SpikeShift),
        /// First activation word of the result.
        out_base: Address(Activation),
        /// From a tile of the result to the next.
        out_tile_step: Offset(Activation),
        /// From a step of the result to the next.
        out_frame_step: Offset(Activation),
        /// From a position of the result to the next.
        out_blocks: Offset(Activation),
        /// Outputs of a linear layer; 0 of a convolution.
        classes: Number(Classes),
    }
}

impl Drain {
    /// Words of its parameters.
    pub fn parameter_words(&self, arch: &ArchConfig) -> u64 {
        product([self.groups, self.time_steps, LaneParameters::group_words(arch) as u32])
    }

    fn limits(&self, arch: &ArchConfig) -> Result<(), LimitError> {
        let parameters = self.parameter_words(arch).saturating_add(self.parameter_base.into());
        LimitError::fits(Parameter, parameters, arch)?;
        if self.logits == 1 {
            return Ok(());
        }
        let positions = product([self.tiles - 1, self.tile_positions]) + u64::from(self.last_tile_positions);
        let words = positions.saturating_mul(self.groups.div_ceil(arch.banks() as u32).into());
        let result = words.saturating_mul(self.time_steps.into());
        LimitError::fits(Activation, result.saturating_add(self.out_base.into()), arch)
    }
}
