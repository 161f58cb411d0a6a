//! Descriptor of the pooling unit.

use super::field::Kind::{Address, Count, Number, Offset};
use super::limit::Limit::{Blocks, Extent, Flag, Frames, PoolSide, SpikeShift};
use super::limit::{LimitError, POOL_WINDOW, product};
use super::record::descriptor;
use crate::ArchConfig;
use crate::arch::Memory::Activation;

descriptor! {
    /// Sums windows of codes and shifts them right, or finds their largest.
    ///
    /// ```text
    /// for frame, y, x, block:  for ky, kx:  add;  write round_shift(sum, shift), saturated
    /// ```
    Pool {
        /// 0: the sum; 1: the largest code, of windows that each have a position in the map.
        maximum: Number(Flag),
        /// Address of frame 0, position (0, 0), tap (0, 0), block 0.
        in_origin: Offset(Activation),
        /// Rows of the map read.
        in_height: Count(Extent),
        /// Columns of the map read.
        in_width: Count(Extent),
        /// Rows from a window to the next.
        stride_height: Count(Extent),
        /// Columns from a window to the next.
        stride_width: Count(Extent),
        /// Border on each side of the map, whose codes are 0.
        padding: Number(Extent),
        /// Rows of the pooling window.
        kernel_height: Count(PoolSide),
        /// Columns of the pooling window.
        kernel_width: Count(PoolSide),
        /// From a tap to the next of its row: the words of a position.
        kx_step: Offset(Activation),
        /// From the last tap of a window's row to the first of its next row.
        ky_step: Offset(Activation),
        /// From a window's last block to the next window's first.
        x_step: Offset(Activation),
        /// From a row's last window's last block to the next row's first window.
        row_step: Offset(Activation),
        /// From a frame's last window's last block to the next frame's first window.
        frame_step: Offset(Activation),
        /// Words of a position.
        blocks: Count(Blocks),
        /// Rows of the result.
        out_height: Count(Extent),
        /// Columns of the result.
        out_width: Count(Extent),
        /// Frames of the result.
        frames: Count(Frames),
        /// Right shift of the sum.
        shift: Number(SpikeShift),
        /// First activation word of the result; words follow in the order of the loops.
        out_base: Address(Activation),
    }
}

impl Pool {
    fn limits(&self, arch: &ArchConfig) -> Result<(), LimitError> {
        let window = product([self.kernel_height, self.kernel_width]);
        let advice = PoolSide.advice();
        LimitError::at_most("positions of the pooling window", window, POOL_WINDOW.into(), advice)?;
        let words = product([self.frames, self.out_height, self.out_width, self.blocks]);
        LimitError::fits(Activation, words.saturating_add(self.out_base.into()), arch)
    }
}
