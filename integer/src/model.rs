//! Integer networks made ready to run, and their run.

use crate::affine::Requantizer;
use crate::dot::{DotLayer, Scratch};
use crate::error::{Error, Result};
use crate::neuron::Neurons;
use crate::pool::{MaxPool, Pool};
use crate::round::signed_range;
use crate::seca::Seca;
use empf_ir::trace::answer;
use empf_ir::{QuantNetwork, QuantOp, Shape, Trace, Window};
use ndarray::{Array4, ArrayView4, ArrayView5, Axis};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// Integer maps of one image, `[frame, y, x, channel]`.
#[derive(Debug)]
struct Maps {
    frames: usize,
    shape: Shape,
    data: Vec<i32>,
}

impl Maps {
    const EMPTY: Maps = Maps { frames: 0, shape: Shape::new(0, 0, 0), data: vec![] };

    /// Keeps the allocation; the elements are unspecified afterwards.
    fn resize(&mut self, shape: Shape, frames: usize) {
        (self.shape, self.frames) = (shape, frames);
        self.data.resize(frames * shape.elements(), 0);
    }

    fn frame(&self, t: usize) -> &[i32] {
        let size = self.shape.elements();
        &self.data[t.min(self.frames - 1) * size..][..size]
    }

    /// As `[frame, channel, y, x]`.
    fn to_array(&self) -> Array4<i32> {
        let Shape { channels, height, width } = self.shape;
        let at = |(t, c, y, x)| self.data[((t * height + y) * width + x) * channels + c];
        Array4::from_shape_fn((self.frames, channels, height, width), at)
    }
}

/// Memory that a core uses again for every image.
#[derive(Debug, Default)]
struct Workspace {
    /// One for each node.
    maps: Vec<Maps>,
    acc: Vec<i32>,
    scratch: Scratch,
}

#[derive(Debug)]
enum Layer {
    Conv(DotLayer, Requantizer),
    Neuron(Neurons),
    AvgPool(Pool),
    MaxPool(MaxPool),
    Linear(DotLayer, Vec<i32>),
    Widen {
        shift: u32,
    },
    /// A requantizer without a bias.
    Scale(Requantizer),
    Seca(Seca),
    Add,
}

#[derive(Debug)]
struct IntegerNode {
    name: String,
    /// Index of each node read; `None` for the input.
    inputs: Vec<Option<usize>>,
    shape: Shape,
    layer: Layer,
}

/// An integer network, ready to run.
#[derive(Debug)]
pub struct IntegerModel {
    nodes: Vec<IntegerNode>,
    input: Shape,
    frames: usize,
    steps: usize,
    max_code: i64,
    membrane: (i64, i64),
}

impl IntegerModel {
    /// Takes over the tensors of `network`. A layer whose sums might leave 32 bits is refused.
    pub fn new(network: &QuantNetwork) -> Result<Self> {
        network.validate()?;
        let shapes = network.shapes()?;
        let build = |(i, node): (usize, &empf_ir::Node<QuantOp>)| {
            Ok(IntegerNode {
                name: node.name.clone(),
                inputs: node.inputs.iter().map(|name| network.position(name)).collect(),
                shape: shapes[i],
                layer: layer(network, node, network.shape_of(&node.inputs[0], &shapes))?,
            })
        };
        Ok(IntegerModel {
            nodes: network.nodes.iter().enumerate().map(build).collect::<Result<_>>()?,
            input: network.input.shape(),
            frames: network.input.frames,
            steps: network.time_steps,
            max_code: network.max_code().into(),
            membrane: signed_range(network.membrane_bits),
        })
    }

    /// Every node's tensor, and the logits, for one input of codes `[frame, channel, y, x]`. The linear
    /// node's tensor is `[1, class, 1, 1]`.
    pub fn run(&self, input: ArrayView4<u8>) -> Result<Trace> {
        let mut workspace = Workspace::default();
        let logits = self.forward(input, &mut workspace)?.to_vec();
        let tensors: BTreeMap<String, Array4<i32>> = (self.nodes.iter().zip(&workspace.maps))
            .map(|(node, maps)| (node.name.clone(), maps.to_array()))
            .collect();
        Ok(Trace { tensors, logits, ..Trace::default() })
    }

    /// Class of each input of a batch `[image, frame, channel, y, x]`, on all cores.
    pub fn classify(&self, images: ArrayView5<u8>) -> Result<Vec<usize>> {
        let class = |workspace: &mut Workspace, i| {
            Ok(answer(self.forward(images.index_axis(Axis(0), i), workspace)?))
        };
        (0..images.len_of(Axis(0))).into_par_iter().map_init(Workspace::default, class).collect()
    }

    /// Fills `workspace.maps` with every node's result; the logits.
    fn forward<'w>(&self, input: ArrayView4<u8>, workspace: &'w mut Workspace) -> Result<&'w [i32]> {
        let Shape { channels, height, width } = self.input;
        if input.shape() != [self.frames, channels, height, width] {
            let expected = [self.frames, channels, height, width];
            return Err(Error::Input(format!("an image is {:?}, expected {expected:?}", input.shape())));
        }
        let codes = input.permuted_axes([0, 2, 3, 1]).iter().map(|code| i32::from(*code)).collect();
        let input = Maps { frames: self.frames, shape: self.input, data: codes };
        workspace.maps.resize_with(self.nodes.len(), || Maps::EMPTY);
        for (i, node) in self.nodes.iter().enumerate() {
            let mut result = std::mem::replace(&mut workspace.maps[i], Maps::EMPTY);
            let maps = std::mem::take(&mut workspace.maps);
            let inputs: Vec<&Maps> = node.inputs.iter().map(|n| n.map_or(&input, |n| &maps[n])).collect();
            self.apply(node, &inputs, &mut result, workspace);
            workspace.maps = maps;
            workspace.maps[i] = result;
        }
        Ok(workspace.maps.last().map_or(&[], |last| &last.data))
    }

    fn apply(&self, node: &IntegerNode, inputs: &[&Maps], to: &mut Maps, workspace: &mut Workspace) {
        let x = inputs[0];
        let Workspace { acc, scratch, .. } = workspace;
        let frames = match node.layer {
            Layer::Linear(..) => 1,
            Layer::AvgPool(_) | Layer::MaxPool(_) => x.frames,
            _ => self.steps,
        };
        to.resize(node.shape, frames);
        match &node.layer {
            Layer::Conv(dot, requantizer) => {
                acc.resize(x.frames * node.shape.elements(), 0);
                for (t, acc) in acc.chunks_exact_mut(node.shape.elements()).enumerate() {
                    dot.apply(x.frame(t), x.shape, acc, scratch);
                }
                requantizer.apply(acc, &mut to.data, self.steps, self.membrane);
            }
            Layer::Neuron(neurons) => {
                neurons.apply(&x.data, &mut to.data, self.steps, self.membrane, self.max_code);
            }
            Layer::AvgPool(pool) => {
                for (t, to) in to.data.chunks_exact_mut(node.shape.elements()).enumerate() {
                    pool.apply(x.frame(t), x.shape, to, node.shape, self.max_code);
                }
            }
            Layer::MaxPool(pool) => {
                for (t, to) in to.data.chunks_exact_mut(node.shape.elements()).enumerate() {
                    pool.apply(x.frame(t), x.shape, to, node.shape);
                }
            }
            Layer::Linear(dot, bias) => {
                acc.resize(node.shape.elements(), 0);
                to.data.copy_from_slice(bias);
                for t in 0..x.frames {
                    dot.apply(x.frame(t), x.shape, acc, scratch);
                    to.data.iter_mut().zip(&*acc).for_each(|(sum, logit)| *sum += logit);
                }
            }
            Layer::Widen { shift } => {
                let (low, high) = self.membrane;
                for (t, to) in to.data.chunks_exact_mut(node.shape.elements()).enumerate() {
                    for (to, code) in to.iter_mut().zip(x.frame(t)) {
                        *to = (i64::from(*code) << shift).clamp(low, high) as i32;
                    }
                }
            }
            Layer::Scale(factors) => factors.apply(&x.data, &mut to.data, self.steps, self.membrane),
            Layer::Seca(seca) => {
                for (t, to) in to.data.chunks_exact_mut(node.shape.elements()).enumerate() {
                    seca.apply(t, x.frame(t), to, self.membrane);
                }
            }
            Layer::Add => {
                let (low, high) = self.membrane;
                for ((to, a), b) in to.data.iter_mut().zip(&x.data).zip(&inputs[1].data) {
                    *to = (i64::from(*a) + i64::from(*b)).clamp(low, high) as i32;
                }
            }
        }
    }
}

fn layer(network: &QuantNetwork, node: &empf_ir::Node<QuantOp>, input: Shape) -> Result<Layer> {
    let tensor = |name: &str| network.tensor(&node.name, name);
    let max_code = i64::from(network.max_code_of(&node.inputs[0]));
    Ok(match node.op {
        QuantOp::Conv { out_channels, kernel, stride, padding, zero_point, shift, .. } => {
            let window = Window { kernel, stride, padding };
            let dot = DotLayer::conv(tensor("weight")?, out_channels, input.channels, window, zero_point);
            dot.check(&node.name, max_code.max(zero_point.largest().into()))?;
            let requantizer = Requantizer {
                mantissa: tensor("mantissa")?.to_vec(),
                bias: tensor("bias")?.to_vec(),
                channels: out_channels,
                shift: shift.into(),
            };
            Layer::Conv(dot, requantizer)
        }
        QuantOp::Neuron { shift, .. } => Layer::Neuron(Neurons {
            lambda: tensor("lambda")?.to_vec(),
            theta: tensor("theta")?.to_vec(),
            offset: tensor("offset")?.to_vec(),
            channels: input.channels,
            shift: shift.into(),
        }),
        QuantOp::AvgPool { kernel, stride, shift } => {
            Layer::AvgPool(Pool { kernel, stride, shift: shift.into() })
        }
        QuantOp::MaxPool { kernel, stride, padding } => {
            Layer::MaxPool(MaxPool(Window { kernel, stride, padding }))
        }
        QuantOp::Linear { out_features } => {
            let dot = DotLayer::linear(tensor("weight")?, out_features, input);
            let bias = tensor("bias")?.to_vec();
            let largest = bias.iter().map(|b| i64::from(*b).abs()).max().unwrap_or(0);
            dot.check_sum(&node.name, max_code * network.time_steps as i64, largest)?;
            Layer::Linear(dot, bias)
        }
        QuantOp::Widen { shift } => Layer::Widen { shift: shift.into() },
        QuantOp::Scale { shift } => {
            let mantissa = tensor("mantissa")?.to_vec();
            let bias = vec![0; mantissa.len()];
            Layer::Scale(Requantizer { mantissa, bias, channels: input.channels, shift: shift.into() })
        }
        QuantOp::Seca { kernel, shift } => {
            let (score, mantissa) = (tensor("score")?.to_vec(), tensor("mantissa")?.to_vec());
            Layer::Seca(Seca { kernel, score, mantissa, channels: input.channels, shift: shift.into() })
        }
        QuantOp::Add => Layer::Add,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use empf_ir::{INPUT, Node, QuantInput, WeightKind};
    use ndarray::{Array4, array};

    fn node(name: &str, input: &str, op: QuantOp) -> Node<QuantOp> {
        Node { name: name.into(), inputs: vec![input.into()], op }
    }

    /// conv (1 -> 2, 2x2 windows, border code 7), neuron, pool, linear; T = 2, A = 4, V = 12.
    fn network() -> QuantNetwork {
        let conv = QuantOp::Conv {
            out_channels: 2,
            kernel: 2,
            stride: 2,
            padding: 1,
            weights: WeightKind::Float,
            zero_point: 7.into(),
            shift: 3,
        };
        let pool = QuantOp::AvgPool { kernel: [2, 2], stride: [2, 2], shift: 1 };
        let mut network = QuantNetwork {
            name: "by-hand".into(),
            time_steps: 2,
            classes: 2,
            class_names: Default::default(),
            act_bits: 4,
            membrane_bits: 12,
            input: QuantInput { channels: 1, height: 2, width: 2, frames: 1 },
            nodes: vec![
                node("conv", INPUT, conv),
                node("neuron", "conv", QuantOp::Neuron { parallel: false, shift: 2 }),
                node("pool", "neuron", pool),
                node("fc", "pool", QuantOp::Linear { out_features: 2 }),
            ],
            scales: BTreeMap::new(),
            tensors: Default::default(),
        };
        network.set_tensor("conv", "weight", vec![2, 1, 2, 2], vec![1, -1, 3, 1, -1, -1, -1, 5]);
        network.set_tensor("conv", "mantissa", vec![2, 2], vec![2, 4, -8, 100]);
        network.set_tensor("conv", "bias", vec![2, 2], vec![1, 0, -5, 2000]);
        network.set_tensor("neuron", "lambda", vec![2, 2], vec![0, 0, 2048, -4096]);
        network.set_tensor("neuron", "theta", vec![2, 2], vec![3, -4, 1, 2]);
        network.set_tensor("neuron", "offset", vec![2, 2], vec![0, 1, 0, 0]);
        network.set_tensor("fc", "weight", vec![2, 2], vec![1, -3, 255, 5]);
        network.set_tensor("fc", "bias", vec![2], vec![-10, 7]);
        network
    }

    #[test]
    fn images_are_classified_one_by_one() {
        let model = IntegerModel::new(&network()).unwrap();
        let images = array![[[[[1u8, 2], [30, 4]]]], [[[[250, 0], [3, 9]]]], [[[[0, 0], [0, 0]]]]];
        let classes: Vec<usize> = images
            .outer_iter()
            .map(|image| {
                let logits = model.run(image).unwrap().logits;
                usize::from(logits[1] > logits[0])
            })
            .collect();
        assert_eq!(model.classify(images.view()).unwrap(), classes);
    }

    /// The network with a second layer on `channels` channels that `op` makes of the first.
    fn wide(channels: usize, second: QuantOp, weights: Vec<i32>) -> QuantNetwork {
        let mut network = network();
        let first = QuantOp::Conv {
            out_channels: channels,
            kernel: 1,
            stride: 2,
            padding: 0,
            weights: WeightKind::Sign,
            zero_point: 0.into(),
            shift: 0,
        };
        network.input = QuantInput { channels: 1, height: 1, width: 1, frames: 1 };
        network.nodes = vec![
            node("conv", INPUT, first),
            node("neuron", "conv", QuantOp::Neuron { parallel: false, shift: 2 }),
            node("second", "neuron", second.clone()),
        ];
        network.tensors = Default::default();
        network.set_tensor("conv", "weight", vec![channels, 1, 1, 1], vec![1; channels]);
        for (layer, tensors) in
            [("conv", &["mantissa", "bias"][..]), ("neuron", &["lambda", "theta", "offset"])]
        {
            for tensor in tensors {
                network.set_tensor(layer, tensor, vec![2, channels], vec![0; 2 * channels]);
            }
        }
        match second {
            QuantOp::Linear { .. } => {
                network.classes = 1;
                network.set_tensor("second", "weight", vec![1, channels], weights);
                network.set_tensor("second", "bias", vec![1], vec![0]);
            }
            _ => {
                network.classes = 1;
                network.nodes.push(node("fires", "second", QuantOp::Neuron { parallel: false, shift: 2 }));
                network.nodes.push(node("fc", "fires", QuantOp::Linear { out_features: 1 }));
                network.set_tensor("second", "weight", vec![1, channels, 2, 2], weights);
                for (layer, tensors) in
                    [("second", &["mantissa", "bias"][..]), ("fires", &["lambda", "theta", "offset"])]
                {
                    for tensor in tensors {
                        network.set_tensor(layer, tensor, vec![2, 1], vec![0; 2]);
                    }
                }
                network.set_tensor("fc", "weight", vec![1, 4], vec![1; 4]);
                network.set_tensor("fc", "bias", vec![1], vec![0]);
            }
        }
        network
    }

    #[test]
    fn sums_of_the_border_and_of_all_frames_must_fit_32_bits() {
        // 255 * 255 * 4 * channels reaches 2^31, in a border whose code is beyond those of spikes.
        for (channels, fits) in [(8_250, true), (8_262, false)] {
            let border = QuantOp::Conv {
                out_channels: 1,
                kernel: 2,
                stride: 1,
                padding: 1,
                weights: WeightKind::Float,
                zero_point: 255.into(),
                shift: 0,
            };
            let built = IntegerModel::new(&wide(channels, border, vec![255; 4 * channels]));
            assert_eq!(built.is_ok(), fits, "{channels}: {built:?}");
        }
        // 255 * 15 * channels in each of two frames.
        for (channels, fits) in [(280_000, true), (281_000, false)] {
            let linear = QuantOp::Linear { out_features: 1 };
            let built = IntegerModel::new(&wide(channels, linear, vec![255; channels]));
            assert_eq!(built.is_ok(), fits, "{channels}");
        }
    }

    #[test]
    fn a_network_worked_out_by_hand() {
        let input: Array4<u8> = array![[[[1, 2], [30, 4]]]];
        let trace = IntegerModel::new(&network()).unwrap().run(input.view()).unwrap();
        // Windows, border 7: (7 7 7 1), (7 7 2 7), (7 30 7 7), (4 7 7 7).
        // acc: 22, 13, 5, 25 and -16, 19, -9, 17.
        let current = array![
            [[[7, 4], [2, 7]], [[-8, 10], [-4, 9]]],
            [[[-27, -18], [-10, -30]], [[1800, 2047], [1888, 2047]]],
        ];
        assert_eq!(trace.tensors["conv"], current);
        // v after step 0: min(m, theta) - c = 3, 3, 2, 3 and -9, -5, -5, -5.
        let spikes = array![[[[1, 0], [0, 1]], [[0, 4], [0, 3]]], [[[0, 0], [0, 0]], [[15, 15], [15, 15]]],];
        assert_eq!(trace.tensors["neuron"], spikes);
        assert_eq!(trace.tensors["pool"], array![[[[1]], [[4]]], [[[0]], [[15]]]]);
        assert_eq!(trace.logits, [1 - 12 - 45 - 10, 255 + 20 + 75 + 7]);
        assert_eq!(trace.class(), 1);
    }

    #[test]
    fn a_static_input_is_summed_once() {
        let mut network = network();
        network.nodes = vec![node("fc", INPUT, QuantOp::Linear { out_features: 2 })];
        network.tensors.0.retain(|name, _| name.starts_with("fc."));
        network.set_tensor("fc", "weight", vec![2, 4], vec![1, 3, -1, 1, 255, 1, 1, -1]);
        let input: Array4<u8> = array![[[[1, 2], [30, 4]]]];
        let logits = IntegerModel::new(&network).unwrap().run(input.view()).unwrap().logits;
        assert_eq!(logits, [1 + 6 - 30 + 4 - 10, 255 + 2 + 30 - 4 + 7]);
    }

    #[test]
    fn a_sum_beyond_32_bits_is_refused() {
        let mut network = network();
        network.set_tensor("fc", "bias", vec![2], vec![i32::MAX, 0]);
        let error = IntegerModel::new(&network).unwrap_err().to_string();
        assert!(error.contains("node `fc`") && error.contains("32 bits"), "{error}");
    }
}
