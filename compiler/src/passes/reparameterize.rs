//! Makes version I neurons with an offset out of version II neurons (Eq. 7 and 8, with the sign of `b` that
//! Eq. 6 demands).
//!
//! ```text
//! g = alpha + beta gamma / sqrt(var + eps)      c = beta (gamma mean / sqrt(var + eps) - b)
//! m' = g (lambda v + I)    theta' = theta + c    s = relu(m' - theta')    v = min(m', theta') - c
//! ```
//!
//! The gain goes into the leak and into what gives the current: the affine map of a convolution, the factor of
//! channel attention - whose signs see the current without it - or both sides of an addition.

use crate::draft::{Draft, DraftOp, MembraneNorm};
use crate::{Error, Result};
use ndarray::Array2;

/// Removes the membrane normalisation of every neuron of `draft`.
pub fn reparameterize(draft: &mut Draft) -> Result<()> {
    for index in 0..draft.nodes.len() {
        let node = &mut draft.nodes[index];
        let DraftOp::Neuron(neuron) = &mut node.op else { continue };
        let Some(norm) = neuron.norm.take() else { continue };
        let (gain, offset) = gain_and_offset(&norm);
        neuron.lambda *= &gain;
        neuron.theta += &offset;
        neuron.offset = offset;
        let (name, source) = (node.name.clone(), node.inputs[0].clone());
        multiply(draft, &source, &gain, &name)?;
    }
    Ok(())
}

/// Multiplies the current called `name` with `gain`; it is read by nothing but `neuron`, perhaps through an
/// addition.
fn multiply(draft: &mut Draft, name: &str, gain: &Array2<f64>, neuron: &str) -> Result<()> {
    let Some(source) = draft.own(name) else {
        let message = format!(
            "is of version II and gives its gain to `{name}`, which other nodes read too; use version I, or read \
             a current of its own"
        );
        return Err(Error::unsupported(neuron, message));
    };
    match &mut draft.nodes[source].op {
        DraftOp::Conv(conv) => {
            conv.affine.gain *= gain;
            conv.affine.bias *= gain;
        }
        DraftOp::Widen { gain: own } | DraftOp::Seca { gain: own, .. } => *own *= gain,
        DraftOp::Add => {
            let mut inputs = draft.nodes[source].inputs.clone();
            // What is added to itself gets the gain once.
            inputs.dedup();
            for input in inputs {
                multiply(draft, &input, gain, neuron)?;
            }
        }
        _ => {
            let message = format!("is of version II and reads `{name}`, which is no current");
            return Err(Error::unsupported(neuron, message));
        }
    }
    Ok(())
}

/// `g` and `c`, each `[T, C]`: `alpha m + beta BN(m) = g m - c`.
pub fn gain_and_offset(norm: &MembraneNorm) -> (Array2<f64>, Array2<f64>) {
    let slope = &norm.gamma / &norm.var_eps.sqrt();
    let gain = &norm.alpha + &norm.beta * &slope;
    let offset = &norm.beta * (&slope * &norm.mean - &norm.b);
    (gain, offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::abs_diff_eq;
    use proptest::prelude::*;

    /// Eq. 6 for one neuron, step by step.
    fn by_definition(n: &MembraneNorm, lambda: &[f64], theta: &[f64], current: &[f64]) -> Vec<f64> {
        let mut v = 0.0;
        (0..current.len())
            .map(|t| {
                let at = [t, 0];
                let m = lambda[t] * v + current[t];
                let normal = n.gamma[at] * (m - n.mean[at]) / n.var_eps[at].sqrt() + n.b[at];
                let potential = n.alpha[at] * m + n.beta[at] * normal;
                let spike = (potential - theta[t]).max(0.0);
                v = potential - spike;
                spike
            })
            .collect()
    }

    /// The deployed form with gain and offset `gc`.
    fn deployed(
        (gain, offset): &(Array2<f64>, Array2<f64>),
        lambda: &[f64],
        theta: &[f64],
        current: &[f64],
    ) -> Vec<f64> {
        let mut v = 0.0;
        (0..current.len())
            .map(|t| {
                let (g, c) = (gain[[t, 0]], offset[[t, 0]]);
                let m = g * lambda[t] * v + g * current[t];
                v = m.min(theta[t] + c) - c;
                (m - (theta[t] + c)).max(0.0)
            })
            .collect()
    }

    fn column(values: &[f64]) -> Array2<f64> {
        Array2::from_shape_vec((values.len(), 1), values.to_vec()).unwrap()
    }

    /// `b` with the sign that is printed in Eq. 7 and 8.
    fn as_printed(norm: &MembraneNorm) -> (Array2<f64>, Array2<f64>) {
        let flipped = MembraneNorm { b: -&norm.b, ..norm.clone() };
        gain_and_offset(&flipped)
    }

    proptest! {
        #[test]
        fn equals_the_definition(values in prop::collection::vec(prop::array::uniform9(-2.0f64..2.0), 1..6)) {
            let of = |i: usize| values.iter().map(|v| v[i]).collect::<Vec<f64>>();
            let norm = MembraneNorm {
                alpha: column(&of(0)),
                beta: column(&of(1)),
                gamma: column(&of(2)),
                b: column(&of(3)),
                mean: column(&of(4)),
                var_eps: column(&of(5).iter().map(|v| v * v + 0.1).collect::<Vec<_>>()),
            };
            let (lambda, theta, current) = (of(6), of(7), of(8));
            let expected = by_definition(&norm, &lambda, &theta, &current);
            let form = gain_and_offset(&norm);
            let got = deployed(&form, &lambda, &theta, &current);
            // The terms of a step are below 100; what an earlier step lost is multiplied by its leak.
            let mut slack = 0.0;
            for (t, (e, g)) in expected.iter().zip(&got).enumerate() {
                slack = slack * (form.0[[t, 0]] * lambda[t]).abs() + 1e-12 * (1.0 + slack + e.abs());
                prop_assert!(abs_diff_eq!(*e, *g, epsilon = slack), "{expected:?} {got:?}");
            }
        }
    }

    #[test]
    fn the_printed_sign_is_wrong() {
        let one = column(&[1.0, 1.0]);
        let norm = MembraneNorm {
            alpha: one.clone(),
            beta: &one * 0.5,
            gamma: one.clone(),
            b: &one * 0.75,
            mean: &one * 0.25,
            var_eps: one,
        };
        let (lambda, theta, current) = ([0.5; 2], [1.0; 2], [2.0, 1.5]);
        let expected = by_definition(&norm, &lambda, &theta, &current);
        assert_eq!(deployed(&gain_and_offset(&norm), &lambda, &theta, &current), expected);
        assert_ne!(deployed(&as_printed(&norm), &lambda, &theta, &current), expected);
    }
}
