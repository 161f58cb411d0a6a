//! Descriptor of the drain.

use super::field::Kind::{Address, Count, Number, Offset};
use super::lane::{LaneParameters, ShortcutParameters};
use super::limit::Limit::{
    Attention, Classes, Entries, Flag, Frames, Groups, Reach, RequantShift, Shortcut, SpikeShift, Tiles,
};
use super::limit::{LimitError, product};
use super::record::descriptor;
use super::score::score_words;
use super::tile::{positions_of, tile_of};
use crate::ArchConfig;
use crate::arch::Memory::{Accumulator, Activation, Current, Parameter, Potential, Sum};
use std::ops::Range;

/// `shortcut` where it is a convolution's.
pub const SHORTCUT_SUMS: u32 = 3;
/// `attention` where currents are kept.
pub const ATTENTION_KEEPS: u32 = 1;
/// `attention` where the currents that were kept are scaled.
pub const ATTENTION_SCALES: u32 = 2;

descriptor! {
    /// What happens to the sums in the accumulators: through requantizer and neuron into the activation memory,
    /// or out as logits.
    ///
    /// ```text
    /// for tile of positions:  for column block:         one accumulator bank, when it is full
    ///     for group of lanes:  for step:                its parameters, while the run before goes on
    ///         for position of the tile:                 a cycle for its sum, one for its shortcut if it has one
    /// ```
    ///
    /// A shortcut's code or sum becomes a current by a requantizer of its own parameters and is added to that of the sum.
    /// Codes lie as the result does, and the result may take their place.
    ///
    /// A logit is the sum of all sums of a tile, and of its bias. Its positions are the stream's frames.
    ///
    /// Channel attention takes two records. The first keeps the currents, in the order of the loops, and sums up those of
    /// each channel and step. The second has these currents in place of sums; a channel's mantissa is multiplied by its
    /// score, which follows from the signs of the sums of its neighbours. It needs a stream only for a shortcut's sums.
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
        /// First parameter word; for each (group, step) 5 words a lane, then 2 a lane for the shortcut, if there is one.
        parameter_base: Address(Parameter),
        /// Right shift of the requantizer.
        requant_shift: Number(RequantShift),
        /// What is added to the currents of the sums: 0: nothing; 1: a shortcut's codes; 2: twice those; 3: its sums.
        shortcut: Number(Shortcut),
        /// First entry of the shortcut's sums.
        shortcut_entry: Address(Accumulator),
        /// Right shift of the shortcut's requantizer.
        shortcut_shift: Number(RequantShift),
        /// From a word of the result to that of the shortcut's codes.
        shortcut_step: Offset(Activation),
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
        /// 1: potentials start at 0; 0: they are those that the last record left.
        fresh: Number(Flag),
        /// 1: potentials of a run lie behind those of the run before it; 0: in their place.
        potentials_follow: Number(Flag),
        /// 0: no attention; 1: currents are kept and nothing fires; 2: currents that were kept are scaled.
        attention: Number(Attention),
        /// Channels of the result, where there is attention; else 0.
        channels: Number(Classes),
        /// From the sums of a step's currents to those of the next step.
        sum_step: Offset(Sum),
        /// Channels on each side of one that its score sees.
        score_reach: Number(Reach),
        /// First parameter word of the table of scores.
        score_base: Address(Parameter),
    }
}

/// Words that all lanes take for a group and a step, with those of a shortcut or without.
pub fn run_words(has_shortcut: bool, arch: &ArchConfig) -> usize {
    let of_shortcut = if has_shortcut { ShortcutParameters::group_words(arch) } else { 0 };
    LaneParameters::group_words(arch) + of_shortcut
}

impl Drain {
    /// Its positions have a shortcut, which takes a second cycle of each.
    pub fn has_shortcut(&self) -> bool {
        self.shortcut > 0
    }

    /// The shortcut is a convolution's, whose sums are in the accumulators.
    pub fn has_shortcut_sums(&self) -> bool {
        self.shortcut == SHORTCUT_SUMS
    }

    /// It keeps currents for attention.
    pub fn keeps_currents(&self) -> bool {
        self.attention == ATTENTION_KEEPS
    }

    /// It scales the currents that were kept.
    pub fn scales_currents(&self) -> bool {
        self.attention == ATTENTION_SCALES
    }

    /// It takes banks of sums.
    pub fn takes_banks(&self) -> bool {
        !self.scales_currents() || self.has_shortcut_sums()
    }

    /// Positions of a tile, in raster order.
    pub fn tile(&self, tile: u32) -> Range<u32> {
        tile_of(tile, [self.tiles, self.tile_positions, self.last_tile_positions])
    }

    /// Positions of all tiles.
    pub fn positions(&self) -> u64 {
        positions_of([self.tiles, self.tile_positions, self.last_tile_positions])
    }

    /// Words that all lanes take for a group and a step.
    pub fn group_words(&self, arch: &ArchConfig) -> usize {
        run_words(self.has_shortcut(), arch)
    }

    /// Words of its parameters.
    pub fn parameter_words(&self, arch: &ArchConfig) -> u64 {
        product([self.groups, self.time_steps, self.group_words(arch) as u32])
    }

    fn limits(&self, arch: &ArchConfig) -> Result<(), LimitError> {
        let parameters = self.parameter_words(arch).saturating_add(self.parameter_base.into());
        LimitError::fits(Parameter, parameters, arch)?;
        if self.logits == 1 {
            LimitError::equal("attention of logits", self.attention, 0)?;
            return LimitError::equal("shortcut of logits", self.shortcut, 0);
        }
        let positions = self.positions();
        if self.attention > 0 {
            self.attention_limits(positions, arch)?;
        }
        if self.keeps_currents() {
            return Ok(());
        }
        if self.potentials_follow == 1 {
            let runs = product([self.groups, self.time_steps]);
            LimitError::fits(Potential, positions.saturating_mul(runs), arch)?;
        }
        let words = positions.saturating_mul(self.groups.div_ceil(arch.banks() as u32).into());
        let result = words.saturating_mul(self.time_steps.into());
        LimitError::fits(Activation, result.saturating_add(self.out_base.into()), arch)
    }

    /// Currents, sums and scores have their places.
    fn attention_limits(&self, positions: u64, arch: &ArchConfig) -> Result<(), LimitError> {
        let groups = self.channels.div_ceil(arch.lanes as u32);
        LimitError::equal("channels of attention, in groups of lanes", groups, self.groups)?;
        let currents = positions.saturating_mul(product([self.groups, self.time_steps]));
        LimitError::fits(Current, currents, arch)?;
        let of_step = product([self.groups, arch.lanes as u32]);
        let sums = product([self.time_steps - 1, self.sum_step]).saturating_add(of_step);
        LimitError::fits(Sum, sums, arch)?;
        let table = score_words(self.score_reach as usize) as u64;
        let words = if self.scales_currents() { table + u64::from(self.score_base) } else { 0 };
        LimitError::fits(Parameter, words, arch)
    }
}
