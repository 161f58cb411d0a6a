//! Theorem 4.2: where a neuron fires at every step, or at none, the gradient through time is the online one,
//! for currents (hence weights) and leaks. A threshold that is always reached still hands its value to the
//! next step as v = theta, so its own gradient is not separable and not part of the theorem.

use approx::abs_diff_eq;
use empf_ir::NeuronVersion;
use empf_trainer::layers::membrane::Statistics;
use empf_trainer::layers::neuron::{Current, CurrentGradient, Neuron, Potential};
use empf_trainer::{Extents, Tensor};
use proptest::prelude::*;

/// Gradients of one neuron's currents, leaks and thresholds, and at how many steps it fired.
fn gradients(
    lambda: &[f64],
    theta: &[f64],
    current: &[f64],
    upstream: &[f64],
    online: bool,
) -> (Vec<Vec<f64>>, usize) {
    let steps = current.len();
    let mut neuron = Neuron::<f64>::new(NeuronVersion::I, steps, 1, false, 0.0);
    neuron.theta.value = theta.to_vec();
    neuron.lambda.as_mut().unwrap().value = lambda.to_vec();
    let extents = Extents { images: 1, height: 1, width: 1, channels: 1 };
    let map = |x: f64| Tensor { extents, data: vec![x] };
    let mut potentials: Vec<Potential<f64>> = vec![];
    let mut fired = 0;
    for t in 0..steps {
        let mut potential = potentials.last().cloned().unwrap_or_default();
        if t == 0 {
            potential.reset(1);
        }
        potential.advance();
        let mut spikes = Tensor::default();
        neuron.forward(
            t,
            Current { x: &map(current[t]), affine: None },
            Statistics::Batch,
            &mut potential,
            &mut spikes,
        );
        fired += usize::from(potential.after[0] >= theta[t]);
        potentials.push(potential);
    }
    let (mut carry, mut currents) = (vec![0.0], vec![0.0; steps]);
    for t in (0..steps).rev() {
        let mut grad = Tensor::default();
        let carry = (!online).then_some(&mut carry);
        let to = CurrentGradient { grad: &mut grad, accumulate: false, carry };
        let x = map(current[t]);
        neuron.backward(t, Current { x: &x, affine: None }, &potentials[t], &map(upstream[t]), to);
        currents[t] = grad.data[0];
    }
    (vec![currents, neuron.lambda.unwrap().grad, neuron.theta.grad], fired)
}

/// Steps of (leak, threshold, distance of the current from the firing border, upstream gradient).
fn steps() -> impl Strategy<Value = Vec<(f64, f64, f64, f64)>> {
    prop::collection::vec((-1.5..1.5f64, -1.0..1.0f64, 0.01..2.0f64, -1.0..1.0f64), 1..12)
}

/// Currents that keep the membrane `side * distance` from the threshold at every step.
fn at_distance(steps: &[(f64, f64, f64, f64)], side: f64) -> Vec<f64> {
    let mut v = 0.0f64;
    let current = |(lambda, theta, distance, _): &(f64, f64, f64, f64)| {
        let m = theta + side * distance;
        let current = m - lambda * v;
        v = m.min(*theta);
        current
    };
    steps.iter().map(current).collect()
}

fn columns(steps: &[(f64, f64, f64, f64)]) -> [Vec<f64>; 3] {
    [
        steps.iter().map(|s| s.0).collect(),
        steps.iter().map(|s| s.1).collect(),
        steps.iter().map(|s| s.3).collect(),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn always_or_never_firing_separates_the_gradients(steps in steps(), fires: bool) {
        let [lambda, theta, upstream] = columns(&steps);
        let current = at_distance(&steps, if fires { 1.0 } else { -1.0 });
        let (online, fired) = gradients(&lambda, &theta, &current, &upstream, true);
        let (through_time, _) = gradients(&lambda, &theta, &current, &upstream, false);
        prop_assert_eq!(fired, if fires { steps.len() } else { 0 });
        for (a, b) in online[..2].concat().iter().zip(through_time[..2].concat()) {
            prop_assert!(abs_diff_eq!(*a, b, epsilon = 1e-12), "{a} online, {b} through time");
        }
    }
}

#[test]
fn a_neuron_that_fires_only_sometimes_does_not() {
    let [lambda, theta, upstream] = [[0.5; 2], [1.0; 2], [1.0; 2]];
    let (online, fired) = gradients(&lambda, &theta, &[0.5, 2.0], &upstream, true);
    let (through_time, _) = gradients(&lambda, &theta, &[0.5, 2.0], &upstream, false);
    assert_eq!(fired, 1);
    assert_eq!(online[0], [0.0, 1.0]);
    assert_eq!(through_time[0], [0.5, 1.0]);
}
