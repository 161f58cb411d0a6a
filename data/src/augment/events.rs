//! Changes for frames of events, after Li, Kim, Park, Geller, Panda: *Neuromorphic Data Augmentation for Training
//! Spiking Neural Networks* (2022): only the place of events changes, never their number of codes.

use super::change::Change;
use rand::Rng;
use rand_pcg::Pcg64;

/// Largest turn to either side, in degrees.
const DEGREES: f64 = 15.0;
/// The largest roll and the largest square that is cut out, as parts of a side: 5 and 8 pixels of 48.
const ROLL: usize = 9;
const CUT: usize = 6;

/// Mirrored half of the time, then one of roll, turn and cut, for frames of `height` x `width` pixels.
pub(crate) fn draw(rng: &mut Pcg64, height: usize, width: usize) -> Vec<Change> {
    let mut changes = vec![];
    if rng.random() {
        changes.push(Change::Flip);
    }
    changes.push(match rng.random_range(0..3) {
        0 => {
            let mut roll = |size: usize| {
                let most = size / ROLL;
                rng.random_range(0..=2 * most) as isize - most as isize
            };
            Change::Roll { down: roll(height), right: roll(width) }
        }
        1 => Change::Rotate(rng.random_range(-DEGREES..=DEGREES)),
        _ => {
            let side = rng.random_range(1..=(height.min(width) / CUT).max(1));
            Change::Cut { side, y: rng.random_range(0..height), x: rng.random_range(0..width) }
        }
    });
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn each_change_is_drawn_in_its_range() {
        let mut rng = Pcg64::seed_from_u64(5);
        let (mut rolls, mut turns, mut cuts, mut flips) = (vec![], vec![], vec![], 0);
        for change in (0..3000).flat_map(|_| draw(&mut rng, 48, 48)) {
            match change {
                Change::Flip => flips += 1,
                Change::Roll { down, right } => rolls.extend([down, right]),
                Change::Rotate(degrees) => turns.push(degrees),
                Change::Cut { side, y: 0..48, x: 0..48 } => cuts.push(side),
                other => panic!("{other:?}"),
            }
        }
        assert!((1350..1650).contains(&flips) && (850..1150).contains(&turns.len()));
        assert_eq!((rolls.iter().min(), rolls.iter().max()), (Some(&-5), Some(&5)));
        assert_eq!((cuts.iter().min(), cuts.iter().max()), (Some(&1), Some(&8)));
        assert!(
            turns.iter().all(|degrees| degrees.abs() <= 15.0) && turns.iter().any(|degrees| *degrees < -14.0)
        );
        assert!((0..50).all(|_| !draw(&mut rng, 1, 2).is_empty()), "the smallest frames");
    }
}
