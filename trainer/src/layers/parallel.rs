//! Work shared by the cores, with results that do not depend on their number.

use crate::Float;
use pulp::Arch;
use rayon::prelude::*;
use std::sync::Mutex;

/// Runs `work` with the widest vectors that the processor has.
#[inline(always)]
fn wide<R>(work: impl FnOnce() -> R) -> R {
    Arch::new().dispatch(work)
}

/// Work on images that do not depend on each other.
pub(crate) trait ForEachImage: IndexedParallelIterator {
    /// `work` on each, on all cores and with the widest vectors that the processor has.
    fn for_each_image(self, work: impl Fn(Self::Item) + Sync) {
        self.for_each(|image| {
            wide(
                #[inline(always)]
                || work(image),
            );
        });
    }
}

impl<I: IndexedParallelIterator> ForEachImage for I {}

/// `work(image, acc)` for each image, on `len` elements that are zero at first; the results in order.
pub(crate) fn per_image<F: Float>(
    images: usize,
    len: usize,
    work: impl Fn(usize, &mut [F]) + Sync,
) -> Vec<Vec<F>> {
    let run = |image| {
        let mut acc = vec![F::zero(); len];
        wide(
            #[inline(always)]
            || work(image, &mut acc),
        );
        acc
    };
    (0..images).into_par_iter().map(run).collect()
}

/// Sums per channel: `sum(image, acc)` adds image `image` to `acc` (`SUMS * channels` elements, zero at
/// first); the images are then added in order, in double precision.
pub(crate) fn channel_sums<F: Float, const SUMS: usize>(
    images: usize,
    channels: usize,
    sum: impl Fn(usize, &mut [F]) + Sync,
) -> [Vec<f64>; SUMS] {
    total(&per_image(images, SUMS * channels, sum), channels)
}

/// As [`channel_sums`], for images that also write their part of an output.
pub(crate) fn channel_sums_mut<F: Float, const SUMS: usize>(
    output: &mut [F],
    image_size: usize,
    channels: usize,
    sum: impl Fn(usize, &mut [F], &mut [F]) + Sync,
) -> [Vec<f64>; SUMS] {
    let partial: Vec<Vec<F>> = output
        .par_chunks_mut(image_size)
        .enumerate()
        .map(|(image, out)| {
            let mut acc = vec![F::zero(); SUMS * channels];
            wide(
                #[inline(always)]
                || sum(image, out, &mut acc),
            );
            acc
        })
        .collect();
    total(&partial, channels)
}

fn total<F: Float, const SUMS: usize>(partial: &[Vec<F>], channels: usize) -> [Vec<f64>; SUMS] {
    let mut totals = std::array::from_fn(|_| vec![0.0; channels]);
    for acc in partial {
        for (total, acc) in totals.iter_mut().zip(acc.chunks_exact(channels)) {
            total.iter_mut().zip(acc).for_each(|(t, a)| *t += a.f64());
        }
    }
    totals
}

/// Buffers that tasks borrow and give back, so that none is allocated twice.
#[derive(Debug, Default)]
pub(crate) struct Scratch<T>(Mutex<Vec<Vec<T>>>);

impl<T: Clone + Default> Scratch<T> {
    /// Runs `work` on `len` elements of unspecified value.
    pub(crate) fn with<R>(&self, len: usize, work: impl FnOnce(&mut [T]) -> R) -> R {
        let lock = || self.0.lock().unwrap_or_else(|e| e.into_inner());
        let mut buffer = lock().pop().unwrap_or_default();
        if buffer.len() < len {
            buffer.resize(len, T::default());
        }
        let result = work(&mut buffer[..len]);
        lock().push(buffer);
        result
    }
}
