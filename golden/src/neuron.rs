//! EM-PF neuron: currents to spikes.

use crate::Result;
use crate::parameters::per_step;
use crate::round::{clamp, round_shift, saturate};
use empf_ir::formats::LEAK_FRACTION_BITS;
use empf_ir::{QuantNetwork, QuantOp};
use ndarray::{Array4, ArrayView2, ArrayView4};

/// Parameters of a layer of neurons; each tensor is `[T, C]`.
#[derive(Clone, Copy, Debug)]
pub struct Neuron<'a> {
    /// Leak with [`LEAK_FRACTION_BITS`] fraction bits.
    pub lambda: ArrayView2<'a, i32>,
    /// Threshold in the membrane format.
    pub theta: ArrayView2<'a, i32>,
    /// What is taken off the potential after each step, in the membrane format.
    pub offset: ArrayView2<'a, i32>,
    /// Version III: no potential is kept.
    pub parallel: bool,
    /// Bits by which the membrane format is finer than the spike's.
    pub shift: u8,
    /// A.
    pub act_bits: u32,
    /// V.
    pub membrane_bits: u32,
}

impl<'a> Neuron<'a> {
    /// The neurons of the node called `name`.
    ///
    /// # Errors
    /// A tensor that is missing, and a node of another operator.
    pub fn of(network: &'a QuantNetwork, name: &str) -> Result<Self> {
        let node = network.position(name).map(|index| &network.nodes[index].op);
        let Some(&QuantOp::Neuron { parallel, shift }) = node else {
            return Err(empf_ir::Error::invalid(format!("node `{name}`"), "is no neuron").into());
        };
        Ok(Neuron {
            lambda: per_step(network, name, "lambda")?,
            theta: per_step(network, name, "theta")?,
            offset: per_step(network, name, "offset")?,
            parallel,
            shift,
            act_bits: network.act_bits,
            membrane_bits: network.membrane_bits,
        })
    }
}

/// Spikes of every step. `current` is `[T, C, y, x]`; potentials start at 0.
pub fn neuron(current: ArrayView4<i32>, p: &Neuron) -> Array4<i32> {
    let mut spikes = Array4::zeros(current.raw_dim());
    walk(current, p, |at, [_, s, _]| spikes[at] = s as i32);
    spikes
}

/// Walks every neuron through its steps: `visit` gets `[t, c, y, x]` and `m`, `s` and the `v` that is kept.
pub fn walk(current: ArrayView4<i32>, p: &Neuron, mut visit: impl FnMut([usize; 4], [i64; 3])) {
    let (steps, channels, height, width) = current.dim();
    for c in 0..channels {
        for y in 0..height {
            for x in 0..width {
                let mut v = 0;
                for t in 0..steps {
                    let [m, s, next] = step(p, [t, c], v, current[[t, c, y, x]].into());
                    v = if p.parallel { 0 } else { next };
                    visit([t, c, y, x], [m, s, v]);
                }
            }
        }
    }
}

/// Potential, spike and next potential of one neuron at (step, channel) `at`.
fn step(p: &Neuron, at: [usize; 2], v: i64, current: i64) -> [i64; 3] {
    let [lambda, theta, offset] = [p.lambda[at], p.theta[at], p.offset[at]].map(i64::from);
    let m = saturate(round_shift(lambda * v, LEAK_FRACTION_BITS as u8) + current, p.membrane_bits);
    let s = clamp(round_shift((m - theta).max(0), p.shift), p.act_bits);
    [m, s, saturate(m.min(theta) - offset, p.membrane_bits)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    fn run(current: &[i32], lambda: i32, theta: i32, offset: i32, parallel: bool, shift: u8) -> Vec<i32> {
        let t = current.len();
        let [lambda, theta, offset] = [lambda, theta, offset].map(|v| Array2::from_elem((t, 1), v));
        let p = Neuron {
            lambda: lambda.view(),
            theta: theta.view(),
            offset: offset.view(),
            parallel,
            shift,
            act_bits: 4,
            membrane_bits: 12,
        };
        let current = Array4::from_shape_vec((t, 1, 1, 1), current.to_vec()).unwrap();
        neuron(current.view(), &p).into_raw_vec_and_offset().0
    }

    #[test]
    fn potential_is_bounded_by_the_threshold() {
        // m: 30, 10/2+30, 10/2-20, -15/2+30 (-7.5 rounds to -7)
        assert_eq!(run(&[30, 30, -20, 30], 2048, 10, 0, false, 1), [10, 13, 0, 7]);
    }

    #[test]
    fn parallel_keeps_nothing() {
        assert_eq!(run(&[9, 9, -20, 12], 4096, 8, 0, true, 0), [1, 1, 0, 4]);
    }

    #[test]
    fn offset_leaves_the_potential() {
        // v: min(6, 4) - 3 = 1, then m = 1 + 6
        assert_eq!(run(&[6, 6], 4096, 4, 3, false, 0), [2, 3]);
    }

    #[test]
    fn saturation_before_the_spike() {
        // The current saturates nowhere, m does: -2047 - 2047 becomes -2048; a negative threshold stays exact.
        assert_eq!(run(&[-2047, -2047], 4096, -2048, 0, false, 0), [1, 0]);
        assert_eq!(run(&[2047], 4096, -2048, 0, false, 9), [8]);
        assert_eq!(run(&[2047], 4096, 0, 0, false, 0), [15]);
        // 2047 + 2047 becomes 2047, which is the threshold.
        assert_eq!(run(&[2047, 2047], 4096, 2047, 0, false, 0), [0, 0]);
    }

    #[test]
    fn saturation_after_the_spike() {
        // v: -2000 - 2000 becomes -2048, then m = -2048 + 2047.
        assert_eq!(run(&[-2000, 2047], 4096, -100, 2000, false, 3), [0, 12]);
        // v: 2000 + 2000 becomes 2047, then m = 2047 - 2040.
        assert_eq!(run(&[2000, -2040], 4096, 2000, -2000, false, 0), [0, 0]);
        assert_eq!(run(&[2000, -2040], 4096, 0, -2047, false, 0), [15, 7]);
    }

    #[test]
    fn parameters_follow_step_and_channel() {
        let lambda = array![[0, 0], [4096, 0]];
        let theta = array![[4, 1], [2, 3]];
        let offset = Array2::zeros((2, 2));
        let p = Neuron {
            lambda: lambda.view(),
            theta: theta.view(),
            offset: offset.view(),
            parallel: false,
            shift: 0,
            act_bits: 4,
            membrane_bits: 12,
        };
        let current = Array4::from_shape_vec((2, 2, 1, 1), vec![5, 5, 5, 5]).unwrap();
        let spikes = neuron(current.view(), &p);
        assert_eq!(spikes.into_raw_vec_and_offset().0, [1, 4, 7, 2]);
    }
}
