//! Descriptor of the stream, the array's address generator.

use super::field::Kind::{Address, Bits, Count, Number, Offset};
use super::limit::Limit::{Banks, Blocks, Code, ColumnBlocks, Entries, Extent, Flag, Frames, Passes, Tiles};
use super::limit::{LimitError, product};
use super::record::descriptor;
use super::tile::{positions_of, tile_of};
use crate::ArchConfig;
use crate::arch::Memory::{Accumulator, Activation, Weight};
use std::ops::Range;

descriptor! {
    /// What a convolution or linear layer sends through the array into the accumulators.
    ///
    /// ```text
    /// for tile of positions:  for column block:                         one accumulator bank
    ///     for pass:  for ky, kx, channel block:                         one weight tile
    ///         for frame:  for position of the tile:                     one vector a cycle
    ///     for ky, kx, channel block of the shortcut:  for frame:  for position of the tile
    /// ```
    ///
    /// A shortcut is a convolution of +-1 weights with as many positions, frames and columns, whose sums have entries of
    /// their own in the same bank. Its fields mean what those without `shortcut_` mean.
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
        /// 1: there is a shortcut.
        shortcut: Number(Flag),
        /// First entry of its sums.
        shortcut_entry: Address(Accumulator),
        /// Address of frame 0, position (0, 0), tap (0, 0), block 0 that it reads.
        shortcut_origin: Offset(Activation),
        /// Rows of the map that it reads.
        shortcut_height: Count(Extent),
        /// Columns of the map that it reads.
        shortcut_width: Count(Extent),
        /// Rows of its window.
        shortcut_kernel_height: Count(Extent),
        /// Columns of its window.
        shortcut_kernel_width: Count(Extent),
        /// Step of its window.
        shortcut_stride: Count(Extent),
        /// Border on each side of its map.
        shortcut_padding: Number(Extent),
        /// Words of a position of its map.
        shortcut_blocks: Count(Blocks),
        /// Banks of its last block that hold channels.
        shortcut_last_banks: Count(Banks),
        /// From the last tap of its window's row to the first of the next row.
        shortcut_ky_step: Offset(Activation),
        /// From a position of its map to the next of its row.
        shortcut_x_step: Offset(Activation),
        /// From the last position of a row of its map to the first of the next row.
        shortcut_row_step: Offset(Activation),
        /// From a frame of its map to the next.
        shortcut_frame_step: Offset(Activation),
    }
}

impl Stream {
    /// Positions of a tile, in raster order.
    pub fn tile(&self, tile: u32) -> Range<u32> {
        tile_of(tile, [self.tiles, self.tile_positions, self.last_tile_positions])
    }

    /// Positions of all tiles.
    pub fn positions(&self) -> u64 {
        positions_of([self.tiles, self.tile_positions, self.last_tile_positions])
    }

    /// The shortcut as a stream of its own, if there is one.
    pub fn of_shortcut(&self) -> Option<Stream> {
        (self.shortcut == 1).then(|| Stream {
            in_origin: self.shortcut_origin,
            in_height: self.shortcut_height,
            in_width: self.shortcut_width,
            kernel_height: self.shortcut_kernel_height,
            kernel_width: self.shortcut_kernel_width,
            stride: self.shortcut_stride,
            padding: self.shortcut_padding,
            blocks: self.shortcut_blocks,
            last_banks: self.shortcut_last_banks,
            ky_step: self.shortcut_ky_step,
            x_step: self.shortcut_x_step,
            row_step: self.shortcut_row_step,
            frame_step: self.shortcut_frame_step,
            passes: 1,
            double_mask: 0,
            planes_low: 0,
            planes_high: 0,
            ..self.clone()
        })
    }

    /// Weight tiles of a column block that the shortcut has.
    pub fn shortcut_tiles(&self) -> u64 {
        let taps = [self.shortcut_kernel_height, self.shortcut_kernel_width, self.shortcut_blocks];
        if self.shortcut == 1 { product(taps) } else { 0 }
    }

    /// Words of its weights: `rows` for each weight tile.
    pub fn weight_words(&self, arch: &ArchConfig) -> u64 {
        let taps = product([self.kernel_height, self.kernel_width, self.blocks]);
        let tiles = taps.saturating_mul(self.passes.into()).saturating_add(self.shortcut_tiles());
        product([self.column_blocks, arch.rows as u32]).saturating_mul(tiles)
    }

    fn limits(&self, arch: &ArchConfig) -> Result<(), LimitError> {
        let positions = self.tile_positions.max(self.last_tile_positions);
        let entries = product([self.frames, positions]);
        let first = if self.shortcut == 1 { u64::from(self.shortcut_entry) } else { 0 };
        LimitError::fits(Accumulator, entries.saturating_add(first), arch)?;
        LimitError::fits(Weight, self.weight_words(arch).saturating_add(self.weight_base.into()), arch)
    }
}
