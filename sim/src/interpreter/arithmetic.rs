//! The two roundings of `docs/numerics.md`.

/// `(x + 2^(n-1)) >> n`: ties go towards +infinity.
pub(super) fn round_shift(x: i64, n: u32) -> i64 {
    if n == 0 { x } else { (x + (1 << (n - 1))) >> n }
}

/// `x` limited to `bits` bits, two's complement.
pub(super) fn saturate(x: i64, bits: u32) -> i64 {
    let limit = 1i64 << (bits - 1);
    x.clamp(-limit, limit - 1)
}

/// `x` limited to a code of `bits` bits.
pub(super) fn clamp_code(x: i64, bits: u32) -> u8 {
    x.clamp(0, (1 << bits) - 1) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_up() {
        assert_eq!([5, -5, 6, -6, 7].map(|x| round_shift(x, 2)), [1, -1, 2, -1, 2]);
        assert_eq!(round_shift(-3, 0), -3);
    }

    #[test]
    fn limits_hold() {
        assert_eq!([-3000, 3000, 17].map(|x| saturate(x, 12)), [-2048, 2047, 17]);
        assert_eq!([-1, 16, 15].map(|x| clamp_code(x, 4)), [0, 15, 15]);
    }
}
