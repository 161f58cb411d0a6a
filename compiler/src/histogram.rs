//! Counts of magnitudes in bins of equal relative width.

use serde::Serialize;
use std::collections::BTreeMap;

/// Bits of a value's mantissa that tell bins apart: a bin is 1/64 of an octave's lower end wide.
const MANTISSA_BITS: u32 = 6;
const DROPPED_BITS: u32 = f64::MANTISSA_DIGITS - 1 - MANTISSA_BITS;

/// How often values of each size were seen. The order in which values are added does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Histogram {
    /// By the leading bits of the value.
    counts: BTreeMap<u32, u64>,
}

impl Histogram {
    /// Counts a value >= 0. Zeros are left out: every code represents them exactly.
    pub fn add(&mut self, value: f64) {
        if value > 0.0 {
            *self.counts.entry((value.to_bits() >> DROPPED_BITS) as u32).or_default() += 1;
        }
    }

    /// What no value reaches; `None` where nothing but zeros was seen.
    pub fn limit(&self) -> Option<f64> {
        let (last, _) = self.counts.last_key_value()?;
        Some(f64::from_bits(u64::from(last + 1) << DROPPED_BITS))
    }

    /// Adds the counts of `other`.
    pub fn merge(&mut self, other: Histogram) {
        for (bin, count) in other.counts {
            *self.counts.entry(bin).or_default() += count;
        }
    }

    /// Middle of each bin, and its count.
    fn bins(&self) -> impl Iterator<Item = (f64, f64)> {
        let middle = |bin: u32| f64::from_bits(u64::from(bin) << DROPPED_BITS | 1 << (DROPPED_BITS - 1));
        self.counts.iter().map(move |(bin, count)| (middle(*bin), *count as f64))
    }

    /// Sum of the squared errors of the values as multiples 0..=`max_code` of `step`.
    pub fn squared_error(&self, step: f64, max_code: i32) -> f64 {
        let nearest = |x: f64| (x / step).round().min(f64::from(max_code)) * step;
        self.bins().map(|(x, count)| count * (x - nearest(x)).powi(2)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::abs_diff_eq;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn error_is_that_of_the_values(values in prop::collection::vec(1e-9f64..40.0, 1..200), f in -2i32..3) {
            let step = 2f64.powi(f);
            let mut histogram = Histogram::default();
            values.iter().for_each(|v| histogram.add(*v));
            let exact: f64 =
                values.iter().map(|v| (v - (v / step).round().min(15.0) * step).powi(2)).sum();
            // A value is known up to 1/128, and so is its distance from a code.
            let slack: f64 = values.iter().map(|v| v / 64.0 * (step + v)).sum();
            prop_assert!(abs_diff_eq!(histogram.squared_error(step, 15), exact, epsilon = slack + 1e-9));
            let largest = values.into_iter().fold(0.0, f64::max);
            let limit = histogram.limit().unwrap_or(0.0);
            prop_assert!(largest < limit && limit <= largest * (1.0 + 1.0 / 64.0));
        }
    }

    #[test]
    fn zeros_leave_no_trace() {
        let mut histogram = Histogram::default();
        histogram.add(0.0);
        assert_eq!((histogram.limit(), &histogram), (None, &Histogram::default()));
    }

    #[test]
    fn merging_is_adding() {
        let (mut all, mut a, mut b) = (Histogram::default(), Histogram::default(), Histogram::default());
        for (i, v) in [0.0, 1.0, 3.5, 1.0, 0.001].into_iter().enumerate() {
            all.add(v);
            if i % 2 == 0 { &mut a } else { &mut b }.add(v);
        }
        a.merge(b);
        assert_eq!(a, all);
    }
}
