//! `empf inspect`: what a folder holds.

use crate::build::{self, Build};
use crate::error::{Error, Result};
use crate::output::{bytes, grouped, percent, print};
use crate::report::{Layer, Report};
use crate::table::Table;
use empf_ir::{Network, NeuronVersion, Node, Op, Program, QuantNetwork, QuantOp, Shape, WeightKind};
use std::path::PathBuf;

/// Bits of a weight of 8 digits.
const DIGIT_BITS: u64 = empf_ir::quant::WEIGHT_DIGITS as u64;

/// Print what a network or a build holds
///
/// Of a network: its nodes, shapes, weights and the memory that they take. Of a
/// build besides: its steps, predicted cycles, utilisation of the array, and the
/// use of each memory.
///
/// The paper's figure counts 32 bits for weights that are not +-1, 2 bits for those
/// that are, and neither normalisation nor biases. Packed, a +-1 weight is one bit.
///
/// Examples:
///   empf inspect runs/tiny/network
///   empf inspect build/tiny
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Folder with a network, an integer network or a build
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

/// Finds out what the folder holds and prints it.
pub(crate) fn run(args: &Args) -> Result<()> {
    let folder = &args.folder;
    let holds = |name: &str| folder.join(name).exists();
    if holds(build::MARKER) {
        let build = Build::load(folder)?;
        print(&network(&build.network)?)?;
        print(&format!("\n{}", quant(&build.quant)?))?;
        print(&format!("\n{}", program(&build)))
    } else if holds("quant.json") {
        print(&quant(&QuantNetwork::load(folder)?)?)
    } else if holds("network.json") {
        print(&network(&Network::load(folder)?)?)
    } else if holds("network/network.json") {
        print(&network(&Network::load(&folder.join("network"))?)?)
    } else {
        let message = "holds neither network.json nor quant.json nor program.json; give a network or a build";
        Err(Error::file(folder, message))
    }
}

/// What enters, in words.
fn input(shape: Shape, frames: usize) -> String {
    if frames == 1 { format!("{shape}, static") } else { format!("{shape}, {frames} frames") }
}

fn window(kernel: [usize; 2], stride: [usize; 2]) -> String {
    let [height, width] = kernel;
    if stride == [1, 1] { format!("{height}x{width}") } else { format!("{height}x{width} /{}", stride[0]) }
}

/// Weights that are +-1 and weights that are not.
#[derive(Clone, Copy, Default)]
struct Weights {
    sign: u64,
    other: u64,
}

impl Weights {
    fn new(count: usize, kind: WeightKind) -> Self {
        match kind {
            WeightKind::Sign => Weights { sign: count as u64, other: 0 },
            WeightKind::Float => Weights { sign: 0, other: count as u64 },
        }
    }

    fn count(self) -> u64 {
        self.sign + self.other
    }

    /// Bits where a +-1 weight takes `sign` bits and another one `other`.
    fn bits(self, sign: u64, other: u64) -> u64 {
        self.sign * sign + self.other * other
    }

    fn add(&mut self, more: Weights) {
        self.sign += more.sign;
        self.other += more.other;
    }
}

fn network(network: &Network) -> Result<String> {
    let mut table = Table::new(&["node", "op", "output", "weights", "paper", "packed"]);
    let mut total = Weights::default();
    for (node, shape) in network.nodes.iter().zip(network.shapes()?) {
        let weights = float_weights(network, node)?;
        let sizes = match weights.count() {
            0 => Default::default(),
            count => [grouped(count), bytes(weights.bits(2, 32)), bytes(weights.bits(1, 32))],
        };
        table.row([node.name.clone(), float_op(&node.op), shape.to_string()].into_iter().chain(sizes));
        total.add(weights);
    }
    let Network { name, time_steps, classes, .. } = network;
    let enters = input(network.input.shape(), network.input.frames);
    Ok(format!(
        "network `{name}`: T = {time_steps}, input {enters}, {classes} classes\n\n{table}\n\n\
         {} weights, {} of them +-1\n\
         float32                                    {}\n\
         the paper's figure (2 bits, rest float32)  {}\n\
         packed (1 bit, rest float32)               {}\n\
         packed in hardware (1 bit, rest 8 digits)  {}",
        grouped(total.count()),
        grouped(total.sign),
        bytes(total.bits(32, 32)),
        bytes(total.bits(2, 32)),
        bytes(total.bits(1, 32)),
        bytes(total.bits(1, DIGIT_BITS)),
    ))
}

fn float_weights(network: &Network, node: &Node<Op>) -> Result<Weights> {
    let kind = match node.op {
        Op::Conv { weights, .. } => weights,
        Op::Linear { .. } => WeightKind::Float,
        _ => return Ok(Weights::default()),
    };
    Ok(Weights::new(network.tensor(&node.name, "weight")?.1.len(), kind))
}

fn float_op(op: &Op) -> String {
    match op {
        Op::Conv { kernel, stride, weights, .. } => conv([*kernel; 2], [*stride; 2], *weights),
        Op::BatchNorm { .. } => "batch norm".into(),
        Op::Neuron { version, .. } => match version {
            NeuronVersion::I => "neuron I".into(),
            NeuronVersion::II => "neuron II".into(),
            NeuronVersion::III => "neuron III".into(),
        },
        Op::Lif { .. } => "neuron LIF".into(),
        Op::AvgPool { kernel, stride } => format!("average pool {}", window([*kernel; 2], [*stride; 2])),
        Op::GlobalAvgPool => "global average pool".into(),
        Op::MaxPool { kernel, stride, .. } => {
            format!("maximum pool {}", window([*kernel; 2], [*stride; 2]))
        }
        Op::Seca { kernel } => format!("channel attention {kernel}"),
        Op::Linear { .. } => "linear".into(),
        Op::Add => "add".into(),
    }
}

fn conv(kernel: [usize; 2], stride: [usize; 2], weights: WeightKind) -> String {
    let kind = if weights == WeightKind::Sign { "+-1 conv" } else { "conv" };
    format!("{kind} {}", window(kernel, stride))
}

fn quant(network: &QuantNetwork) -> Result<String> {
    let mut table = Table::new(&["node", "op", "output", "weights", "packed", "code step"]);
    let mut total = Weights::default();
    for (node, shape) in network.nodes.iter().zip(network.shapes()?) {
        let weights = integer_weights(network, node)?;
        let sizes = match weights.count() {
            0 => Default::default(),
            count => [grouped(count), bytes(weights.bits(1, DIGIT_BITS))],
        };
        let step = network.scales.get(&node.name).map_or(String::new(), |step| format!("{step:.6}"));
        table.row(
            [node.name.clone(), integer_op(&node.op), shape.to_string()]
                .into_iter()
                .chain(sizes)
                .chain([step]),
        );
        total.add(weights);
    }
    let QuantNetwork { name, time_steps, classes, act_bits, membrane_bits, .. } = network;
    let enters = input(network.input.shape(), network.input.frames);
    Ok(format!(
        "integer network `{name}`: T = {time_steps}, A = {act_bits}, V = {membrane_bits}, input {enters}, \
         {classes} classes\n\n{table}\n\n{} weights in {}",
        grouped(total.count()),
        bytes(total.bits(1, DIGIT_BITS)),
    ))
}

fn integer_weights(network: &QuantNetwork, node: &Node<QuantOp>) -> Result<Weights> {
    let kind = match node.op {
        QuantOp::Conv { weights, .. } => weights,
        QuantOp::Linear { .. } => WeightKind::Float,
        _ => return Ok(Weights::default()),
    };
    Ok(Weights::new(network.tensor(&node.name, "weight")?.len(), kind))
}

fn integer_op(op: &QuantOp) -> String {
    match op {
        QuantOp::Conv { kernel, stride, weights, .. } => conv([*kernel; 2], [*stride; 2], *weights),
        QuantOp::Neuron { parallel: false, .. } => "neuron".into(),
        QuantOp::Neuron { parallel: true, .. } => "parallel neuron".into(),
        QuantOp::AvgPool { kernel, stride, .. } => format!("average pool {}", window(*kernel, *stride)),
        QuantOp::Linear { .. } => "linear".into(),
        QuantOp::Widen { shift } => format!("widen << {shift}"),
        QuantOp::Add => "add".into(),
    }
}

fn program(build: &Build) -> String {
    let program = &build.program;
    let arch = &program.arch;
    format!(
        "build {:08x} for a {}x{} array, A = {}\n\n{}\n\n{}",
        program.build_id,
        arch.rows,
        arch.cols,
        arch.act_bits,
        steps(&Report::new(build)),
        memories(program)
    )
}

fn steps(report: &Report) -> String {
    let mut table = Table::new(&["step", "node", "unit", "cycles", "share", "additions", "utilisation"]);
    let total = report.total();
    for (index, Layer { node, unit, work, .. }) in report.layers().iter().enumerate() {
        let on_array = work.useful_additions > 0;
        let array = |text: String| if on_array { text } else { String::new() };
        table.row([
            index.to_string(),
            node.clone(),
            (*unit).into(),
            grouped(work.cycles),
            percent(work.cycles as f64 / total.cycles.max(1) as f64),
            array(grouped(work.useful_additions)),
            array(percent(work.utilisation)),
        ]);
    }
    format!(
        "{table}\n\n{} cycles an inference; {} useful additions; utilisation {}, of the +-1 convolutions {}",
        grouped(total.cycles),
        grouped(total.useful_additions),
        percent(total.utilisation),
        percent(report.sign_layers().utilisation)
    )
}

fn memories(program: &Program) -> String {
    let (used, arch) = (&program.memory, &program.arch);
    let mut table = Table::new(&["memory", "words", "of", "share"]);
    for (name, used, depth) in [
        ("activation", used.activation, arch.activation_depth),
        ("accumulator bank", used.accumulator, arch.accumulator_depth),
        ("weight", used.weight, arch.weight_depth),
        ("parameter", used.parameter, arch.parameter_depth),
        ("input", used.input, arch.input_depth),
        ("schedule", used.schedule, arch.schedule_depth),
    ] {
        let share = percent(used as f64 / depth as f64);
        table.row([name.into(), grouped(used as u64), grouped(depth as u64), share]);
    }
    table.to_string()
}
