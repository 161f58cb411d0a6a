//! AutoAugment (Cubuk, Zoph, Mané, Vasudevan, Le, 2019): pairs of operations that a search found.

use super::change::Change;
use rand::Rng;
use rand_pcg::Pcg64;
use serde::{Deserialize, Serialize};

/// The data set for which the pairs were found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// CIFAR-10, used for CIFAR-100 as well.
    Cifar10,
    /// ImageNet.
    Imagenet,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
    Rotate,
    AutoContrast,
    Invert,
    Equalize,
    Solarize,
    Posterize,
    Contrast,
    Colour,
    Brightness,
    Sharpness,
}

/// An operation, the tenths of its probability, and its strength from 0 to 9, which some operations ignore.
type Operation = (Kind, u32, u32);

use Kind::*;

/// Tables 7 and 9 of the paper's appendix.
const CIFAR10: [[Operation; 2]; 25] = [
    [(Invert, 1, 7), (Contrast, 2, 6)],
    [(Rotate, 7, 2), (TranslateX, 3, 9)],
    [(Sharpness, 8, 1), (Sharpness, 9, 3)],
    [(ShearY, 5, 8), (TranslateY, 7, 9)],
    [(AutoContrast, 5, 8), (Equalize, 9, 2)],
    [(ShearY, 2, 7), (Posterize, 3, 7)],
    [(Colour, 4, 3), (Brightness, 6, 7)],
    [(Sharpness, 3, 9), (Brightness, 7, 9)],
    [(Equalize, 6, 5), (Equalize, 5, 1)],
    [(Contrast, 6, 7), (Sharpness, 6, 5)],
    [(Colour, 7, 7), (TranslateX, 5, 8)],
    [(Equalize, 3, 7), (AutoContrast, 4, 8)],
    [(TranslateY, 4, 3), (Sharpness, 2, 6)],
    [(Brightness, 9, 6), (Colour, 2, 8)],
    [(Solarize, 5, 2), (Invert, 0, 3)],
    [(Equalize, 2, 0), (AutoContrast, 6, 0)],
    [(Equalize, 2, 8), (Equalize, 6, 4)],
    [(Colour, 9, 9), (Equalize, 6, 6)],
    [(AutoContrast, 8, 4), (Solarize, 2, 8)],
    [(Brightness, 1, 3), (Colour, 7, 0)],
    [(Solarize, 4, 5), (AutoContrast, 9, 3)],
    [(TranslateY, 9, 9), (TranslateY, 7, 9)],
    [(AutoContrast, 9, 2), (Solarize, 8, 3)],
    [(Equalize, 8, 8), (Invert, 1, 3)],
    [(TranslateY, 7, 9), (AutoContrast, 9, 1)],
];

const IMAGENET: [[Operation; 2]; 25] = [
    [(Posterize, 4, 8), (Rotate, 6, 9)],
    [(Solarize, 6, 5), (AutoContrast, 6, 5)],
    [(Equalize, 8, 8), (Equalize, 6, 3)],
    [(Posterize, 6, 7), (Posterize, 6, 6)],
    [(Equalize, 4, 7), (Solarize, 2, 4)],
    [(Equalize, 4, 4), (Rotate, 8, 8)],
    [(Solarize, 6, 3), (Equalize, 6, 7)],
    [(Posterize, 8, 5), (Equalize, 10, 2)],
    [(Rotate, 2, 3), (Solarize, 6, 8)],
    [(Equalize, 6, 8), (Posterize, 4, 6)],
    [(Rotate, 8, 8), (Colour, 4, 0)],
    [(Rotate, 4, 9), (Equalize, 6, 2)],
    [(Equalize, 0, 7), (Equalize, 8, 8)],
    [(Invert, 6, 4), (Equalize, 10, 8)],
    [(Colour, 6, 4), (Contrast, 10, 8)],
    [(Rotate, 8, 8), (Colour, 10, 2)],
    [(Colour, 8, 8), (Solarize, 8, 7)],
    [(Sharpness, 4, 7), (Invert, 6, 8)],
    [(ShearX, 6, 5), (Equalize, 10, 9)],
    [(Colour, 4, 0), (Equalize, 6, 3)],
    [(Equalize, 4, 7), (Solarize, 2, 4)],
    [(Solarize, 6, 5), (AutoContrast, 6, 5)],
    [(Invert, 6, 4), (Equalize, 10, 8)],
    [(Colour, 6, 4), (Contrast, 10, 8)],
    [(Equalize, 8, 8), (Equalize, 6, 3)],
];

impl Policy {
    /// The changes of one pair, for an image of `height` x `width` pixels.
    pub(crate) fn draw(self, rng: &mut Pcg64, height: usize, width: usize) -> Vec<Change> {
        let pairs = match self {
            Policy::Cifar10 => &CIFAR10,
            Policy::Imagenet => &IMAGENET,
        };
        let pair = pairs[rng.random_range(0..pairs.len())];
        let mut changes = vec![];
        for (kind, tenths, strength) in pair {
            let (done, mirrored) = (rng.random_ratio(tenths, 10), rng.random());
            if done {
                changes.push(kind.change(strength, mirrored, height, width));
            }
        }
        changes
    }
}

impl Kind {
    /// The change of a strength from 0 to 9; those of two directions go the other way where `mirrored`.
    fn change(self, strength: u32, mirrored: bool, height: usize, width: usize) -> Change {
        let share = f64::from(strength) / 9.0 * if mirrored { -1.0 } else { 1.0 };
        // The paper moves by up to 150 pixels of 331.
        let pixels = |size: usize| (share * 150.0 / 331.0 * size as f64) as isize;
        match self {
            ShearX => Change::ShearX(0.3 * share),
            ShearY => Change::ShearY(0.3 * share),
            TranslateX => Change::Shift { down: 0, right: pixels(width) },
            TranslateY => Change::Shift { down: pixels(height), right: 0 },
            Rotate => Change::Rotate(30.0 * share),
            AutoContrast => Change::AutoContrast,
            Invert => Change::Invert,
            Equalize => Change::Equalize,
            Solarize => Change::Solarize((255 * (9 - strength)).div_ceil(9) as u16),
            Posterize => Change::Posterize(8 - (8 * strength + 9) / 18),
            Contrast => Change::Contrast(1.0 + 0.9 * share),
            Colour => Change::Colour(1.0 + 0.9 * share),
            Brightness => Change::Brightness(1.0 + 0.9 * share),
            Sharpness => Change::Sharpness(1.0 + 0.9 * share),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;
    use rand::SeedableRng;

    #[test]
    fn strengths_are_the_papers() {
        let posterize = |strength| Posterize.change(strength, false, 32, 32);
        let bits = [8, 8, 7, 7, 6, 6, 5, 5, 4, 4];
        assert!((0..10).zip(bits).all(|(strength, bits)| posterize(strength) == Change::Posterize(bits)));
        assert_eq!(Solarize.change(0, true, 32, 32), Change::Solarize(255));
        assert_eq!(Solarize.change(5, true, 32, 32), Change::Solarize(114));
        assert_eq!(Solarize.change(9, true, 32, 32), Change::Solarize(0));
        assert_eq!(TranslateX.change(9, true, 32, 32), Change::Shift { down: 0, right: -14 });
        assert_eq!(TranslateY.change(3, false, 64, 32), Change::Shift { down: 9, right: 0 });
        assert_eq!(Rotate.change(9, true, 32, 32), Change::Rotate(-30.0));
        assert_eq!(ShearX.change(9, false, 32, 32), Change::ShearX(0.3));
        let Change::Colour(factor) = Colour.change(3, true, 32, 32) else { panic!("colour") };
        assert_abs_diff_eq!(factor, 0.7, epsilon = 1e-12);
    }

    /// Of each kind, how many operations there are, their tenths of probability and their strengths, added.
    #[test]
    fn the_tables_add_up_to_the_paper_s() {
        let cifar10 = [
            (AutoContrast, 7, 50, 26),
            (Brightness, 4, 23, 25),
            (Colour, 5, 29, 27),
            (Contrast, 2, 8, 13),
            (Equalize, 9, 47, 41),
            (Invert, 3, 2, 13),
            (Posterize, 1, 3, 7),
            (Rotate, 1, 7, 2),
            (Sharpness, 5, 28, 24),
            (ShearX, 0, 0, 0),
            (ShearY, 2, 7, 15),
            (Solarize, 4, 19, 18),
            (TranslateX, 2, 8, 17),
            (TranslateY, 5, 34, 39),
        ];
        let imagenet = [
            (AutoContrast, 2, 12, 10),
            (Brightness, 0, 0, 0),
            (Colour, 6, 38, 18),
            (Contrast, 2, 20, 16),
            (Equalize, 17, 112, 102),
            (Invert, 3, 18, 16),
            (Posterize, 5, 28, 32),
            (Rotate, 6, 36, 45),
            (Sharpness, 1, 4, 7),
            (ShearX, 1, 6, 5),
            (ShearY, 0, 0, 0),
            (Solarize, 7, 36, 36),
            (TranslateX, 0, 0, 0),
            (TranslateY, 0, 0, 0),
        ];
        for (table, sums) in [(CIFAR10, cifar10), (IMAGENET, imagenet)] {
            for (kind, count, tenths, strengths) in sums {
                let of_kind: Vec<&Operation> = table.iter().flatten().filter(|o| o.0 == kind).collect();
                let sum = |field: fn(&Operation) -> u32| of_kind.iter().map(|o| field(o)).sum::<u32>();
                assert_eq!(
                    (of_kind.len(), sum(|o| o.1), sum(|o| o.2)),
                    (count, tenths, strengths),
                    "{kind:?}"
                );
            }
        }
    }

    /// How often each kind of change is drawn follows from the table's probabilities.
    #[test]
    fn operations_are_as_frequent_as_the_table_says() {
        let draws = 40_000;
        for (policy, pairs) in [(Policy::Cifar10, CIFAR10), (Policy::Imagenet, IMAGENET)] {
            let mut rng = Pcg64::seed_from_u64(3);
            let drawn: Vec<Change> = (0..draws).flat_map(|_| policy.draw(&mut rng, 32, 32)).collect();
            for (kind, change) in
                [(Equalize, Change::Equalize), (AutoContrast, Change::AutoContrast), (Invert, Change::Invert)]
            {
                let tenths: u32 = pairs.iter().flatten().filter(|o| o.0 == kind).map(|o| o.1).sum();
                let expected = f64::from(tenths) / 250.0 * f64::from(draws);
                let count = drawn.iter().filter(|drawn| **drawn == change).count() as f64;
                assert!(
                    (count - expected).abs() < 6.0 * expected.sqrt(),
                    "{kind:?}: {count}, not {expected}"
                );
            }
        }
    }
}
