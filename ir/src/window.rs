//! Windows that slide over maps.

use std::ops::Range;

/// Window of a convolution or a pooling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Side.
    pub kernel: usize,
    /// Step.
    pub stride: usize,
    /// Border of zeros on each side.
    pub padding: usize,
}

impl Window {
    /// Number of positions along an axis of `size`, which with its border is at least the window's side.
    pub fn positions(&self, size: usize) -> usize {
        (size + 2 * self.padding - self.kernel) / self.stride + 1
    }

    /// Input indices under window position `at`, clipped to `0..size`, and the first one's window index.
    pub fn span(&self, at: usize, size: usize) -> (Range<usize>, usize) {
        let start = at * self.stride;
        let first = start.clamp(self.padding, size + self.padding);
        let end = (start + self.kernel).clamp(first, size + self.padding);
        (first - self.padding..end - self.padding, first.saturating_sub(start).min(self.kernel))
    }
}
