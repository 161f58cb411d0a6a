//! Words of 1 to 64 bits, held in the low bits of a `u64` whose other bits are 0.

/// Widest word in bits.
pub const MAX_WIDTH: usize = 64;

/// Ones in the low `width` bits, 1 <= `width` <= 64.
pub fn mask(width: usize) -> u64 {
    u64::MAX >> (MAX_WIDTH - width)
}

/// Two's complement value of the low `width` bits of `bits`.
pub fn to_signed(bits: u64, width: usize) -> i64 {
    let unused = MAX_WIDTH - width;
    ((bits << unused) as i64) >> unused
}

/// Bits needed to count `0..n`, at least 1.
pub fn bits_for(n: usize) -> usize {
    n.max(2).next_power_of_two().ilog2() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_at_both_ends() {
        assert_eq!([1, 8, 64].map(mask), [1, 255, u64::MAX]);
    }

    #[test]
    fn signed_values() {
        assert_eq!(to_signed(0x80, 8), -128);
        assert_eq!(to_signed(0x17f, 8), 127);
        assert_eq!(to_signed(u64::MAX, 64), -1);
        assert_eq!(to_signed(1, 1), -1);
    }

    #[test]
    fn bits_to_count() {
        assert_eq!([0, 1, 2, 3, 4, 5, 1024, 1025].map(bits_for), [1, 1, 1, 2, 2, 3, 10, 11]);
    }
}
