//! Spikes and means of A bits: rounded in the forward pass, straight through in the backward pass.
//!
//! The scale of a layer is the power of two - divided by n for means of n values - with the least squared error
//! over the values of a batch. A value beyond the largest code is clipped and passes no gradient.

use crate::layers::parallel::ForEachImage;
use crate::{Extents, Float, Tensor};
use empf_ir::CodeFormat;
use rayon::prelude::*;
use std::ops::RangeInclusive;

/// Images of a batch over which a scale is chosen.
const OBSERVED_IMAGES: usize = 8;
/// Fraction bits f of a scale `unit * 2^-f`.
const FRACTIONS: RangeInclusive<i32> = -8..=20;
const CANDIDATES: usize = (*FRACTIONS.end() - *FRACTIONS.start() + 1) as usize;

/// What rounds the values of a layer.
#[derive(Clone, Debug)]
pub(crate) struct Rounding {
    bits: u32,
    /// 1 for spikes, 1/n for means of n of them.
    unit: f64,
    fraction: Option<i32>,
    /// Squared error of each fraction, while values are observed.
    errors: Option<[f64; CANDIDATES]>,
}

impl Rounding {
    /// To codes of `bits` bits and a scale `unit * 2^-f`; rounds nothing until it has observed values.
    pub(crate) fn new(bits: u32, unit: f64) -> Self {
        Rounding { bits, unit, fraction: None, errors: None }
    }

    /// `unit` of a mean of `count` values that are rounded by `self`.
    pub(crate) fn unit_of_mean(&self, count: usize) -> f64 {
        self.unit / count as f64
    }

    /// Rounds to codes of `step`, which is a scale of this unit.
    pub(crate) fn set_step(&mut self, step: f64) {
        self.fraction = Some((self.unit / step).log2().round() as i32);
    }

    fn format_of(&self, fraction: i32) -> CodeFormat {
        CodeFormat { bits: self.bits, step: self.unit * f64::from(-fraction).exp2() }
    }

    /// What it rounds to.
    pub(crate) fn format(&self) -> Option<CodeFormat> {
        self.fraction.map(|fraction| self.format_of(fraction))
    }

    /// A.
    pub(crate) fn bits(&self) -> u32 {
        self.bits
    }

    /// The fraction bits in use.
    pub(crate) fn fraction(&self) -> Option<i32> {
        self.fraction
    }

    /// Looks at all values from here to [`Rounding::adopt`].
    pub(crate) fn observe(&mut self) {
        self.errors = Some([0.0; CANDIDATES]);
    }

    /// Takes the format with the least squared error over what was observed, of equal ones the coarsest. A mean is
    /// not finer than the sum of the codes of `source` that it is made of.
    ///
    /// A layer that was silent keeps its format. Where it has none, it gets one that reaches as far as its source's,
    /// a spike's reaches to 1.
    pub(crate) fn adopt(&mut self, source: Option<&Rounding>) {
        let Some(errors) = self.errors.take() else { return };
        let finest = source.and_then(Rounding::fraction);
        let allowed = FRACTIONS.filter(|fraction| finest.is_none_or(|f| *fraction <= f));
        if errors.iter().all(|error| *error == 0.0) {
            let reach = source.and_then(Rounding::format).map_or(1.0, CodeFormat::limit);
            let far_enough = |fraction: &i32| self.format_of(*fraction).limit() >= reach;
            self.fraction = self.fraction.or(allowed.rev().find(far_enough));
            return;
        }
        let error = |fraction: i32| errors[(fraction - FRACTIONS.start()) as usize];
        self.fraction = allowed.min_by(|a, b| error(*a).total_cmp(&error(*b)));
    }

    /// Rounds `values` in place.
    pub(crate) fn round<F: Float>(&mut self, values: &mut Tensor<F>) {
        let size = values.extents.image();
        if self.observes() {
            self.add_errors(&values.data[..Rounding::observed(values.extents)]);
        }
        let Some(format) = self.format() else { return };
        let (step, limit, half) = (F::of(format.step), F::of(format.limit()), F::of(0.5));
        let inverse = F::of(1.0 / format.step);
        values.data.par_chunks_mut(size).for_each_image(|image| {
            for value in image {
                let nearest = (*value * inverse + half).floor() * step;
                *value = if nearest < limit { nearest } else { limit };
            }
        });
    }

    /// Whether it looks at values.
    pub(crate) fn observes(&self) -> bool {
        self.errors.is_some()
    }

    /// Elements, from the first on, that it looks at.
    pub(crate) fn observed(values: Extents) -> usize {
        values.images.min(OBSERVED_IMAGES) * values.image()
    }

    /// Looks at `values`.
    pub(crate) fn add_errors<F: Float>(&mut self, values: &[F]) {
        let formats: Vec<CodeFormat> = FRACTIONS.map(|fraction| self.format_of(fraction)).collect();
        let Some(errors) = &mut self.errors else { return };
        errors.par_iter_mut().zip(&formats).for_each(|(error, format)| {
            let (inverse, step, limit) = (1.0 / format.step, format.step, format.limit());
            for value in values.iter().map(|v| v.f64()) {
                *error += (value - ((value * inverse + 0.5).floor() * step).min(limit)).powi(2);
            }
        });
    }

    /// Takes the gradient off values that are clipped. `values` are rounded, `grad` is the gradient by them.
    pub(crate) fn clip_gradient<F: Float>(&self, values: &Tensor<F>, grad: &mut Tensor<F>) {
        let Some(format) = self.format() else { return };
        let limit = F::of(format.limit());
        let size = values.extents.image();
        grad.data.par_chunks_mut(size).zip(values.data.par_chunks(size)).for_each_image(|(grad, values)| {
            for (g, value) in grad.iter_mut().zip(values) {
                if *value >= limit {
                    *g = F::zero();
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::abs_diff_eq;
    use proptest::prelude::*;

    fn tensor(values: &[f64]) -> Tensor<f64> {
        let extents = Extents { images: 1, height: 1, width: values.len(), channels: 1 };
        Tensor { extents, data: values.to_vec() }
    }

    fn rounding(bits: u32, step: f64) -> Rounding {
        let mut rounding = Rounding::new(bits, 1.0);
        rounding.set_step(step);
        rounding
    }

    #[test]
    fn rounds_clips_and_passes_gradients_below_the_limit() {
        let mut rounding = rounding(2, 0.5);
        let mut spikes = tensor(&[0.0, 0.24, 0.25, 0.8, 1.24, 1.25, 9.0]);
        rounding.round(&mut spikes);
        assert_eq!(spikes.data, [0.0, 0.0, 0.5, 1.0, 1.0, 1.5, 1.5]);
        let mut grad = tensor(&[1.0; 7]);
        rounding.clip_gradient(&spikes, &mut grad);
        assert_eq!(grad.data, [1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn nothing_is_rounded_before_a_format_is_adopted() {
        let mut rounding = Rounding::new(4, 1.0);
        let mut spikes = tensor(&[0.1, 0.33, 1.9]);
        rounding.observe();
        rounding.round(&mut spikes);
        assert_eq!(spikes.data, [0.1, 0.33, 1.9]);
        rounding.adopt(None);
        // 15 codes of 1/8 reach 1.875; 1/4 is coarser than it need be, 1/16 clips.
        assert_eq!(rounding.format(), Some(CodeFormat { bits: 4, step: 0.125 }));
    }

    #[test]
    fn means_are_not_finer_than_their_sums() {
        let mut means = Rounding::new(8, rounding(8, 0.25).unit_of_mean(9));
        means.observe();
        means.round(&mut tensor(&[0.03, 0.5]));
        means.adopt(Some(&rounding(8, 0.25)));
        assert_eq!(means.format(), Some(CodeFormat { bits: 8, step: 1.0 / 36.0 }));
    }

    #[test]
    fn a_silent_layer_has_a_format() {
        let silent = |mut silent: Rounding, source: Option<&Rounding>| {
            silent.observe();
            silent.round(&mut tensor(&[0.0; 3]));
            silent.adopt(source);
            silent
        };
        let spikes = silent(Rounding::new(4, 1.0), None);
        assert_eq!(spikes.format(), Some(CodeFormat { bits: 4, step: 0.125 }));
        // 15 codes of 1/8 reach 1.875; of 1/72 only 0.21, of 16/72 3.3 and of 8/72 1.67.
        let means = silent(Rounding::new(4, spikes.unit_of_mean(9)), Some(&spikes));
        assert_eq!(means.format(), Some(CodeFormat { bits: 4, step: 2.0 / 9.0 }));
        let kept = silent(rounding(4, 0.5), None);
        assert_eq!(kept.format(), Some(CodeFormat { bits: 4, step: 0.5 }));
    }

    proptest! {
        #[test]
        fn rounding_is_that_of_the_format(
            values in prop::collection::vec(0.0f64..50.0, 1..40),
            bits in 2u32..=8,
            fraction in -3i32..6,
        ) {
            let format = CodeFormat { bits, step: f64::from(-fraction).exp2() };
            let mut spikes = tensor(&values);
            rounding(bits, format.step).round(&mut spikes);
            for (value, rounded) in values.iter().zip(&spikes.data) {
                prop_assert_eq!(*rounded, format.nearest(*value));
                let clipped = *value > format.limit();
                prop_assert!(clipped || abs_diff_eq!(*rounded, *value, epsilon = format.step / 2.0));
            }
        }

        #[test]
        fn the_adopted_format_is_the_best(values in prop::collection::vec(0.001f64..20.0, 1..60), bits in 2u32..=8) {
            let mut rounding = Rounding::new(bits, 1.0);
            rounding.observe();
            rounding.round(&mut tensor(&values));
            rounding.adopt(None);
            let error = |format: CodeFormat| values.iter().map(|v| (v - format.nearest(*v)).powi(2)).sum::<f64>();
            let adopted = error(rounding.format().unwrap());
            for fraction in FRACTIONS {
                prop_assert!(adopted <= error(rounding.format_of(fraction)) + 1e-9);
            }
        }
    }
}
