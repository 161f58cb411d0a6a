//! Reads the float network: signs are taken, parameters get a value for every time-step and channel, global
//! pooling becomes a window as large as its map, and spikes that are read as a current are widened.

use crate::draft::{Affine, Conv, Draft, DraftOp, MembraneNorm, Neuron};
use crate::{Error, Result};
use empf_ir::graph::{Kind, Operator, joint_name};
use empf_ir::{INPUT, Input, Network, NeuronVersion, Node, Op, PerChannel, Shape, WeightKind};
use ndarray::{Array, Array2, Axis, Dimension};

/// The draft of `network`.
pub fn resolve(network: &Network) -> Result<Draft> {
    network.validate()?;
    network.check_integers()?;
    let shapes = network.shapes()?;
    let mut nodes = Vec::with_capacity(network.nodes.len());
    for node in &network.nodes {
        let reader = Reader { network, node, input: network.shape_of(&node.inputs[0], &shapes) };
        let mut inputs = node.inputs.clone();
        for (value, name) in widened(network, node) {
            inputs.iter_mut().filter(|input| **input == value).for_each(|input| input.clone_from(&name));
            nodes.push(Node { name, inputs: vec![value], op: DraftOp::Widen { gain: reader.ones() } });
        }
        nodes.push(Node { name: node.name.clone(), inputs, op: reader.op()? });
    }
    Ok(Draft {
        name: network.name.clone(),
        time_steps: network.time_steps,
        classes: network.classes,
        class_names: network.class_names.clone(),
        input: Input { scale: PerChannel::All(largest_scale(&network.input)), ..network.input.clone() },
        nodes,
        codes: network.codes.clone(),
    })
}

/// The scale that all channels of the input get; the weights that meet them take up the difference.
fn largest_scale(input: &Input) -> f32 {
    input.scale.values(input.channels).into_iter().fold(0.0, f32::max)
}

/// The codes that `node` reads as currents, each once, and the names of what widens them.
pub(crate) fn widened(network: &Network, node: &Node<Op>) -> Vec<(String, String)> {
    if !matches!(node.op, Op::Add | Op::Seca { .. }) {
        return vec![];
    }
    let mut inputs = node.inputs.clone();
    inputs.dedup();
    inputs.retain(|input| gives_codes(network, input));
    inputs.into_iter().map(|input| (input.clone(), joint_name(&input, &node.name))).collect()
}

/// Whether the node called `name` gives spikes, or means or maxima of them.
fn gives_codes(network: &Network, name: &str) -> bool {
    network.nodes.iter().any(|node| node.name == name && node.op.gives() == Kind::Codes)
}

struct Reader<'a> {
    network: &'a Network,
    node: &'a Node<Op>,
    input: Shape,
}

impl Reader<'_> {
    fn op(&self) -> Result<DraftOp> {
        let Shape { channels, height, width } = self.input;
        Ok(match self.node.op {
            Op::Conv { out_channels, kernel, stride, padding, weights } => {
                let weight = self.shaped("weight", (out_channels, channels, kernel, kernel))?;
                let sign = |w: f64| if w >= 0.0 { 1.0 } else { -1.0 };
                let factors = self.factors();
                if weights == WeightKind::Sign && factors.iter().any(|factor| *factor != 1.0) {
                    let message = "has +-1 weights, which cannot take up the scales of the input's channels; \
                                   give them one scale, or the convolution float weights";
                    return Err(Error::unsupported(&self.node.name, message));
                }
                let mut weight = if weights == WeightKind::Sign { weight.mapv_into(sign) } else { weight };
                for (mut of_channel, factor) in weight.axis_iter_mut(Axis(1)).zip(&factors) {
                    of_channel *= *factor;
                }
                let affine = Affine::identity(self.network.time_steps, out_channels);
                DraftOp::Conv(Box::new(Conv { weights, weight, stride, padding, affine }))
            }
            Op::BatchNorm { eps } => DraftOp::BatchNorm(self.batch_norm(eps.into())?),
            Op::Neuron { version, eps } => DraftOp::Neuron(Box::new(self.neuron(version, eps.into())?)),
            Op::AvgPool { kernel, stride } => DraftOp::AvgPool { kernel: [kernel; 2], stride: [stride; 2] },
            Op::GlobalAvgPool => DraftOp::AvgPool { kernel: [height, width], stride: [height, width] },
            Op::Lif { .. } => {
                return Err(Error::without_integers(&self.node.name));
            }
            Op::MaxPool { kernel, stride, padding } => DraftOp::MaxPool { kernel, stride, padding },
            Op::Seca { .. } => DraftOp::Seca { weight: self.values("weight")?, gain: self.ones() },
            Op::Linear { out_features } => DraftOp::Linear {
                weight: self.scaled_features(out_features)?,
                bias: self.shaped("bias", out_features)?.to_vec(),
            },
            Op::Add => DraftOp::Add,
        })
    }

    /// What the weights of each channel read are multiplied by, as the channel's scale becomes that of all.
    fn factors(&self) -> Vec<f64> {
        let input = &self.network.input;
        if self.node.inputs[0] != INPUT {
            return vec![1.0; self.input.channels];
        }
        let common = f64::from(largest_scale(input));
        input.scale.values(input.channels).into_iter().map(|scale| f64::from(scale) / common).collect()
    }

    /// The weights of a linear layer, whose features are `[channel][y][x]`.
    fn scaled_features(&self, out_features: usize) -> Result<Array2<f64>> {
        let mut weight = self.shaped("weight", (out_features, self.input.elements()))?;
        let (factors, positions) = (self.factors(), self.input.positions());
        for (feature, mut column) in weight.axis_iter_mut(Axis(1)).enumerate() {
            column *= factors[feature / positions];
        }
        Ok(weight)
    }

    /// 1 for every step and channel read.
    fn ones(&self) -> Array2<f64> {
        Array2::ones((self.network.time_steps, self.input.channels))
    }

    fn values(&self, name: &str) -> Result<Vec<f64>> {
        let (_, values) = self.network.tensor(&self.node.name, name)?;
        Ok(values.iter().map(|v| f64::from(*v)).collect())
    }

    fn shaped<S, D>(&self, name: &str, shape: S) -> Result<Array<f64, D>>
    where
        S: ndarray::IntoDimension<Dim = D>,
        D: Dimension,
    {
        Array::from_shape_vec(shape.into_dimension(), self.values(name)?).map_err(|e| {
            Error::Invalid(empf_ir::Error::invalid(
                format!("tensor `{}.{name}`", self.node.name),
                e.to_string(),
            ))
        })
    }

    /// A `[T, C]` tensor; what was stored for the whole layer, or for all time-steps, is repeated.
    fn per_step(&self, name: &str) -> Result<Array2<f64>> {
        let values = self.values(name)?;
        let shape = (self.network.time_steps, self.input.channels);
        let columns = self.network.tensor(&self.node.name, name)?.0.last().copied().unwrap_or(1);
        Ok(Array2::from_shape_fn(shape, |(t, c)| values[(t * columns + c % columns) % values.len()]))
    }

    fn batch_norm(&self, eps: f64) -> Result<Affine> {
        let gain = self.per_step("gamma")? / (self.per_step("var")? + eps).sqrt();
        let bias = self.per_step("bias")? - self.per_step("mean")? * &gain;
        Ok(Affine { gain, bias })
    }

    fn neuron(&self, version: NeuronVersion, eps: f64) -> Result<Neuron> {
        let zeros = Array2::zeros((self.network.time_steps, self.input.channels));
        let parallel = version == NeuronVersion::III;
        let norm = || -> Result<MembraneNorm> {
            Ok(MembraneNorm {
                alpha: self.per_step("alpha")?,
                beta: self.per_step("beta")?,
                gamma: self.per_step("gamma")?,
                b: self.per_step("b")?,
                mean: self.per_step("mean")?,
                var_eps: self.per_step("var")? + eps,
            })
        };
        Ok(Neuron {
            parallel,
            lambda: if parallel { zeros.clone() } else { self.per_step("lambda")? },
            theta: self.per_step("theta")?,
            offset: zeros,
            norm: (version == NeuronVersion::II).then(norm).transpose()?,
        })
    }
}
