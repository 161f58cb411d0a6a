//! Descriptor of the stream, the array's address generator.

use super::field::Kind::{Address, Bits, Count, Number, Offset};
use super::limit::Limit::{Banks, Blocks, Code, ColumnBlocks, Entries, Extent, Frames, Passes, Tiles};
use super::limit::{LimitError, product};
use super::record::descriptor;
use crate::ArchConfig;
use crate::arch::Memory::{Accumulator, Activation, Weight};

descriptor! {
    /// What a convolution or linear layer sends through the array into the accumulators.
    ///
    /// ```text
    /// for tile of positions:  for column block:                         one accumulator bank
    ///     for pass:  for summed frame:  for ky, kx, channel block:      one weight tile
    ///         for frame:  for position of the tile:                     one vector a cycle
    /// ```
    Stream {
        /// Address of frame 0, position (0, 0), tap (0, 0), block 0.
        in_origin: Offset(Activation),
        /// Rows of the map read.
        in_height: Count(Extent),
        /// Columns of the map read.
        in_width: Count(Extent),
        /// Rows of the window.
        kernel_height: Count(Extent),
        /// Columns of the window.
        kernel_width: Count(Extent),
        /// Step of the window.
        stride: Count(Extent),
        /// Border on each side of the map.
        padding: Number(Extent),
        /// Code of the border.
        zero_point: Number(Code),
        /// Words of a position: blocks of `rows` channels.
        blocks: Count(Blocks),
        /// Banks of the last block that hold channels; the others read as 0.
        last_banks: Count(Banks),
        /// From the last tap of a window's row to the first of its next row.
        ky_step: Offset(Activation),
        /// From a position to the next of its row.
        x_step: Offset(Activation),
        /// From the last position of a row to the first of the next row.
        row_step: Offset(Activation),
        /// From a frame to the next.
        frame_step: Offset(Activation),
        /// Frames streamed side by side: T, or 1 where the input does not change.
        frames: Count(Frames),
        /// Frames added into the same accumulators: T for logits, else 1.
        summed_frames: Count(Frames),
        /// Positions of a row of the result.
        out_width: Count(Extent),
        /// Tiles of positions.
        tiles: Count(Tiles),
        /// Positions of every tile but the last.
        tile_positions: Count(Entries),
        /// Positions of the last tile.
        last_tile_positions: Count(Entries),
        /// Blocks of `cols` output channels.
        column_blocks: Count(ColumnBlocks),
        /// Passes over all taps: one for +-1 weights, digit planes x activation planes for integers.
        passes: Count(Passes),
        /// Bit i: pass i doubles the accumulator before it adds.
        double_mask: Bits(32),
        /// Activation plane of passes 0..=15, two bits each.
        planes_low: Bits(32),
        /// Activation plane of passes 16..=31.
        planes_high: Bits(32),
        /// From an activation plane to the next.
        plane_step: Offset(Activation),
        /// First weight word; tiles follow in the order of the loops, `rows` words each.
        weight_base: Address(Weight),
    }
}

impl Stream {
    /// Words of its weights: `rows` for each weight tile.
    pub fn weight_words(&self, arch: &ArchConfig) -> u64 {
        let taps = product([self.kernel_height, self.kernel_width, self.blocks]);
        product([self.column_blocks, self.passes, arch.rows as u32]).saturating_mul(taps)
    }

    fn limits(&self, arch: &ArchConfig) -> Result<(), LimitError> {
        let positions = self.tile_positions.max(self.last_tile_positions);
        LimitError::fits(Accumulator, product([self.frames, positions]), arch)?;
        LimitError::fits(Weight, self.weight_words(arch).saturating_add(self.weight_base.into()), arch)
    }
}
