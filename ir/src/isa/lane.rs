//! Words of the parameter ROM that a lane of the drain reads for a group and a step.

use crate::ArchConfig;
use crate::formats::LOGIT_BITS;

/// Bits of a half of a logit's bias.
pub const BIAS_HALF_BITS: u32 = LOGIT_BITS / 2;

/// A lane's parameters. Requantizer and neuron take all; of a logit, mantissa and bias are the halves of its bias.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneParameters<T = i64> {
    /// M, mantissa of the requantizer.
    pub mantissa: T,
    /// B, added behind its shift.
    pub bias: T,
    /// Leak.
    pub lambda: T,
    /// Threshold.
    pub theta: T,
    /// c, taken off after a spike.
    pub offset: T,
}

impl<T> LaneParameters<T> {
    /// Parameters of a lane, a word each.
    pub const WORDS: usize = 5;

    /// In the order of the words.
    pub fn pack(self) -> [T; 5] {
        [self.mantissa, self.bias, self.lambda, self.theta, self.offset]
    }

    /// From the order of the words.
    pub fn unpack([mantissa, bias, lambda, theta, offset]: [T; 5]) -> Self {
        LaneParameters { mantissa, bias, lambda, theta, offset }
    }

    /// The low and the high half of a logit's bias.
    pub fn bias_halves(self) -> [T; 2] {
        [self.mantissa, self.bias]
    }
}

impl LaneParameters {
    /// Words that all lanes of `arch` take for a group and a step.
    pub fn group_words(arch: &ArchConfig) -> usize {
        Self::WORDS * arch.lanes
    }

    /// Two's complement in the bits of a parameter word.
    pub fn words(self, arch: &ArchConfig) -> [u64; 5] {
        self.pack().map(|value| to_word(value, arch))
    }

    /// From the words of a lane.
    pub fn from_words(words: [u64; 5], arch: &ArchConfig) -> Self {
        LaneParameters::unpack(words.map(|word| from_word(word, arch)))
    }

    /// Parameters that add `bias` to a logit.
    pub fn of_logit(bias: i32) -> Self {
        let half = |shift: u32| i64::from(bias as u32 >> shift & (u32::MAX >> BIAS_HALF_BITS));
        LaneParameters { mantissa: half(0), bias: half(BIAS_HALF_BITS), ..LaneParameters::default() }
    }

    /// The bias that [`LaneParameters::of_logit`] was given.
    pub fn logit_bias(self) -> i32 {
        let [low, high] = self.bias_halves().map(|half| half as u32 & (u32::MAX >> BIAS_HALF_BITS));
        (high << BIAS_HALF_BITS | low) as i32
    }
}

/// A lane's parameters of a shortcut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShortcutParameters<T = i64> {
    /// M, mantissa of the shortcut's requantizer.
    pub mantissa: T,
    /// B, added behind its shift.
    pub bias: T,
}

impl<T> ShortcutParameters<T> {
    /// Parameters of a lane, a word each.
    pub const WORDS: usize = 2;

    /// In the order of the words.
    pub fn pack(self) -> [T; 2] {
        [self.mantissa, self.bias]
    }

    /// From the order of the words.
    pub fn unpack([mantissa, bias]: [T; 2]) -> Self {
        ShortcutParameters { mantissa, bias }
    }
}

impl ShortcutParameters {
    /// Words that all lanes of `arch` take for a group and a step.
    pub fn group_words(arch: &ArchConfig) -> usize {
        Self::WORDS * arch.lanes
    }

    /// Two's complement in the bits of a parameter word.
    pub fn words(self, arch: &ArchConfig) -> [u64; 2] {
        self.pack().map(|value| to_word(value, arch))
    }

    /// From the words of a lane.
    pub fn from_words(words: [u64; 2], arch: &ArchConfig) -> Self {
        ShortcutParameters::unpack(words.map(|word| from_word(word, arch)))
    }
}

/// Two's complement in the bits of a parameter word.
fn to_word(value: i64, arch: &ArchConfig) -> u64 {
    value as u64 & (u64::MAX >> (u64::BITS - arch.parameter_bits()))
}

fn from_word(word: u64, arch: &ArchConfig) -> i64 {
    let unused = u64::BITS - arch.parameter_bits();
    (word << unused) as i64 >> unused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_hold_what_was_packed() {
        for membrane_bits in [12, 16, 24] {
            let arch = ArchConfig { membrane_bits, ..ArchConfig::default() };
            let limit = 1 << (membrane_bits - 1);
            let lane = LaneParameters {
                mantissa: -(1 << 15),
                bias: limit - 1,
                lambda: (1 << 15) - 1,
                theta: -limit,
                offset: -1,
            };
            assert_eq!(LaneParameters::from_words(lane.words(&arch), &arch), lane);
            for bias in [0, 1, -1, i32::MAX, i32::MIN, 0x1234_8765, -70_000] {
                let words = LaneParameters::of_logit(bias).words(&arch);
                assert_eq!(LaneParameters::from_words(words, &arch).logit_bias(), bias);
            }
            let shortcut = ShortcutParameters { mantissa: -(1 << 15), bias: -limit };
            assert_eq!(ShortcutParameters::from_words(shortcut.words(&arch), &arch), shortcut);
        }
    }
}
