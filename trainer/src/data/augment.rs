//! Random changes to training images.

use rand::Rng;
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

/// What is done at random to each training image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Augment {
    /// Largest shift in pixels along each axis; the border is filled with the zero point.
    pub shift: usize,
    /// Mirror left and right half of the time.
    pub flip: bool,
}

/// A drawn change: output pixel `(y, x)` comes from `(y - dy, x - dx)`, mirrored first where `flip`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    dy: isize,
    dx: isize,
    flip: bool,
}

impl Augment {
    pub(super) fn draw(&self, rng: &mut Pcg64) -> Change {
        let mut shift = || rng.random_range(0..=2 * self.shift) as isize - self.shift as isize;
        let (dy, dx) = (shift(), shift());
        Change { dy, dx, flip: self.flip && rng.random() }
    }
}

impl Change {
    /// No change.
    pub(super) const NONE: Change = Change { dy: 0, dx: 0, flip: false };

    /// Position in a `height` x `width` image of what is shown at `(y, x)`, if it is inside.
    pub(super) fn source(&self, y: usize, x: usize, height: usize, width: usize) -> Option<usize> {
        let y = y.checked_add_signed(-self.dy).filter(|y| *y < height)?;
        let x = x.checked_add_signed(-self.dx).filter(|x| *x < width)?;
        Some(y * width + if self.flip { width - 1 - x } else { x })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shifts_and_mirrors() {
        let change = Change { dy: 1, dx: -1, flip: true };
        assert_eq!(change.source(0, 0, 2, 3), None);
        assert_eq!(change.source(1, 0, 2, 3), Some(1));
        assert_eq!(change.source(1, 2, 2, 3), None);
    }
}
