//! The proof of widths against every corner of what a layer can read.

use crate::networks::Random;
use empf_compiler::{Error, lower};
use empf_golden::conv::{Window, accumulate};
use empf_golden::linear::linear;
use empf_ir::{ArchConfig, INPUT, Node, QuantInput, QuantNetwork, QuantOp, Tensors, WeightKind};
use ndarray::{Array4, ArrayView2};
use proptest::prelude::*;

/// Smallest and largest value of a sum.
type Extremes = [i64; 2];

/// Bits that hold both ends, two's complement.
fn bits([low, high]: Extremes) -> u32 {
    (1..).find(|n| -(1i64 << (n - 1)) <= low && high < 1i64 << (n - 1)).unwrap()
}

/// Every tensor of `shape` whose codes are 0 or `max`.
fn corners(shape: [usize; 4], max: i32) -> impl Iterator<Item = Array4<i32>> {
    let elements: usize = shape.iter().product();
    assert!(elements <= 12, "{elements} codes have too many corners");
    (0u32..1 << elements).map(move |corner| {
        let code = |i: usize| if corner >> i & 1 == 1 { max } else { 0 };
        Array4::from_shape_vec(shape, (0..elements).map(code).collect()).unwrap()
    })
}

/// Extremes of each output over what `of` gives for every corner.
fn extremes(shape: [usize; 4], max: i32, of: impl Fn(&Array4<i32>) -> Vec<i64>) -> Vec<Extremes> {
    let mut all = vec![[i64::MAX, i64::MIN]; of(&Array4::zeros(shape)).len()];
    for corner in corners(shape, max) {
        for ([low, high], value) in all.iter_mut().zip(of(&corner)) {
            (*low, *high) = ((*low).min(value), (*high).max(value));
        }
    }
    all
}

/// A network whose layers read few codes, so that their corners can be counted.
struct Small {
    network: QuantNetwork,
    arch: ArchConfig,
    channels: usize,
}

impl Small {
    /// Conv of `channels` outputs over an input of 1x2x2 or 2x2x2; a neuron; a convolution over that; a neuron; logits.
    fn new(seed: u64) -> Self {
        let mut r = Random::new(seed);
        let time_steps = r.pick(&[1, 4]);
        let act_bits = r.pick(&[2, 3, 4, 6, 8]);
        let (rows, cols) = r.pick(&[(1, 1), (2, 2), (3, 3)]);
        let arch = ArchConfig { acc_bits: 32, lanes: 1, ..ArchConfig::sized(rows, cols, act_bits) };
        let (inputs, channels, classes) = (r.size(1, 2), r.size(1, 3), r.size(1, 3));
        let mut network = QuantNetwork {
            name: "small".into(),
            time_steps,
            classes,
            class_names: Default::default(),
            act_bits,
            membrane_bits: 16,
            input: QuantInput { channels: inputs, height: 2, width: 2, frames: r.pick(&[1, time_steps]) },
            nodes: vec![],
            scales: Default::default(),
            tensors: Tensors::default(),
        };
        let conv = |out_channels, kernel, weights| QuantOp::Conv {
            out_channels,
            kernel,
            stride: 1,
            padding: 0,
            weights,
            zero_point: 0.into(),
            shift: 0,
        };
        let neuron = QuantOp::Neuron { parallel: true, shift: 0 };
        let kinds =
            [r.pick(&[WeightKind::Sign, WeightKind::Float]), r.pick(&[WeightKind::Sign, WeightKind::Float])];
        let mut last = INPUT.to_owned();
        for (name, op) in [
            ("conv1", conv(channels, 1, kinds[0])),
            ("neuron1", neuron.clone()),
            ("conv2", conv(2, 2, kinds[1])),
            ("neuron2", neuron),
            ("fc", QuantOp::Linear { out_features: classes }),
        ] {
            let inputs = vec![std::mem::replace(&mut last, name.into())];
            network.nodes.push(Node { name: name.into(), inputs, op });
        }
        let shapes = network.shapes().unwrap();
        for (node, output) in network.nodes.clone().iter().zip(&shapes) {
            let input = network.shape_of(&node.inputs[0], &shapes);
            let limit = r.pick(&[1, 3, 17, 255]);
            for spec in network.tensor_specs(&node.op, input, *output) {
                let most = if spec.name == "weight" { spec.max.min(limit) } else { 0 };
                let value = |_| if spec.odd { 2 * r.range(-(most + 1) / 2, (most - 1) / 2) + 1 } else { 0 };
                let values = (0..spec.shape.iter().product()).map(value).map(|v| v as i32).collect();
                network.set_tensor(&node.name, spec.name, spec.shape, values);
            }
        }
        Small { network, arch, channels }
    }

    /// Extremes of the accumulators of each layer's outputs, in the order of the layers.
    fn sums(&self) -> [(&'static str, Vec<Extremes>); 3] {
        let inputs = self.network.input.channels;
        let conv = |name: &str, channels: usize, kernel: usize, max: i32| {
            let weight = self.network.tensor(name, "weight").unwrap();
            let outputs = weight.len() / (channels * kernel * kernel);
            let weight =
                Array4::from_shape_vec((outputs, channels, kernel, kernel), weight.to_vec()).unwrap();
            let window = Window { stride: 1, padding: 0, border: 0.into() };
            let of =
                |codes: &Array4<i32>| accumulate(codes.view(), weight.view(), window).into_iter().collect();
            extremes([1, channels, kernel, kernel], max, of)
        };
        [
            ("conv1", conv("conv1", inputs, 1, 255)),
            ("conv2", conv("conv2", self.channels, 2, self.network.max_code())),
            ("fc", self.linear_sums(1)),
        ]
    }

    /// Extremes of the linear layer's sums over so many frames.
    fn linear_sums(&self, frames: usize) -> Vec<Extremes> {
        let weight = self.network.tensor("fc", "weight").unwrap();
        let weight = ArrayView2::from_shape((self.network.classes, 2), weight).unwrap();
        let zeros = vec![0; self.network.classes];
        let of = |codes: &Array4<i32>| linear(codes.view(), weight, &zeros);
        extremes([frames, 2, 1, 1], self.network.max_code(), of)
    }

    fn lowered(&self, acc_bits: u32) -> Result<(), Error> {
        lower(&self.network, &ArchConfig { acc_bits, ..self.arch.clone() }).map(|_| ())
    }
}

fn most(sums: &[Extremes]) -> u32 {
    sums.iter().map(|ends| bits(*ends)).max().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn accumulators_have_the_bits_of_their_extremes_and_no_more(seed in any::<u64>()) {
        let small = Small::new(seed);
        let sums = small.sums();
        let needed = sums.iter().map(|(_, sums)| most(sums)).max().unwrap();
        let least = small.arch.sum_bits();
        prop_assert!(small.lowered(needed.max(least)).is_ok(), "{needed} bits, T = {}", small.network.time_steps);
        prop_assume!(needed > least);
        let (name, widest) = sums.iter().find(|(_, sums)| most(sums) == needed).unwrap();
        let error = small.lowered(needed - 1).unwrap_err();
        match &error {
            Error::Overflow { node, what: "the accumulator", channel, needed: bits_needed, available, .. } => {
                prop_assert_eq!((node.as_str(), *bits_needed, *available), (*name, needed, needed - 1));
                prop_assert_eq!(bits(widest[*channel]), needed);
            }
            _ => prop_assert!(false, "{error}"),
        }
    }

    #[test]
    fn logits_end_where_32_bits_do(seed in any::<u64>()) {
        let mut small = Small::new(seed);
        let sums = small.linear_sums(small.network.time_steps);
        let class = sums.len() - 1;
        let [low, high] = sums[class];
        let ends = [
            (i64::from(i32::MAX) - high, 1),
            (i64::from(i32::MIN) - low, -1),
        ];
        for (bias, beyond) in ends {
            let mut with = |bias: i64| {
                let mut biases = vec![0; class + 1];
                biases[class] = bias as i32;
                small.network.set_tensor("fc", "bias", vec![class + 1], biases);
                small.lowered(32)
            };
            prop_assert!(with(bias).is_ok(), "bias {bias}");
            let further = bias + beyond;
            prop_assume!(i32::try_from(further).is_ok());
            let error = with(further).unwrap_err();
            prop_assert!(
                matches!(&error, Error::Overflow { node, what: "the logit", channel, needed: 33, available: 32, .. }
                    if node == "fc" && *channel == class),
                "{error}"
            );
        }
    }
}

/// Accumulators hold the sums of a frame, and logits those of all frames: a static input has one.
#[test]
fn frames_meet_in_the_logits() {
    for (frames, time_steps) in [(1, 4), (4, 4), (1, 1)] {
        let mut network = Small::new(1).network;
        (network.time_steps, network.classes) = (time_steps, 1);
        network.input = QuantInput { channels: 1, height: 1, width: 1, frames };
        network.nodes = vec![Node {
            name: "fc".into(),
            inputs: vec![INPUT.into()],
            op: QuantOp::Linear { out_features: 1 },
        }];
        network.tensors = Tensors::default();
        network.set_tensor("fc", "weight", vec![1, 1], vec![1]);
        let largest = i32::MAX - 255 * frames as i32;
        for (bias, acc_bits, fits) in [(largest, 9, true), (largest, 8, false), (largest + 1, 9, false)] {
            network.set_tensor("fc", "bias", vec![1], vec![bias]);
            let arch = ArchConfig { acc_bits, lanes: 1, ..ArchConfig::sized(1, 1, network.act_bits) };
            let fitted = lower(&network, &arch).is_ok();
            assert_eq!(fitted, fits, "{frames} frames, T = {time_steps}, bias {bias}, {acc_bits} bits");
        }
    }
}

/// Codes that are cut into planes and weights of eight digits: what accumulators hold in between is twice what remains.
#[test]
fn accumulators_may_wrap_in_between() {
    let small = Small::new(2);
    let mut network = small.network.clone();
    network.classes = 1;
    network.input = QuantInput { channels: 3, height: 1, width: 1, frames: 1 };
    network.nodes =
        vec![Node { name: "fc".into(), inputs: vec![INPUT.into()], op: QuantOp::Linear { out_features: 1 } }];
    network.tensors = Tensors::default();
    network.set_tensor("fc", "bias", vec![1], vec![0]);
    for (weight, expected) in [(1, 11), (-1, 11), (255, 19)] {
        network.set_tensor("fc", "weight", vec![1, 3], vec![weight; 3]);
        let arch = |acc_bits| ArchConfig { acc_bits, lanes: 1, ..ArchConfig::sized(1, 1, network.act_bits) };
        lower(&network, &arch(expected)).unwrap();
        assert!(matches!(lower(&network, &arch(expected - 1)), Err(Error::Overflow { .. })), "{weight}");
    }
}
