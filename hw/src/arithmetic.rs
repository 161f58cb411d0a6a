//! Roundings of `docs/numerics.md` as expressions.

use crate::rtl::prelude::*;
use crate::rtl::word::bits_for;

/// `(x + half) >> shift`, where `half` is `2^(shift-1)`, or 0 for no shift; `x` signed, `shift` unsigned.
///
/// The result has one bit more than `x`, so that the addition cannot overflow.
pub(crate) fn round_shift_by(x: &Expr, shift: &Expr) -> Expr {
    let wide = x.sext(x.width() + 1);
    let half = lit(1, wide.width()).shl_by(shift).shr(1);
    (wide + half).shr_signed_by(shift)
}

/// `round_shift` by a constant of at least 1; the result has `x.width() + 1 - shift` bits.
pub(crate) fn round_shift(x: &Expr, shift: usize) -> Expr {
    let wide = x.sext(x.width() + 1);
    let rounded = &wide + lit(1 << (shift - 1), wide.width());
    rounded.slice(shift, wide.width() - shift)
}

/// Signed `x` limited to the range of `width` signed bits, in `width` bits.
pub(crate) fn saturate(x: &Expr, width: usize) -> Expr {
    if x.width() <= width {
        return x.sext(width);
    }
    let excess = x.slice(width - 1, x.width() - width + 1);
    let fits = excess.all() | !excess.any();
    let limit = concat([x.msb(), (!x.msb()).repeat(width - 1)]);
    mux(fits, x.slice(0, width), limit)
}

/// Unsigned `x` limited to `width` bits.
pub(crate) fn clamp(x: &Expr, width: usize) -> Expr {
    if x.width() <= width {
        return x.zext(width);
    }
    let over = x.slice(width, x.width() - width).any();
    mux(over, lit(crate::rtl::word::mask(width), width), x.slice(0, width))
}

/// Bits of a counter that holds `0..=max`.
pub(crate) fn counter_bits(max: usize) -> usize {
    bits_for(max + 1)
}
