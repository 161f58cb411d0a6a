//! Descriptor of the unfolding unit.

use super::field::Kind::{Address, Bits, Count, Number, Offset};
use super::limit::Limit::{Channels, Extent, Frames};
use super::limit::{LimitError, product};
use super::record::descriptor;
use crate::ArchConfig;
use crate::arch::Memory::{Activation, Input};

descriptor! {
    /// Cuts windows out of the input buffer and packs them, (ky, kx, channel), into activation words, so that
    /// the first convolution fills the array's rows. A code wider than A bits becomes planes of A bits, least
    /// significant first.
    ///
    /// ```text
    /// for frame, y, x:  for ky, kx, channel:  append input[...] or border
    /// ```
    Unfold {
        /// Address of frame 0, window (0, 0), tap (0, 0), channel 0.
        in_origin: Offset(Input),
        /// Rows of the input.
        in_height: Count(Extent),
        /// Columns of the input.
        in_width: Count(Extent),
        /// Channels of the input.
        channels: Count(Channels),
        /// Rows of the window.
        kernel_height: Count(Extent),
        /// Columns of the window.
        kernel_width: Count(Extent),
        /// Step of the window.
        stride: Count(Extent),
        /// Border on each side of the input.
        padding: Number(Extent),
        /// Codes of the border: of channel c byte `c % 4`.
        border: Bits(32),
        /// From the last channel of a window's row to the first of its next row.
        ky_step: Offset(Input),
        /// From a window to the next of its row.
        x_step: Offset(Input),
        /// From the last window of a row to the first of the next row.
        row_step: Offset(Input),
        /// From the last window of a frame to the first of the next frame.
        frame_step: Offset(Input),
        /// Rows of windows.
        out_height: Count(Extent),
        /// Windows of a row.
        out_width: Count(Extent),
        /// Frames of the input.
        frames: Count(Frames),
        /// First activation word of plane 0.
        out_base: Address(Activation),
        /// Words of one plane.
        plane_words: Offset(Activation),
    }
}

impl Unfold {
    fn limits(&self, arch: &ArchConfig) -> Result<(), LimitError> {
        LimitError::fits(Input, product([self.frames, self.in_height, self.in_width, self.channels]), arch)?;
        let codes = product([self.kernel_height, self.kernel_width, self.channels]);
        let windows = product([self.frames, self.out_height, self.out_width]);
        let plane = windows.saturating_mul(codes.div_ceil(arch.rows as u64));
        let planes = plane.saturating_mul(arch.input_planes() as u64);
        LimitError::fits(Activation, planes.saturating_add(self.out_base.into()), arch)
    }
}
