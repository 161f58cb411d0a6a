//! Finds the stages that the accelerator runs: convolution and neuron become one, and every layer that reads
//! the input gets its windows unfolded.

use crate::digits;
use crate::plan::{
    ArrayWork, Buffer, Drained, Gives, Plan, Pooled, Pooling, Shortcut, ShortcutFrom, Stage, Streamed, Takes,
    Tiling, Window, Work,
};
use crate::{Error, Result};
use empf_ir::graph::joint_name;
use empf_ir::{ArchConfig, Border, INPUT, Node, QuantNetwork, QuantOp, Shape, WeightKind};
use std::ops::Range;

/// Stages and buffers of `network`, without addresses.
pub fn lower(network: &QuantNetwork, arch: &ArchConfig) -> Result<Plan> {
    arch.validate()?;
    network.validate()?;
    check_widths(network, arch)?;
    plan(network, arch)
}

/// As [`lower`], of a network that is valid but for its tensors, which it may lack.
pub(crate) fn plan(network: &QuantNetwork, arch: &ArchConfig) -> Result<Plan> {
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
        if let (Some(Shortcut { from: ShortcutFrom::Codes(reads), .. }), Some(writes)) =
            (&work.drain.shortcut, stage.writes)
            && plan.buffers[*reads].last_read == index
            && plan.buffers[writes].written_by[1] == index
            && !streamed_meanwhile(plan, plan.buffers[writes].written_by, *reads)
        {
            plan.buffers[writes].in_place_of = Some(*reads);
        }
    }
}

/// A stage of `first..=last` has the stream read `buffer`.
fn streamed_meanwhile(plan: &Plan, [first, last]: [usize; 2], buffer: usize) -> bool {
    plan.stages[first..=last].iter().any(|stage| stage.reads == Some(buffer))
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
    Error::unsupported(&node.name, format!("{what} is not yet in hardware"))
}

struct Lowering<'a> {
    network: &'a QuantNetwork,
    arch: &'a ArchConfig,
    shapes: Vec<Shape>,
    plan: Plan,
}

/// The buffer that a layer reads, and its way through the array.
type Reading = (usize, Streamed);

/// The currents of a convolution and of a shortcut.
struct Currents<'a> {
    /// The convolution.
    node: &'a Node<QuantOp>,
    shortcut: Option<Shortcut>,
}

/// Channel attention and what is added behind it.
struct Attention<'a> {
    node: &'a Node<QuantOp>,
    /// Widening, scaling or a convolution.
    adds: Option<&'a Node<QuantOp>>,
}

impl<'a> Lowering<'a> {
    fn node(&mut self, index: usize, node: &'a Node<QuantOp>) -> Result<()> {
        match node.op {
            QuantOp::Conv { .. }
            | QuantOp::Widen { .. }
            | QuantOp::Scale { .. }
            | QuantOp::Seca { .. }
            | QuantOp::Add => self.check_current(node),
            QuantOp::Neuron { .. } => self.neuron(index, node),
            QuantOp::AvgPool { kernel, stride, shift } => {
                self.pool(index, node, Pooling { kernel, stride, padding: 0, gives: Pooled::Sum { shift } })
            }
            QuantOp::MaxPool { kernel, stride, padding } => {
                let (kernel, stride) = ([kernel; 2], [stride; 2]);
                self.pool(index, node, Pooling { kernel, stride, padding, gives: Pooled::Maximum })
            }
            QuantOp::Linear { .. } => self.linear(index, node),
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
        let message = format!("its current is read by {readers} nodes; in hardware one node alone reads it");
        Err(Error::unsupported(&node.name, message))
    }

    fn neuron(&mut self, index: usize, neuron: &'a Node<QuantOp>) -> Result<()> {
        let source = self.node_called(&neuron.inputs[0]);
        if let Some(attention) = self.attention(source)? {
            return self.attend(index, neuron, &attention);
        }
        let Currents { node, shortcut } = self.currents(source)?;
        let streamed = self.streamed(node, self.shapes[index])?;
        let takes = Takes::Sums(node.name.clone());
        let steps = 0..self.network.time_steps;
        let drain = drained(takes, shortcut, Gives::Spikes(neuron.name.clone()), steps);
        self.push_array(&neuron.name, Some(streamed), drain, self.shapes[index]);
        Ok(())
    }

    /// `source` is channel attention, or that and something added to it.
    fn attention(&self, source: &'a Node<QuantOp>) -> Result<Option<Attention<'a>>> {
        let is_attention = |node: &Node<QuantOp>| matches!(node.op, QuantOp::Seca { .. });
        if is_attention(source) {
            return Ok(Some(Attention { node: source, adds: None }));
        }
        if source.op != QuantOp::Add {
            return Ok(None);
        }
        let [a, b] = [0, 1].map(|i| self.node_called(&source.inputs[i]));
        match [a, b].map(is_attention) {
            [false, false] => Ok(None),
            [true, false] => Ok(Some(Attention { node: a, adds: Some(b) })),
            [false, true] => Ok(Some(Attention { node: b, adds: Some(a) })),
            [true, true] => Err(not_in_hardware(source, "the sum of two attentions")),
        }
    }

    /// Two stages, or two for each frame where the currents of all frames are too many to be kept: one keeps currents, the
    /// other scales them.
    fn attend(&mut self, index: usize, neuron: &'a Node<QuantOp>, attention: &Attention<'a>) -> Result<()> {
        if !self.arch.has_attention() {
            let message = "channel attention needs an accelerator with a `current_depth` above 0";
            return Err(Error::unsupported(&attention.node.name, message));
        }
        let (time_steps, output) = (self.network.time_steps, self.shapes[index]);
        let Currents { node, shortcut } = self.currents(self.node_called(&attention.node.inputs[0]))?;
        let keeps = (Takes::Sums(node.name.clone()), shortcut, Gives::Kept(attention.node.name.clone()));
        let streamed = self.streamed(node, output)?;
        let (added, outer) = self.added(attention.adds, output)?;
        let scales = (Takes::Kept(attention.node.name.clone()), outer, Gives::Spikes(neuron.name.clone()));
        let of_step = output.positions() * output.channels.div_ceil(self.arch.lanes);
        let together = if time_steps * of_step <= self.arch.current_depth { time_steps } else { 1 };
        for first in (0..time_steps).step_by(together) {
            let steps = first..first + together;
            for (stream, (takes, shortcut, gives)) in [(Some(&streamed), &keeps), (added.as_ref(), &scales)] {
                let stream = stream.map(|(reads, stream)| (*reads, self.frames_of(*reads, stream, &steps)));
                let drain = drained(takes.clone(), shortcut.clone(), gives.clone(), steps.clone());
                let name = drain.neuron().unwrap_or(&attention.node.name).to_owned();
                self.push_array(&name, stream, drain, output);
            }
        }
        Ok(())
    }

    /// What is added to the currents of attention: what it needs of the array, and how it enters.
    fn added(
        &mut self,
        node: Option<&'a Node<QuantOp>>,
        output: Shape,
    ) -> Result<(Option<Reading>, Option<Shortcut>)> {
        let Some(node) = node else { return Ok((None, None)) };
        match node.op {
            QuantOp::Conv { .. } => {
                let shortcut = Shortcut { node: node.name.clone(), from: ShortcutFrom::Stream };
                Ok((Some(self.streamed(node, output)?), Some(shortcut)))
            }
            _ => Ok((None, Some(self.codes(node)?))),
        }
    }

    /// A convolution and the shortcut that is added to it.
    fn currents(&self, source: &'a Node<QuantOp>) -> Result<Currents<'a>> {
        if source.op != QuantOp::Add {
            return Ok(Currents { node: source, shortcut: None });
        }
        let operands = [0, 1].map(|i| self.node_called(&source.inputs[i]));
        let is_conv = |node: &Node<QuantOp>| matches!(node.op, QuantOp::Conv { .. });
        let (node, other) = match operands.map(is_conv) {
            [true, true] => return self.two_convolutions(source, operands),
            [true, false] => (operands[0], operands[1]),
            [false, true] => (operands[1], operands[0]),
            [false, false] => return Err(not_in_hardware(source, "an addition without a convolution")),
        };
        Ok(Currents { node, shortcut: Some(self.codes(other)?) })
    }

    /// A shortcut that is made of codes.
    fn codes(&self, node: &Node<QuantOp>) -> Result<Shortcut> {
        if !matches!(node.op, QuantOp::Widen { .. } | QuantOp::Scale { .. }) {
            return Err(not_in_hardware(node, "the sum of three currents"));
        }
        match self.buffer_of(&node.inputs[0]) {
            Some(reads) => Ok(Shortcut { node: node.name.clone(), from: ShortcutFrom::Codes(reads) }),
            None => Err(not_in_hardware(node, "a shortcut of the input")),
        }
    }

    /// Of two convolutions that are added, the smaller one that can be a shortcut is one: its weights are +-1 and it reads
    /// codes.
    fn two_convolutions(&self, sum: &Node<QuantOp>, [a, b]: [&'a Node<QuantOp>; 2]) -> Result<Currents<'a>> {
        let as_shortcut = |node: &'a Node<QuantOp>| {
            let QuantOp::Conv { kernel, stride, padding, weights: WeightKind::Sign, .. } = node.op else {
                return None;
            };
            let reads = self.buffer_of(&node.inputs[0])?;
            let window = Window { kernel: [kernel; 2], stride, padding, zero_point: Border::from(0) };
            let from = ShortcutFrom::Beside(reads, window);
            Some((window.taps(), Shortcut { node: node.name.clone(), from }))
        };
        let candidates = [(a, as_shortcut(b)), (b, as_shortcut(a))];
        let taps =
            |(_, shortcut): &(_, Option<(usize, _)>)| shortcut.as_ref().map_or(usize::MAX, |(taps, _)| *taps);
        match candidates.into_iter().min_by_key(taps) {
            Some((node, Some((_, shortcut)))) if node.inputs[0] != INPUT => {
                Ok(Currents { node, shortcut: Some(shortcut) })
            }
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
        let window =
            Window { kernel: [read.height, read.width], stride: 1, padding: 0, zero_point: Border::from(0) };
        let output = self.shapes[index];
        let (reads, stream) = self.stream_of(node, window, WeightKind::Float, output);
        let drain = drained(Takes::Sums(node.name.clone()), None, Gives::Logits, 0..1);
        self.push_array(&node.name, Some((reads, stream)), drain, output);
        Ok(())
    }

    /// A convolution on its way through the array, and the buffer that it reads.
    fn streamed(&mut self, node: &'a Node<QuantOp>, output: Shape) -> Result<Reading> {
        let QuantOp::Conv { kernel, stride, padding, weights, zero_point, .. } = node.op else {
            return Err(Error::unsupported(
                &node.name,
                "in hardware a neuron reads a convolution, attention on one, or their sum with a shortcut",
            ));
        };
        if zero_point != Border::from(0) && node.inputs[0] != INPUT {
            return Err(Error::unsupported(&node.name, "its zero_point is not 0, as that of spikes is"));
        }
        Ok(self.stream_of(node, Window { kernel: [kernel; 2], stride, padding, zero_point }, weights, output))
    }

    /// A layer of `window` over what `node` reads; the windows of the input are unfolded.
    fn stream_of(
        &mut self,
        node: &'a Node<QuantOp>,
        window: Window,
        weights: WeightKind,
        output: Shape,
    ) -> Reading {
        let source = &node.inputs[0];
        let (reads, walked, unfolded) = match self.buffer_of(source) {
            Some(buffer) => (buffer, window, None),
            None => {
                let channels = self.network.input.channels;
                let walked = Window { kernel: [1, 1], stride: 1, padding: 0, zero_point: Border::from(0) };
                (self.unfold(node, window, output), walked, Some((channels, window.taps())))
            }
        };
        let buffer = &self.plan.buffers[reads];
        let planes = buffer.planes as u32;
        let digits = digits::digits(weights == WeightKind::Sign, planes);
        let stream = Streamed {
            layer: node.name.clone(),
            window: walked,
            unfolded,
            first_frame: 0,
            frames: buffer.frames,
            passes: digits::passes(digits, planes, self.arch.act_bits),
            max_code: self.network.max_code_of(source).into(),
            accumulator_bits: 0,
            weight_base: 0,
        };
        (reads, stream)
    }

    /// `stream` of the frames of `steps` alone.
    fn frames_of(&self, reads: usize, stream: &Streamed, steps: &Range<usize>) -> Streamed {
        match self.plan.buffers[reads].frames {
            1 => stream.clone(),
            _ => Streamed { first_frame: steps.start, frames: steps.len(), ..stream.clone() },
        }
    }

    /// Unfolds the input for `node` and gives the buffer that holds its windows.
    fn unfold(&mut self, node: &Node<QuantOp>, window: Window, output: Shape) -> usize {
        let first = !self.plan.stages.iter().any(|s| matches!(s.work, Work::Unfold(_)));
        let name = if first { INPUT.to_owned() } else { joint_name(INPUT, &node.name) };
        // A linear layer's window is the whole map.
        let shape = Shape::new(window.taps() * self.network.input.channels, output.height, output.width);
        self.push(&name, None, Some(shape), Work::Unfold(window));
        let buffer = self.plan.buffers.len() - 1;
        self.plan.buffers[buffer].frames = self.network.input.frames;
        self.plan.buffers[buffer].planes = self.arch.input_planes();
        buffer
    }

    fn push_array(&mut self, name: &str, stream: Option<Reading>, drain: Drained, output: Shape) {
        let (reads, stream) = stream.unzip();
        let result = drain.neuron().is_some().then_some(output);
        let work = ArrayWork { stream, drain, output, tiling: Tiling::default() };
        self.push(name, reads, result, Work::Array(Box::new(work)));
    }

    fn push(&mut self, node: &str, reads: Option<usize>, result: Option<Shape>, work: Work) {
        let stage = self.plan.stages.len();
        let writes = result.map(|shape| self.buffer_for(node, shape, stage));
        self.plan.stages.push(Stage { node: node.into(), reads, writes, work });
    }

    /// The buffer that `stage` writes, which an earlier one may have begun.
    fn buffer_for(&mut self, node: &str, shape: Shape, stage: usize) -> usize {
        if let Some(begun) = self.plan.buffers.iter().position(|buffer| buffer.node == node) {
            self.plan.buffers[begun].written_by[1] = stage;
            self.plan.buffers[begun].last_read = stage;
            return begun;
        }
        self.plan.buffers.push(Buffer {
            node: node.into(),
            shape,
            frames: self.network.time_steps,
            planes: 1,
            written_by: [stage; 2],
            last_read: stage,
            in_place_of: None,
            base: 0,
        });
        self.plan.buffers.len() - 1
    }

    /// Buffer of a node; `None` for the input.
    fn buffer_of(&self, node: &str) -> Option<usize> {
        if node == INPUT { None } else { self.plan.buffers.iter().position(|b| b.node == node) }
    }
}

/// A drain without addresses.
fn drained(takes: Takes, shortcut: Option<Shortcut>, gives: Gives, steps: Range<usize>) -> Drained {
    Drained { takes, shortcut, gives, steps, parameter_base: 0, score_base: 0 }
}
