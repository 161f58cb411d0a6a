//! Random changes to training images.

pub(crate) mod change;
mod events;
mod policy;

pub use policy::Policy;

use crate::error::{Error, Result};
use change::Change;
use rand::Rng;
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

/// What is done at random to each training image, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Augment {
    /// Largest shift in pixels along each axis: a random window of the image with a border.
    pub shift: usize,
    /// Mirror left and right half of the time.
    pub flip: bool,
    /// A pair of operations that were found to help (AutoAugment).
    #[serde(default)]
    pub policy: Option<Policy>,
    /// For frames of events: mirror half of the time, then roll, turn or cut out (neuromorphic augmentation).
    #[serde(default)]
    pub events: bool,
    /// Side of a square that is emptied around a random position; 0 for none.
    #[serde(default)]
    pub cutout: usize,
}

impl Augment {
    /// Something of an image of `height` x `width` pixels is left, whatever is drawn.
    ///
    /// # Errors
    /// The setting that leaves nothing.
    pub fn check(&self, height: usize, width: usize) -> Result<()> {
        let least = height.min(width);
        let settings = [("crop", self.shift, least), ("cutout", self.cutout, least + 1)];
        match settings.into_iter().find(|(_, value, end)| value >= end) {
            Some((setting, value, end)) => {
                let message = format!("is {value}, not 0 to {} for images of {height}x{width}", end - 1);
                Err(Error::Setting { setting, message })
            }
            None => Ok(()),
        }
    }

    /// Changes of an image of `height` x `width` pixels, one after the other.
    pub fn draw(&self, rng: &mut Pcg64, height: usize, width: usize) -> Vec<Change> {
        let mut changes = vec![];
        if self.shift > 0 {
            let mut shift = || rng.random_range(0..=2 * self.shift) as isize - self.shift as isize;
            changes.push(Change::Shift { down: shift(), right: shift() });
        }
        if self.flip && rng.random() {
            changes.push(Change::Flip);
        }
        if let Some(policy) = self.policy {
            changes.extend(policy.draw(rng, height, width));
        }
        if self.events {
            changes.extend(events::draw(rng, height, width));
        }
        if self.cutout > 0 {
            let (y, x) = (rng.random_range(0..height), rng.random_range(0..width));
            changes.push(Change::Cut { side: self.cutout, y, x });
        }
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn nothing_is_done_unasked() {
        let mut rng = Pcg64::seed_from_u64(1);
        assert!((0..50).all(|_| Augment::default().draw(&mut rng, 4, 4).is_empty()));
    }

    #[test]
    fn what_leaves_nothing_of_an_image_is_refused() {
        let check = |shift, cutout| Augment { shift, cutout, ..Augment::default() }.check(8, 5);
        check(4, 5).unwrap();
        let crop = check(5, 0).unwrap_err().to_string();
        assert_eq!(crop, "crop: is 5, not 0 to 4 for images of 8x5");
        let cutout = check(0, 6).unwrap_err().to_string();
        assert_eq!(cutout, "cutout: is 6, not 0 to 5 for images of 8x5");
    }

    #[test]
    fn everything_asked_for_is_drawn_in_its_range() {
        let augment = Augment { shift: 2, flip: true, cutout: 3, ..Augment::default() };
        let mut rng = Pcg64::seed_from_u64(1);
        let (mut shifts, mut flips, mut cuts) = (vec![], 0, vec![]);
        for change in (0..400).flat_map(|_| augment.draw(&mut rng, 2, 5)) {
            match change {
                Change::Shift { down, right } => shifts.push((down, right)),
                Change::Flip => flips += 1,
                Change::Cut { side: 3, y, x } => cuts.push((y, x)),
                other => panic!("{other:?}"),
            }
        }
        let distinct = |mut places: Vec<(isize, isize)>| {
            places.sort();
            places.dedup();
            (places.len(), places[0], places[places.len() - 1])
        };
        assert_eq!((shifts.len(), cuts.len()), (400, 400));
        assert_eq!(distinct(shifts), (25, (-2, -2), (2, 2)));
        assert_eq!(
            distinct(cuts.iter().map(|(y, x)| (*y as isize, *x as isize)).collect()),
            (10, (0, 0), (1, 4))
        );
        assert!((150..250).contains(&flips), "{flips}");
    }
}
