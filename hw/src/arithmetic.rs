//! Roundings of `docs/numerics.md` as expressions.

use crate::rtl::prelude::*;
use crate::rtl::word::bits_for;
use crate::unit_macro::unit;

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
    mux(fits(x, width), x.slice(0, width), limit(&x.msb(), width))
}

/// Signed `x` is in the range of `width` signed bits, fewer than it has.
fn fits(x: &Expr, width: usize) -> Expr {
    let excess = x.slice(width - 1, x.width() - width + 1);
    excess.all() | !excess.any()
}

/// The end of the range of `width` signed bits that has the sign `negative`.
fn limit(negative: &Expr, width: usize) -> Expr {
    concat([negative.clone(), (!negative).repeat(width - 1)])
}

unit! {
    /// [`saturate`] in [`SATURATION_DELAY`] cycles: one to compare, one to choose.
    pub(crate) struct Saturation(from: usize, to: usize) "saturation" {
        value_i: Wire<In> = Wire::new(from),
        value_o: Wire<Out> = Wire::new(to),
        fits: Wire<Local> = Wire::new(1),
        negative: Wire<Local> = Wire::new(1),
        low: Wire<Local> = Wire::new(to),
    }
}

/// Cycles of a [`Saturation`].
pub(crate) const SATURATION_DELAY: usize = 2;

impl Saturation {
    /// From `from` bits to `to`, which are fewer.
    pub(crate) fn new(from: usize, to: usize) -> Self {
        let mut u = Self::declare(from, to);
        let rtl = &mut u._rtl;
        rtl.doc("Saturation: compares in one cycle, chooses in the next.");
        rtl.register(&u.fits, 0).set(fits(&u.value_i.e(), to));
        rtl.register(&u.negative, 0).set(u.value_i.e().msb());
        rtl.register(&u.low, 0).set(u.value_i.e().slice(0, to));
        rtl.register(&u.value_o, 0).set(mux(&u.fits, &u.low, limit(&u.negative.e(), to)));
        u
    }
}

unit! {
    /// `(value + 2^(shift-1)) >> shift`, or the value for no shift, in [`ROUND_SHIFT_DELAY`] cycles: the shift goes in two
    /// steps and keeps one bit behind the point, which is added.
    pub(crate) struct RoundShift(width: usize, shift: usize) "round_shift" {
        /// Signed.
        value_i: Wire<In> = Wire::new(width),
        /// With the value.
        shift_i: Wire<In> = Wire::new(shift),
        value_o: Wire<Out> = Wire::new(width),
        /// The lowest bit is behind the point.
        coarse: Wire<Local> = Wire::new(width + 1),
        fine: Wire<Local> = Wire::new(width + 1),
        fine_shift: Wire<Local> = Wire::new(shift.div_ceil(2)),
    }
}

/// Cycles of a [`RoundShift`].
pub(crate) const ROUND_SHIFT_DELAY: usize = 3;

impl RoundShift {
    /// For values of `width` bits and shifts of `shift` bits.
    pub(crate) fn new(width: usize, shift: usize) -> Self {
        let mut u = Self::declare(width, shift);
        let rtl = &mut u._rtl;
        rtl.doc("Rounding shift: by multiples of a power of two, then by the rest, then half is rounded up.");
        let fine = shift.div_ceil(2);
        let steps = concat([u.shift_i.e().slice(fine, shift - fine), lit(0, fine)]);
        let value = concat([u.value_i.e(), lit(0, 1)]);
        rtl.register(&u.coarse, 0).set(value.shr_signed_by(steps));
        rtl.register(&u.fine_shift, 0).set(u.shift_i.e().slice(0, fine));
        rtl.register(&u.fine, 0).set(u.coarse.e().shr_signed_by(&u.fine_shift));
        let half = u.fine.e().bit(0).zext(width);
        rtl.register(&u.value_o, 0).set(u.fine.e().slice(1, width) + half);
        u
    }
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
