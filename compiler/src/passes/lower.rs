//! Finds the stages that the accelerator runs: convolution and neuron become one, and every layer that reads
//! the input gets its windows unfolded.

use crate::digits;
use crate::plan::{ArrayWork, Buffer, Plan, Pooled, Pooling, Shortcut, Stage, Tiling, Window, Work};
use crate::{Error, Result};
use empf_ir::graph::joint_name;
use empf_ir::{ArchConfig, INPUT, Node, QuantNetwork, QuantOp, Shape, WeightKind};

/// Stages and buffers of `network`, without addresses.
pub fn lower(network: &QuantNetwork, arch: &ArchConfig) -> Result<Plan> {
    arch.validate()?;
    network.validate()?;
    check_widths(network, arch)?;
    let mut lowering = Lowering { network, arch, shapes: network.shapes()?, plan: Plan::default() };
    for (index, node) in network.nodes.iter().enumerate() {
        lowering.node(index, node)?;
    }
    let mut plan = lowering.plan;
    for (index, stage) in plan.stages.iter().enumerate() {
        for buffer in stage.operands() {
            plan.buffers[buffer].last_read = index;
        }
    }
    put_in_place(&mut plan);
    Ok(plan)
}

/// The result of a residual block takes the place of its shortcut: each word is read in front of its writing. The stream
/// must not need the shortcut then, nor any later stage.
fn put_in_place(plan: &mut Plan) {
    for (index, stage) in plan.stages.iter().enumerate() {
        let Work::Array(work) = &stage.work else { continue };
        if let (Some(shortcut), Some(writes)) = (&work.shortcut, stage.writes)
            && plan.buffers[shortcut.reads].last_read == index
            && stage.reads != Some(shortcut.reads)
            && shortcut.window.is_none()
        {
            plan.buffers[writes].in_place_of = Some(shortcut.reads);
        }
    }
}

fn check_widths(network: &QuantNetwork, arch: &ArchConfig) -> Result<()> {
    for (name, network, arch) in [
        ("act_bits", network.act_bits, arch.act_bits),
        ("membrane_bits", network.membrane_bits, arch.membrane_bits),
    ] {
        if network != arch {
            return Err(Error::Width { name, network, arch });
        }
    }
    Ok(())
}

/// An operator, `what`, that the accelerator has no unit for.
fn not_in_hardware(node: &Node<QuantOp>, what: &str) -> Error {
    let message = format!("{what} is not yet in hardware; the golden model and the trainer run it");
    Error::unsupported(&node.name, message)
}

struct Lowering<'a> {
    network: &'a QuantNetwork,
    arch: &'a ArchConfig,
    shapes: Vec<Shape>,
    plan: Plan,
}

/// A layer that multiplies: what its weights are and where its windows lie.
struct Layer<'a> {
    /// The convolution or linear node.
    node: &'a Node<QuantOp>,
    neuron: Option<&'a str>,
    shortcut: Option<Shortcut>,
    window: Window,
    weights: WeightKind,
    output: Shape,
}

impl<'a> Lowering<'a> {
    fn node(&mut self, index: usize, node: &'a Node<QuantOp>) -> Result<()> {
        match node.op {
            QuantOp::Conv { .. } | QuantOp::Widen { .. } | QuantOp::Scale { .. } | QuantOp::Add => {
                self.check_current(node)
            }
            QuantOp::Neuron { .. } => self.neuron(index, node),
            QuantOp::AvgPool { kernel, stride, shift } => {
                self.pool(index, node, Pooling { kernel, stride, padding: 0, gives: Pooled::Sum { shift } })
            }
            QuantOp::MaxPool { kernel, stride, padding } => {
                let (kernel, stride) = ([kernel; 2], [stride; 2]);
                self.pool(index, node, Pooling { kernel, stride, padding, gives: Pooled::Maximum })
            }
            QuantOp::Linear { .. } => self.linear(index, node),
            QuantOp::Seca { .. } => Err(not_in_hardware(node, "channel attention (SECA)")),
        }
    }

    fn pool(&mut self, index: usize, node: &Node<QuantOp>, pooling: Pooling) -> Result<()> {
        let reads = self.buffer_of(&node.inputs[0]).ok_or_else(|| {
            Error::unsupported(&node.name, "pooling of the input is not in hardware; pool the data")
        })?;
        self.push(&node.name, Some(reads), Some(self.shapes[index]), Work::Pool(pooling));
        Ok(())
    }

    /// A current exists only between accumulator and neuron, so that one node can read it. What nobody reads is not
    /// computed.
    fn check_current(&self, node: &Node<QuantOp>) -> Result<()> {
        let readers = self.network.nodes.iter().filter(|n| n.inputs.contains(&node.name)).count();
        if readers <= 1 {
            return Ok(());
        }
        let message =
            format!("its current is read by {readers} nodes; in hardware one neuron alone reads it");
        Err(Error::unsupported(&node.name, message))
    }

    fn neuron(&mut self, index: usize, neuron: &'a Node<QuantOp>) -> Result<()> {
        let (node, shortcut) = self.currents(neuron)?;
        let QuantOp::Conv { kernel, stride, padding, weights, zero_point, .. } = &node.op else {
            return Err(Error::unsupported(
                &neuron.name,
                "in hardware a neuron reads a convolution, or one and a shortcut",
            ));
        };
        if *zero_point != 0 && node.inputs[0] != INPUT {
            return Err(Error::unsupported(
                &node.name,
                format!("its zero_point is {zero_point}; that of spikes is 0"),
            ));
        }
        let window =
            Window { kernel: [*kernel; 2], stride: *stride, padding: *padding, zero_point: *zero_point };
        let output = self.shapes[index];
        let neuron = Some(neuron.name.as_str());
        self.layer(&Layer { node, neuron, shortcut, window, weights: *weights, output })
    }

    /// The node that gives a neuron its currents, and the shortcut that is added to them.
    fn currents(&self, neuron: &'a Node<QuantOp>) -> Result<(&'a Node<QuantOp>, Option<Shortcut>)> {
        let source = self.node_called(&neuron.inputs[0]);
        if source.op != QuantOp::Add {
            return Ok((source, None));
        }
        let operands = [0, 1].map(|i| self.node_called(&source.inputs[i]));
        let is_conv = |node: &Node<QuantOp>| matches!(node.op, QuantOp::Conv { .. });
        let (conv, other) = match operands.map(is_conv) {
            [true, true] => return self.two_convolutions(source, operands),
            [true, false] => (operands[0], operands[1]),
            [false, true] => (operands[1], operands[0]),
            [false, false] => return Err(not_in_hardware(source, "an addition without a convolution")),
        };
        if !matches!(other.op, QuantOp::Widen { .. } | QuantOp::Scale { .. }) {
            return Err(not_in_hardware(source, "the sum of three currents"));
        }
        let Some(reads) = self.buffer_of(&other.inputs[0]) else {
            return Err(not_in_hardware(other, "a shortcut of the input"));
        };
        Ok((conv, Some(Shortcut { node: other.name.clone(), reads, window: None })))
    }

    /// Of two convolutions that are added, the smaller one that can be a shortcut is one: its weights are +-1 and it reads
    /// codes.
    fn two_convolutions(
        &self,
        sum: &Node<QuantOp>,
        convolutions: [&'a Node<QuantOp>; 2],
    ) -> Result<(&'a Node<QuantOp>, Option<Shortcut>)> {
        let as_shortcut = |node: &'a Node<QuantOp>| {
            let QuantOp::Conv { kernel, stride, padding, weights: WeightKind::Sign, .. } = node.op else {
                return None;
            };
            let reads = self.buffer_of(&node.inputs[0])?;
            let window = Window { kernel: [kernel; 2], stride, padding, zero_point: 0 };
            Some(Shortcut { node: node.name.clone(), reads, window: Some(window) })
        };
        let [a, b] = convolutions;
        let candidates = [(a, as_shortcut(b)), (b, as_shortcut(a))];
        let taps = |(_, shortcut): &(_, Option<Shortcut>)| {
            shortcut.as_ref().and_then(|shortcut| shortcut.window).map_or(usize::MAX, |window| window.taps())
        };
        match candidates.into_iter().min_by_key(taps) {
            Some((main, Some(shortcut))) if main.inputs[0] != INPUT => Ok((main, Some(shortcut))),
            _ => {
                Err(not_in_hardware(sum, "the addition of convolutions of the input, or of integer weights,"))
            }
        }
    }

    /// The node of a current, which is never the input.
    fn node_called(&self, name: &str) -> &'a Node<QuantOp> {
        let nodes = &self.network.nodes;
        &nodes[self.network.position(name).expect("a validated network's nodes read nodes")]
    }

    fn linear(&mut self, index: usize, node: &'a Node<QuantOp>) -> Result<()> {
        if index + 1 != self.network.nodes.len() {
            return Err(Error::unsupported(&node.name, "only the last node can be linear"));
        }
        let read = self.network.shape_of(&node.inputs[0], &self.shapes);
        let window = Window { kernel: [read.height, read.width], stride: 1, padding: 0, zero_point: 0 };
        let output = self.shapes[index];
        self.layer(&Layer { node, neuron: None, shortcut: None, window, weights: WeightKind::Float, output })
    }

    fn layer(&mut self, layer: &Layer) -> Result<()> {
        let source = &layer.node.inputs[0];
        let (reads, window, unfolded) = match self.buffer_of(source) {
            Some(buffer) => (buffer, layer.window, None),
            None => {
                let channels = self.network.input.channels;
                let window = Window { kernel: [1, 1], stride: 1, padding: 0, zero_point: 0 };
                (self.unfold(layer), window, Some((channels, layer.window.taps())))
            }
        };
        let buffer = &self.plan.buffers[reads];
        let (frames, planes, act_bits) = (buffer.frames, buffer.planes as u32, self.arch.act_bits);
        let (frames, summed_frames) = if layer.neuron.is_some() { (frames, 1) } else { (1, frames) };
        let digits = digits::digits(layer.weights == WeightKind::Sign, planes);
        let work = ArrayWork {
            layer: layer.node.name.clone(),
            neuron: layer.neuron.map(Into::into),
            shortcut: layer.shortcut.clone(),
            window,
            unfolded,
            output: layer.output,
            frames,
            summed_frames,
            passes: digits::passes(digits, planes, act_bits),
            max_code: self.network.max_code_of(source).into(),
            tiling: Tiling::default(),
            accumulator_bits: 0,
            weight_base: 0,
            parameter_base: 0,
        };
        let result = layer.neuron.is_some().then_some(layer.output);
        let name = layer.neuron.unwrap_or(&layer.node.name);
        self.push(name, Some(reads), result, Work::Array(Box::new(work)));
        Ok(())
    }

    /// Unfolds the input for `layer` and gives the buffer that holds its windows.
    fn unfold(&mut self, layer: &Layer) -> usize {
        let first = !self.plan.stages.iter().any(|s| matches!(s.work, Work::Unfold(_)));
        let name = if first { INPUT.to_owned() } else { joint_name(INPUT, &layer.node.name) };
        // A linear layer's window is the whole map.
        let Shape { height, width, .. } = layer.output;
        let shape = Shape::new(layer.window.taps() * self.network.input.channels, height, width);
        self.push(&name, None, Some(shape), Work::Unfold(layer.window));
        let buffer = self.plan.buffers.len() - 1;
        self.plan.buffers[buffer].frames = self.network.input.frames;
        self.plan.buffers[buffer].planes = self.arch.input_planes();
        buffer
    }

    fn push(&mut self, node: &str, reads: Option<usize>, result: Option<Shape>, work: Work) {
        let stage = self.plan.stages.len();
        let writes = result.map(|shape| {
            self.plan.buffers.push(Buffer {
                node: node.into(),
                shape,
                frames: self.network.time_steps,
                planes: 1,
                written_by: stage,
                last_read: stage,
                in_place_of: None,
                base: 0,
            });
            self.plan.buffers.len() - 1
        });
        self.plan.stages.push(Stage { node: node.into(), reads, writes, work });
    }

    /// Buffer of a node; `None` for the input.
    fn buffer_of(&self, node: &str) -> Option<usize> {
        if node == INPUT { None } else { self.plan.buffers.iter().position(|b| b.node == node) }
    }
}
