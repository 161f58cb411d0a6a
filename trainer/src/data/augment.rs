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
    /// Side of a square that is filled with the zero point, around a random position; 0 for none.
    #[serde(default)]
    pub cutout: usize,
}

/// A drawn change: output pixel `(y, x)` comes from `(y - dy, x - dx)`, mirrored first where `flip`, and from
/// nowhere in the square of side `cut` whose middle is `(cut_y, cut_x)`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Change {
    dy: isize,
    dx: isize,
    flip: bool,
    cut: usize,
    cut_y: usize,
    cut_x: usize,
}

impl Augment {
    /// A change of an image of `height` x `width` pixels.
    pub(super) fn draw(&self, rng: &mut Pcg64, height: usize, width: usize) -> Change {
        let mut shift = || rng.random_range(0..=2 * self.shift) as isize - self.shift as isize;
        let (dy, dx) = (shift(), shift());
        let change = Change { dy, dx, flip: self.flip && rng.random(), ..Change::default() };
        if self.cutout == 0 {
            return change;
        }
        let (cut_y, cut_x) = (rng.random_range(0..height), rng.random_range(0..width));
        Change { cut: self.cutout, cut_y, cut_x, ..change }
    }
}

impl Change {
    /// Position in a `height` x `width` image of what is shown at `(y, x)`, if it is inside.
    pub(super) fn source(&self, y: usize, x: usize, height: usize, width: usize) -> Option<usize> {
        let cut = |at: usize, middle: usize| (middle..middle + self.cut).contains(&(at + self.cut / 2));
        if cut(y, self.cut_y) && cut(x, self.cut_x) {
            return None;
        }
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
        let change = Change { dy: 1, dx: -1, flip: true, ..Change::default() };
        assert_eq!(change.source(0, 0, 2, 3), None);
        assert_eq!(change.source(1, 0, 2, 3), Some(1));
        assert_eq!(change.source(1, 2, 2, 3), None);
    }

    #[test]
    fn cuts_a_square_around_a_pixel() {
        let cut_at = |cut, cut_y, cut_x| {
            let change = Change { cut, cut_y, cut_x, ..Change::default() };
            let empty = |at: &usize| change.source(at / 4, at % 4, 4, 4).is_none();
            (0..16).filter(empty).collect::<Vec<_>>()
        };
        assert!(cut_at(0, 1, 1).is_empty());
        assert_eq!(cut_at(2, 1, 2), [1, 2, 5, 6]);
        assert_eq!(cut_at(3, 0, 3), [2, 3, 6, 7]);
    }
}
