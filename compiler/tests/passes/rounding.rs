//! How far integers may be from the real numbers that they stand for: a bound that follows each rounding and
//! each clipping of the quantization through the network, element by element.

use empf_compiler::draft::{Affine, Conv, Draft, DraftOp, Neuron};
use empf_golden::float;
use empf_ir::formats::{LEAK_FRACTION_BITS, MAX_REQUANT_SHIFT, MULTIPLIER_BITS};
use empf_ir::{INPUT, Node, QuantNetwork, QuantOp, WeightKind};
use ndarray::{Array2, Array4, ArrayView3, ArrayView4, Axis, Zip};
use std::collections::BTreeMap;

/// Real numbers, and how far the integers that stand for them can be.
#[derive(Clone, Debug)]
pub(crate) struct Bounded {
    pub(crate) value: Array4<f64>,
    pub(crate) error: Array4<f64>,
}

/// Every node of `draft` for one image of codes. `draft` has no normalisations left, `quantized` was made of it,
/// and the image is one of those that it was calibrated on, so that no current leaves its format.
pub(crate) fn bounds(
    draft: &Draft,
    quantized: &QuantNetwork,
    image: ArrayView4<u8>,
) -> BTreeMap<String, Bounded> {
    let value = float::values(&draft.input, image);
    let error = Array4::zeros(value.raw_dim());
    let mut known = BTreeMap::from([(INPUT.to_owned(), Bounded { value, error })]);
    for (node, integer) in draft.nodes.iter().zip(&quantized.nodes) {
        let border = if node.inputs[0] == INPUT { border_errors(draft) } else { vec![] };
        let walk = Walk { quantized, name: &node.name, step: quantized.scales[&node.name], border };
        let inputs: Vec<&Bounded> = node.inputs.iter().map(|name| &known[name]).collect();
        let result = walk.node(node, &integer.op, &inputs);
        known.insert(node.name.clone(), result);
    }
    known
}

/// How far the border's code of each channel of the input is from the value 0.
fn border_errors(draft: &Draft) -> Vec<f64> {
    let codes = draft.input.border().into_iter().enumerate();
    codes.map(|(channel, code)| draft.input.value(channel, code).abs()).collect()
}

struct Walk<'a> {
    quantized: &'a QuantNetwork,
    name: &'a str,
    /// Value of a code of the result.
    step: f64,
    /// How far the border of each channel read is from 0; none where it is 0.
    border: Vec<f64>,
}

impl Walk<'_> {
    fn node(&self, node: &Node<DraftOp>, integer: &QuantOp, inputs: &[&Bounded]) -> Bounded {
        let x = inputs[0];
        match (&node.op, integer) {
            (DraftOp::Conv(conv), QuantOp::Conv { shift, .. }) => {
                self.conv(conv, *shift, self.quantized.scales[&node.inputs[0]], x)
            }
            (DraftOp::Neuron(neuron), _) => self.neuron(neuron, x),
            (DraftOp::AvgPool { kernel, stride }, _) => self.coded(Bounded {
                value: float::avg_pool(x.value.view(), *kernel, *stride),
                error: float::avg_pool(x.error.view(), *kernel, *stride),
            }),
            (DraftOp::Linear { weight, bias }, _) => self.linear(weight, bias, x),
            (DraftOp::Widen { .. }, QuantOp::Widen { .. }) => x.clone(),
            (DraftOp::Add, _) => {
                Bounded { value: &x.value + &inputs[1].value, error: &x.error + &inputs[1].error }
            }
            (op, integer) => panic!("{}: {op:?} became {integer:?}", self.name),
        }
    }

    /// `x` with a border of 0, as far off as the border's codes are.
    fn with_border(&self, x: &Bounded, padding: usize) -> Bounded {
        let (frames, channels, height, width) = x.value.dim();
        let padded = |map: &Array4<f64>, outside: &dyn Fn(usize) -> f64| {
            let extents = (frames, channels, height + 2 * padding, width + 2 * padding);
            Array4::from_shape_fn(extents, |(f, c, y, x)| {
                let inside = map.get((f, c, y.wrapping_sub(padding), x.wrapping_sub(padding)));
                inside.copied().unwrap_or_else(|| outside(c))
            })
        };
        let error = |channel: usize| self.border.get(channel).copied().unwrap_or(0.0);
        Bounded { value: padded(&x.value, &|_| 0.0), error: padded(&x.error, &error) }
    }

    /// `value` as a code of `self.step`: rounded, and clipped where it is larger than the largest code.
    fn coded(&self, mut x: Bounded) -> Bounded {
        let limit = f64::from(self.quantized.max_code()) * self.step;
        Zip::from(&mut x.error).and(&x.value).for_each(|error, value| {
            *error += self.step / 2.0 + (value - limit).max(0.0);
        });
        x
    }

    /// A mantissa has all its bits, or the layer's shift is the largest there is.
    fn check_mantissas(&self, shift: u8) {
        let mantissas = self.quantized.tensor(self.name, "mantissa").unwrap();
        let full = mantissas.iter().any(|m| m.abs() >= 1 << (MULTIPLIER_BITS - 2));
        assert!(full || shift == MAX_REQUANT_SHIFT, "{}: mantissas of less than 16 bits", self.name);
    }

    /// The mantissa is rounded, and so are bias and product; weights that are not +-1 are the nearest odd
    /// multiple of the channel's largest magnitude / 255. `scale` is the value of a code read.
    fn conv(&self, conv: &Conv, shift: u8, scale: f64, x: &Bounded) -> Bounded {
        self.check_mantissas(shift);
        let x = &self.with_border(x, conv.padding);
        let largest = |channel: ArrayView3<f64>| channel.fold(0.0f64, |most, w| most.max(w.abs()));
        let odd: Vec<f64> = conv.weight.outer_iter().map(|channel| largest(channel) / 255.0).collect();
        let sign = conv.weights == WeightKind::Sign;
        // Weight of the integer 1, and how far an integer may be from its weight.
        let step = |c: usize| if sign { 1.0 } else { odd[c] };
        let off = |c: usize| if sign { 0.0 } else { odd[c] };
        let weights = |f: &dyn Fn(usize, f64) -> f64| {
            Array4::from_shape_fn(conv.weight.raw_dim(), |at| f(at.0, conv.weight[at]))
        };
        let sums =
            |x: &Array4<f64>, weights: &Array4<f64>| float::conv(x.view(), weights.view(), conv.stride, 0);
        let size = x.value.mapv(f64::abs);
        let of_codes = sums(&x.error, &weights(&|c, w| w.abs() + off(c)));
        let of_weights = sums(&size, &weights(&|c, _| off(c)));
        let integers = sums(&(size + &x.error), &weights(&|c, w| (w.abs() + off(c)) / step(c)));
        let of_mantissa = integers * (0.5 * f64::from(-i32::from(shift)).exp2() * self.step / scale);
        let Affine { gain, bias } = &conv.affine;
        let map = |sums: &Array4<f64>, f: &dyn Fn(usize, usize, f64) -> f64| {
            float::per_step(sums.view(), gain.nrows(), f)
        };
        let error = map(&(of_codes + of_weights), &|t, c, error| gain[[t, c]].abs() * error + self.step)
            + map(&of_mantissa, &|_, _, error| error);
        let value = map(&sums(&x.value, &conv.weight), &|t, c, sum| gain[[t, c]] * sum + bias[[t, c]]);
        Bounded { value, error }
    }

    /// The leak is rounded, and so are threshold, offset, what is left of the potential, and the spike.
    fn neuron(&self, p: &Neuron, current: &Bounded) -> Bounded {
        let QuantOp::Neuron { shift, .. } =
            self.quantized.nodes[self.quantized.position(self.name).unwrap()].op
        else {
            panic!("{} is no neuron", self.name)
        };
        let unit = self.step * f64::from(-i32::from(shift)).exp2();
        let limit = f64::from(1 << (self.quantized.membrane_bits - 1)) * unit;
        let (half, leak) = (unit / 2.0, 0.5 * f64::from(-(LEAK_FRACTION_BITS as i32)).exp2());
        let mut spikes = Bounded { value: current.value.clone(), error: current.error.clone() };
        let (_, channels, height, width) = current.value.dim();
        for (c, y, x) in ndarray::indices((channels, height, width)) {
            let (mut v, mut v_error) = (0.0f64, 0.0f64);
            for t in 0..p.theta.nrows() {
                let (at, here) = ([t, c], [t, c, y, x]);
                let (lambda, theta) = (p.lambda[at], p.theta[at]);
                let m = lambda * v + current.value[here];
                let leaked =
                    if p.parallel { 0.0 } else { lambda.abs() * v_error + leak * (v.abs() + v_error) + half };
                let m_error = leaked + current.error[here];
                let theta_error = half.max(theta.abs() - limit + unit);
                spikes.value[here] = (m - theta).max(0.0);
                spikes.error[here] = m_error + theta_error;
                (v, v_error) = (m.min(theta) - p.offset[at], m_error.max(theta_error) + half);
                if p.parallel {
                    (v, v_error) = (0.0, 0.0);
                }
            }
        }
        self.coded(spikes)
    }

    /// Logits: weights are the nearest odd multiple of the layer's largest magnitude / 255.
    fn linear(&self, weight: &Array2<f64>, bias: &[f64], x: &Bounded) -> Bounded {
        let step = weight.iter().fold(0.0f64, |most, w| most.max(w.abs())) / 255.0;
        let frames = x.value.dim().0;
        let logits = |x: &Array4<f64>, weight: &Array2<f64>| {
            let features = x.len() / frames;
            let summed = x.to_shape((frames, features)).unwrap().sum_axis(Axis(0));
            weight.dot(&summed).into_shape_with_order((1, bias.len(), 1, 1)).unwrap()
        };
        let mut value = logits(&x.value, weight);
        value.iter_mut().zip(bias).for_each(|(logit, bias)| *logit += frames as f64 * bias);
        let near = x.value.mapv(f64::abs);
        let error = logits(&x.error, &weight.mapv(|w| w.abs() + step))
            + logits(&near, &Array2::from_elem(weight.raw_dim(), step))
            + self.step / 2.0;
        Bounded { value, error }
    }
}
