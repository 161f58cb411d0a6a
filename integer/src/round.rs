//! Rounding and ranges.

/// Smallest and largest signed number of `bits` bits.
pub(crate) fn signed_range(bits: u32) -> (i64, i64) {
    (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
}

/// `(x + 2^(shift-1)) >> shift`, or `x` where `shift` is 0.
pub(crate) fn round_shift(x: i64, shift: u32) -> i64 {
    (x + ((1 << shift) >> 1)) >> shift
}
