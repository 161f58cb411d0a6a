//! Leaky integrate-and-fire neuron with spikes of 0 and 1: the baseline of EM-PF neurons.

use crate::layers::batch_norm::Affine;
use crate::layers::neuron::{Current, CurrentGradient, Potential};
use crate::{Float, Tensor};
use rayon::prelude::*;

/// `m = leak v + I`, `s = 1` where `m >= threshold`, `v = m - threshold s`. The step passes a triangular
/// surrogate gradient, `max(0, 1 - |m - threshold|)`.
#[derive(Debug)]
pub struct Lif<F> {
    pub(crate) leak: F,
    pub(crate) threshold: F,
    identity: Affine<F>,
}

impl<F: Float> Lif<F> {
    /// For `channels` channels.
    pub fn new(leak: F, threshold: F, channels: usize) -> Self {
        Lif { leak, threshold, identity: Affine::identity(channels) }
    }

    fn fires(&self, m: F) -> F {
        if m >= self.threshold { F::one() } else { F::zero() }
    }

    /// Writes the spikes of a time-step; reads `potential.before` and writes `potential.after`.
    pub fn forward(&self, current: Current<'_, F>, potential: &mut Potential<F>, spikes: &mut Tensor<F>) {
        let x = current.x;
        spikes.resize(x.extents);
        let (size, c) = (x.extents.image(), x.extents.channels);
        let Affine { scale, shift } = current.affine.unwrap_or(&self.identity);
        let images = spikes.data.par_chunks_mut(size).zip(x.data.par_chunks(size));
        let potentials = potential.before.par_chunks(size).zip(potential.after.par_chunks_mut(size));
        images.zip(potentials).for_each(|((s, x), (before, after))| {
            let potentials = before.iter().zip(after);
            for (i, ((s, x), (before, after))) in s.iter_mut().zip(x).zip(potentials).enumerate() {
                let m = self.leak * *before + (*x * scale[i % c] + shift[i % c]);
                *s = self.fires(m);
                *after = m - self.threshold * *s;
            }
        });
    }

    /// Writes `dL/dI`, given `upstream = dL/ds`. Online the potential before is a constant and the one after
    /// of no consequence; through time `v = m - threshold s` adds `dL/dv` to `dL/dm` and takes
    /// `threshold dL/dv` from `dL/ds`.
    pub fn backward(
        &self,
        current: Current<'_, F>,
        potential: &Potential<F>,
        upstream: &Tensor<F>,
        to: CurrentGradient<'_, F>,
    ) {
        let x = current.x;
        to.grad.resize(x.extents);
        let c = x.extents.channels;
        let Affine { scale, shift } = current.affine.unwrap_or(&self.identity);
        let through_spike = |i: usize, up: F| {
            let m = self.leak * potential.before[i] + (x.data[i] * scale[i % c] + shift[i % c]);
            up * (F::one() - (m - self.threshold).abs()).max(F::zero())
        };
        let put = |grad: &mut F, value: F| *grad = if to.accumulate { *grad + value } else { value };
        let elements = to.grad.data.par_iter_mut().zip(&upstream.data).enumerate();
        match to.carry {
            None => elements.for_each(|(i, (grad, up))| put(grad, through_spike(i, *up))),
            Some(carry) => elements.zip(carry).for_each(|((i, (grad, up)), carry)| {
                let d = *carry + through_spike(i, *up - self.threshold * *carry);
                put(grad, d);
                *carry = self.leak * d;
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Extents;

    const EXTENTS: Extents = Extents { images: 1, height: 1, width: 1, channels: 1 };

    /// Spikes, potentials and `dL/dI` of two steps.
    fn run(currents: [f64; 2], upstream: [f64; 2], through_time: bool) -> [[f64; 2]; 3] {
        let lif = Lif::new(0.5, 1.0, 1);
        let map = |x: f64| Tensor { extents: EXTENTS, data: vec![x] };
        let mut potential = Potential::default();
        potential.reset(1);
        let (mut potentials, mut spikes) = (vec![], vec![]);
        for x in currents {
            potential.advance();
            let mut s = Tensor::default();
            lif.forward(Current { x: &map(x), affine: None }, &mut potential, &mut s);
            potentials.push(potential.clone());
            spikes.push(s.data[0]);
        }
        let (mut carry, mut grads) = (vec![0.0], [0.0; 2]);
        for t in [1, 0] {
            let mut grad = Tensor::default();
            let carry = through_time.then_some(&mut carry);
            let to = CurrentGradient { grad: &mut grad, accumulate: false, carry };
            lif.backward(
                Current { x: &map(currents[t]), affine: None },
                &potentials[t],
                &map(upstream[t]),
                to,
            );
            grads[t] = grad.data[0];
        }
        [[spikes[0], spikes[1]], [potentials[0].after[0], potentials[1].after[0]], grads]
    }

    #[test]
    fn two_steps_by_hand() {
        // m = 0.75, then 0.375 + 1: it fires and keeps 0.375. Surrogates 0.75 and 0.625.
        let [spikes, potentials, online] = run([0.75, 1.0], [2.0, 4.0], false);
        assert_eq!((spikes, potentials, online), ([0.0, 1.0], [0.75, 0.375], [1.5, 2.5]));
        // dL/dv[0] = 0.5 * 2.5; dL/dm[0] = 1.25 + 0.75 * (2 - 1.25).
        let [_, _, through_time] = run([0.75, 1.0], [2.0, 4.0], true);
        assert_eq!(through_time, [1.25 + 0.75 * 0.75, 2.5]);
    }

    #[test]
    fn far_from_the_threshold_nothing_passes() {
        let [spikes, _, grads] = run([-1.5, 3.0], [1.0, 1.0], false);
        assert_eq!((spikes, grads), ([0.0, 1.0], [0.0, 0.0]));
    }
}
