//! EM-PF neuron (Eq. 3 and 6).

use super::step::frame;
use ndarray::{Array2, Array4, ArrayView4};

/// Membrane batch normalisation of version II; each tensor is `[T, C]`.
pub(super) struct MembraneNorm {
    pub(super) alpha: Array2<f64>,
    pub(super) beta: Array2<f64>,
    pub(super) gamma: Array2<f64>,
    pub(super) b: Array2<f64>,
    pub(super) mean: Array2<f64>,
    pub(super) var: Array2<f64>,
    pub(super) eps: f64,
}

impl MembraneNorm {
    /// `alpha * m + beta * BN(m)` at (step, channel) `at`.
    fn apply(&self, m: f64, at: [usize; 2]) -> f64 {
        let normal = (m - self.mean[at]) / (self.var[at] + self.eps).sqrt();
        self.alpha[at] * m + self.beta[at] * (self.gamma[at] * normal + self.b[at])
    }
}

/// Parameters of a layer of neurons; each tensor is `[T, C]`.
pub(super) struct Neuron {
    /// `None`: version III, no potential is kept.
    pub(super) lambda: Option<Array2<f64>>,
    pub(super) theta: Array2<f64>,
    /// Version II.
    pub(super) norm: Option<MembraneNorm>,
}

/// Spikes of every step.
pub(super) fn neuron(current: ArrayView4<f64>, p: &Neuron) -> Array4<f64> {
    let (_, channels, height, width) = current.dim();
    let mut spikes = Array4::zeros((p.theta.nrows(), channels, height, width));
    let mut potential = ndarray::Array3::<f64>::zeros((channels, height, width));
    for (t, mut spikes) in spikes.outer_iter_mut().enumerate() {
        let current = frame(current.view(), t);
        ndarray::Zip::indexed(&mut spikes).and(&mut potential).and(&current).for_each(
            |(c, _, _), s, v, i| {
                let leaked = p.lambda.as_ref().map_or(0.0, |lambda| lambda[[t, c]] * *v);
                let m = leaked + i;
                let m = p.norm.as_ref().map_or(m, |norm| norm.apply(m, [t, c]));
                *s = (m - p.theta[[t, c]]).max(0.0);
                *v = m - *s;
            },
        );
    }
    spikes
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn run(current: &[f64], p: &Neuron) -> Vec<f64> {
        let current = Array4::from_shape_vec((current.len(), 1, 1, 1), current.to_vec()).unwrap();
        neuron(current.view(), p).into_raw_vec_and_offset().0
    }

    fn constant(value: f64) -> Array2<f64> {
        array![[value], [value], [value]]
    }

    #[test]
    fn version_i_keeps_what_did_not_fire() {
        let p = Neuron { lambda: Some(constant(0.5)), theta: constant(1.0), norm: None };
        // m = 3; 0.5 + 0.25; 0.375 + 1
        assert_eq!(run(&[3.0, 0.25, 1.0], &p), [2.0, 0.0, 0.375]);
    }

    #[test]
    fn version_iii_keeps_nothing() {
        let p = Neuron { lambda: None, theta: constant(1.0), norm: None };
        assert_eq!(run(&[3.0, 0.75, 1.5], &p), [2.0, 0.0, 0.5]);
    }

    #[test]
    fn version_ii_normalises_the_potential() {
        let norm = MembraneNorm {
            alpha: constant(1.0),
            beta: constant(2.0),
            gamma: constant(0.5),
            b: constant(0.25),
            mean: constant(1.0),
            var: constant(3.0),
            eps: 1.0,
        };
        let p = Neuron { lambda: Some(constant(1.0)), theta: constant(2.0), norm: Some(norm) };
        // mh = m + 2 * (0.5 * (m - 1) / 2 + 0.25) = 1.5 m; m = 2, s = 1, v = 2; m = 4, s = 4, v = 2; m = 0
        assert_eq!(run(&[2.0, 2.0, -2.0], &p), [1.0, 4.0, 0.0]);
    }

    #[test]
    fn one_frame_serves_all_steps() {
        let p = Neuron { lambda: Some(constant(1.0)), theta: constant(2.0), norm: None };
        let spikes = neuron(array![[[[1.5]]]].view(), &p);
        assert_eq!(spikes.into_raw_vec_and_offset().0, [0.0, 1.0, 1.5]);
    }
}
