//! Shape of one time-step's feature map.

use serde::{Deserialize, Serialize};

/// Most elements of a feature map, so that no count of them overflows.
pub const MAX_ELEMENTS: usize = 1 << 30;

/// Channels, height and width of a feature map at one time-step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    /// Number of channels.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Shape {
    /// A shape of `channels` maps, `height` x `width` each.
    pub const fn new(channels: usize, height: usize, width: usize) -> Self {
        Shape { channels, height, width }
    }

    /// Positions of one map.
    pub const fn positions(self) -> usize {
        self.height * self.width
    }

    /// Elements of all maps.
    pub const fn elements(self) -> usize {
        self.channels * self.height * self.width
    }

    /// There is something in the maps, and not more than [`MAX_ELEMENTS`].
    pub fn is_sensible(self) -> bool {
        let sizes = [self.channels, self.height, self.width];
        let elements = sizes.into_iter().try_fold(1, usize::checked_mul);
        elements.is_some_and(|n| (1..=MAX_ELEMENTS).contains(&n))
    }

    /// Shape after a window of `kernel` (height, width) moves by `stride` over a border of `padding`;
    /// `None` where the window does not fit. Incomplete windows at the far border are dropped.
    pub fn windowed(self, kernel: [usize; 2], stride: [usize; 2], padding: usize) -> Option<Shape> {
        let along = |size: usize, k: usize, s: usize| {
            let bordered = size.checked_add(padding.checked_mul(2)?)?;
            Some(bordered.checked_sub(k)? / s + 1)
        };
        Some(Shape {
            channels: self.channels,
            height: along(self.height, kernel[0], stride[0])?,
            width: along(self.width, kernel[1], stride[1])?,
        })
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{}x{}x{}", self.channels, self.height, self.width)
    }
}
