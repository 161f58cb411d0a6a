//! Arithmetic on runs of channels, which compilers turn into vector instructions.

use crate::Float;

/// Channels of a run: one AVX-512 register of `f32`.
pub(super) const LANES: usize = 16;

/// A run of channels.
pub(super) type Lanes<F> = [F; LANES];

/// The run that starts at `at`.
#[inline(always)]
pub(super) fn load<F: Float>(from: &[F], at: usize) -> Lanes<F> {
    let mut run = [F::zero(); LANES];
    run.copy_from_slice(&from[at..at + LANES]);
    run
}

/// Writes a run to `at`.
#[inline(always)]
pub(super) fn store<F: Float>(run: Lanes<F>, to: &mut [F], at: usize) {
    to[at..at + LANES].copy_from_slice(&run);
}

/// `a + b`.
#[inline(always)]
pub(super) fn add<F: Float>(mut a: Lanes<F>, b: Lanes<F>) -> Lanes<F> {
    for lane in 0..LANES {
        a[lane] += b[lane];
    }
    a
}

/// `a - b`.
#[inline(always)]
pub(super) fn sub<F: Float>(mut a: Lanes<F>, b: Lanes<F>) -> Lanes<F> {
    for lane in 0..LANES {
        a[lane] -= b[lane];
    }
    a
}

/// `a / 2`.
#[inline(always)]
pub(super) fn half<F: Float>(mut a: Lanes<F>) -> Lanes<F> {
    for lane in &mut a {
        *lane *= F::of(0.5);
    }
    a
}
