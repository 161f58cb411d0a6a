//! The roundings and saturations of `docs/numerics.md`; nothing else rounds or saturates.

/// `x / 2^shift` rounded to the nearest integer, ties towards +infinity. `shift` <= 31, `|x|` < 2^62.
pub fn round_shift(x: i64, shift: u8) -> i64 {
    match shift {
        0 => x,
        n => (x + (1 << (n - 1))) >> n,
    }
}

/// `x` saturated to `bits` bits, two's complement. `bits` is 1..=63.
pub fn saturate(x: i64, bits: u32) -> i64 {
    let limit = 1i64 << (bits - 1);
    x.clamp(-limit, limit - 1)
}

/// `x` saturated to an unsigned code of `bits` bits. `bits` is 1..=62.
pub fn clamp(x: i64, bits: u32) -> i64 {
    x.clamp(0, (1 << bits) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ties_go_up() {
        let halves: Vec<i64> = [-5, -3, -1, 1, 3, 5].map(|x| round_shift(x, 1)).into();
        assert_eq!(halves, [-2, -1, 0, 1, 2, 3]);
        assert_eq!(round_shift(-7, 0), -7);
        assert_eq!(round_shift(-6, 2), -1);
        assert_eq!(round_shift(-7, 2), -2);
    }

    #[test]
    fn limits() {
        assert_eq!([-40000, -32768, 32767, 32768].map(|x| saturate(x, 16)), [-32768, -32768, 32767, 32767]);
        assert_eq!([-1, 0, 15, 16].map(|x| clamp(x, 4)), [0, 0, 15, 15]);
    }

    proptest! {
        #[test]
        fn round_shift_is_nearest(x in -(1i64 << 55)..1i64 << 55, n in 1u8..=31) {
            let error = (round_shift(x, n) << n) - x;
            let half = 1i64 << (n - 1);
            prop_assert!(-half < error && error <= half);
        }

        #[test]
        fn round_shift_moves_with_whole_steps(x in -(1i64 << 50)..1i64 << 50, k in -1000i64..1000, n in 0u8..=31) {
            prop_assert_eq!(round_shift(x + (k << n), n), round_shift(x, n) + k);
        }

        #[test]
        fn saturate_is_the_nearest_representable(x in any::<i32>(), bits in 1u32..=31) {
            let y = saturate(x.into(), bits);
            prop_assert_eq!(saturate(y, bits), y);
            prop_assert!(y >= -(1 << (bits - 1)) && y < 1 << (bits - 1));
            let inside = (-(1i64 << (bits - 1))..1 << (bits - 1)).contains(&x.into());
            prop_assert_eq!(inside, y == i64::from(x));
        }

        #[test]
        fn clamp_is_monotone(a in any::<i32>(), b in any::<i32>(), bits in 1u32..=30) {
            let (low, high) = (a.min(b).into(), a.max(b).into());
            prop_assert!(clamp(low, bits) <= clamp(high, bits));
            prop_assert!((0..1 << bits).contains(&clamp(low, bits)));
        }
    }
}
