//! Formats of numbers and their limits, the same in all networks and accelerators.

use std::ops::RangeInclusive;

/// Most time-steps of an inference.
pub const MAX_TIME_STEPS: usize = 63;
/// Allowed bits of a spike.
pub const ACT_BITS: RangeInclusive<u32> = 2..=8;
/// Allowed bits of a membrane potential.
pub const MEMBRANE_BITS: RangeInclusive<u32> = 12..=24;

/// Fraction bits F of the leak: `lambda = code / 2^F`.
pub const LEAK_FRACTION_BITS: u32 = 12;
/// Bits of the signed mantissa and of the signed leak.
pub const MULTIPLIER_BITS: u32 = 16;
/// Bits of an input code.
pub const INPUT_BITS: u32 = 8;
/// Digit planes of an integer weight: `w = sum 2^k d_k`, `d_k = +-1`, so w is odd, -255..=255.
pub const WEIGHT_DIGITS: u32 = 8;
/// Largest magnitude of an integer weight.
pub const MAX_WEIGHT: i32 = (1 << WEIGHT_DIGITS) - 1;
/// Largest right shift of a requantizer.
pub const MAX_REQUANT_SHIFT: u8 = 31;
/// Largest shift between spike and membrane codes, and of a pooled sum.
pub const MAX_SPIKE_SHIFT: u8 = 15;
/// Bits of a score of channel attention, all of them fraction bits.
pub const SCORE_BITS: u32 = 15;
/// Most channels on each side of one that its score sees: half of the largest window.
pub const MAX_SCORE_REACH: usize = 3;
/// Bits of a logit.
pub const LOGIT_BITS: u32 = 32;
