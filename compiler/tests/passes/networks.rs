//! Random integer networks.

use empf_ir::{ArchConfig, INPUT, Node, QuantInput, QuantNetwork, QuantOp, Tensors, WeightKind};

/// A small deterministic generator.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def1)
    }

    /// A number in `low..=high`.
    pub(crate) fn range(&mut self, low: i64, high: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        low + ((self.0 >> 24) as i64 % (high - low + 1))
    }

    pub(crate) fn size(&mut self, low: usize, high: usize) -> usize {
        self.range(low as i64, high as i64) as usize
    }

    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.size(0, of.len() - 1)]
    }
}

/// A small architecture: odd shapes, few accumulators, so that layers take several tiles and blocks. Its sums
/// are wide enough for every network of [`network`].
pub(crate) fn arch(r: &mut Random) -> ArchConfig {
    let (rows, cols, lanes) = r.pick(&[(4, 4, 2), (4, 8, 4), (8, 4, 1), (6, 9, 3), (16, 16, 8)]);
    let accumulator_depth = r.pick(&[16, 40, 512]);
    let act_bits = r.pick(&[2, 3, 4, 6, 8]);
    ArchConfig {
        lanes,
        accumulator_depth,
        acc_bits: 32,
        membrane_bits: r.pick(&[12, 16, 24]),
        ..ArchConfig::sized(rows, cols, act_bits)
    }
}

struct Builder<'r> {
    network: QuantNetwork,
    r: &'r mut Random,
    last: String,
    channels: usize,
    size: usize,
}

impl Builder<'_> {
    fn node(&mut self, name: String, op: QuantOp) {
        let inputs = vec![std::mem::replace(&mut self.last, name.clone())];
        self.network.nodes.push(Node { name, inputs, op });
    }

    fn tensor(&mut self, node: &str, name: &str, shape: Vec<usize>, low: i64, high: i64, odd: bool) {
        let values = (0..shape.iter().product())
            .map(|_| {
                let v = self.r.range(low, high) as i32;
                if odd && v % 2 == 0 { v + 1 } else { v }
            })
            .collect();
        self.network.set_tensor(node, name, shape, values);
    }

    fn conv(&mut self, index: usize) {
        let input = self.last == INPUT;
        let kernel = self.r.size(1, self.size.min(4));
        let (stride, padding) = (self.r.size(1, 2), self.r.size(0, kernel - 1));
        let out_channels = self.r.size(1, 20);
        let weights = self.r.pick(&[WeightKind::Sign, WeightKind::Sign, WeightKind::Float]);
        let zero_point = if input { (self.r.size(0, 255) as u8).into() } else { 0.into() };
        let (name, neuron) = (format!("c{index}"), format!("n{index}"));
        let shift = self.r.size(0, 12) as u8;
        self.node(
            name.clone(),
            QuantOp::Conv { out_channels, kernel, stride, padding, weights, zero_point, shift },
        );
        let limit = if weights == WeightKind::Sign { 1 } else { 255 };
        let shape = vec![out_channels, self.channels, kernel, kernel];
        self.tensor(&name, "weight", shape, -limit, limit - i64::from(limit > 1), true);
        let per_step = vec![self.network.time_steps, out_channels];
        let gain = 1 << shift;
        self.tensor(&name, "mantissa", per_step.clone(), -gain, 4 * gain, false);
        let limit = 1 << (self.network.membrane_bits - 1);
        self.tensor(&name, "bias", per_step.clone(), -limit / 8, limit / 8, false);
        let parallel = self.r.range(0, 3) == 0;
        let shift = self.r.size(0, 3) as u8;
        self.node(neuron.clone(), QuantOp::Neuron { parallel, shift });
        let leak = if parallel { 0 } else { 8000 };
        self.tensor(&neuron, "lambda", per_step.clone(), -leak, leak, false);
        self.tensor(&neuron, "theta", per_step.clone(), -limit / 16, limit / 8, false);
        let offset = if parallel { 0 } else { limit / 16 };
        self.tensor(&neuron, "offset", per_step, -offset, offset, false);
        self.channels = out_channels;
        self.size = (self.size + 2 * padding - kernel) / stride + 1;
    }

    fn pool(&mut self, index: usize) {
        let kernel = self.r.size(1, self.size.min(3));
        let stride = self.r.size(1, 3);
        let shift = self.r.size(0, 4) as u8;
        self.node(format!("p{index}"), QuantOp::AvgPool { kernel: [kernel; 2], stride: [stride; 2], shift });
        self.size = (self.size - kernel) / stride + 1;
    }
}

/// A feed-forward network for `arch`.
pub(crate) fn network(r: &mut Random, arch: &ArchConfig) -> QuantNetwork {
    let time_steps = r.pick(&[1, 2, 4]);
    let (channels, size, classes) = (r.size(1, 4), r.size(3, 9), r.size(1, 11));
    let network = QuantNetwork {
        name: "random".into(),
        time_steps,
        classes,
        class_names: Default::default(),
        act_bits: arch.act_bits,
        membrane_bits: arch.membrane_bits,
        input: QuantInput { channels, height: size, width: size, frames: r.pick(&[1, time_steps]) },
        nodes: vec![],
        scales: Default::default(),
        tensors: Tensors::default(),
    };
    let mut b = Builder { network, r, last: INPUT.into(), channels, size };
    for index in 0..b.r.size(0, 3) {
        b.conv(index);
        if b.r.range(0, 1) == 0 {
            b.pool(index);
        }
    }
    b.node("fc".into(), QuantOp::Linear { out_features: classes });
    let features = b.channels * b.size * b.size;
    b.tensor("fc", "weight", vec![classes, features], -255, 254, true);
    b.tensor("fc", "bias", vec![classes], -100_000, 100_000, false);
    b.network
}
