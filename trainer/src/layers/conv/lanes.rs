//! Arithmetic on runs of channels, which compilers turn into vector instructions.

use crate::Float;

/// Channels of a run: one AVX-512 register of `f32`.
pub(super) const LANES: usize = 16;

/// A run of channels.
pub(super) type Lanes<T> = [T; LANES];

/// The run that starts at `at`.
#[inline(always)]
pub(super) fn load<T: Copy + Default>(from: &[T], at: usize) -> Lanes<T> {
    let mut run = [T::default(); LANES];
    run.copy_from_slice(&from[at..at + LANES]);
    run
}

/// Writes a run to `at`.
#[inline(always)]
pub(super) fn store<T: Copy>(run: Lanes<T>, to: &mut [T], at: usize) {
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
