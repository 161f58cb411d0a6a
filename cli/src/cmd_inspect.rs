//! `empf inspect`: what a folder holds.

use crate::build::{self, Build};
use crate::error::{Error, Result, refuse};
use crate::named::{Extent, NamedArgs, TIME_STEPS};
use crate::output::{bytes, grouped, percent, print};
use crate::report::Report;
use crate::run_folder;
use crate::table::Table;
use empf_ir::arch::Memory;
use empf_ir::{
    ClassNames, Network, NeuronVersion, Node, Op, Program, QuantNetwork, QuantOp, Shape, WeightKind, counted,
};
use empf_sim::cost::Layer;
use empf_trainer::presets::{PRESETS, ParameterMemory};
use std::path::PathBuf;

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
///   empf inspect resnet18 --input 3x32x32 --classes 100
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Folder with a network, an integer network or a build, or a network's name
    #[arg(value_name = "FOLDER|NAME")]
    folder: PathBuf,
    #[command(flatten)]
    named: NamedArgs,
}

/// Finds out what the folder holds and prints it.
pub(crate) fn run(args: &Args) -> Result<()> {
    let folder = &args.folder;
    let holds = |name: &str| folder.join(name).exists();
    let found = run_folder::network_of(folder);
    if holds(build::MARKER) || found.is_ok() {
        check_options(args)?;
    }
    if holds(build::MARKER) && holds("network.json") {
        let build = Build::load(folder)?;
        print(&network(&build.network)?)?;
        print(&format!("\n{}", quant(&build.quant)?))?;
        match &build.hardware {
            Some(hardware) => print(&format!("\n{}", program(&build, &hardware.program)?)),
            None => Ok(()),
        }
    } else if holds(build::MARKER) {
        print(&quant(&QuantNetwork::load(folder)?)?)
    } else if let Ok(folder) = found {
        print(&network(&Network::load(&folder)?)?)
    } else if let Some(name) = args.folder.to_str().filter(|name| PRESETS.contains(name)) {
        let extent = Extent { time_steps: TIME_STEPS, frames: 1, width: 1.0 };
        print(&network(&args.named.network(name, &extent)?)?)
    } else {
        let message = "holds neither network.json nor quant.json; give a network or a build";
        Err(run_folder::unfinished(folder).unwrap_or_else(|| Error::file(folder, message)))
    }
}

/// Nothing is asked for that what is in a folder says itself.
fn check_options(args: &Args) -> Result<()> {
    let message = format!("is for a network's name, and {} holds a network", args.folder.display());
    refuse(&args.named.given(), message)
}

/// What enters, in words.
fn input(shape: Shape, frames: usize) -> String {
    if frames == 1 { format!("{shape}, static") } else { format!("{shape}, {frames} frames") }
}

/// What comes out, in words.
fn classes(count: usize, names: &ClassNames) -> String {
    let count = counted(count, "class");
    if names.is_empty() { count } else { format!("{count} {names}") }
}

fn window(kernel: [usize; 2], stride: [usize; 2]) -> String {
    let [height, width] = kernel;
    if stride == [1, 1] { format!("{height}x{width}") } else { format!("{height}x{width} /{}", stride[0]) }
}

fn network(network: &Network) -> Result<String> {
    let mut table = Table::new(&["node", "op", "output", "weights", "paper", "packed"]);
    let mut total = ParameterMemory::default();
    let shapes = network.shapes()?;
    for (node, shape) in network.nodes.iter().zip(&shapes) {
        let weights = ParameterMemory::of_operator(&node.op, network.shape_of(&node.inputs[0], &shapes));
        let sizes = match weights.count() {
            0 => Default::default(),
            count => {
                [grouped(count as u64), bytes(weights.paper_bytes()), bytes(weights.packed_float_bytes())]
            }
        };
        table.row([node.name.clone(), float_op(&node.op), shape.to_string()].into_iter().chain(sizes));
        total += weights;
    }
    let Network { name, time_steps, .. } = network;
    let enters = input(network.input.shape(), network.input.frames);
    let classes = classes(network.classes, &network.class_names);
    Ok(format!(
        "network `{name}`: T = {time_steps}, input {enters}, {classes}\n\n{table}\n\n\
         {} weights, {} of them +-1\n\
         float32                                    {}\n\
         the paper's figure (2 bits, rest float32)  {}\n\
         packed (1 bit, rest float32)               {}\n\
         packed in hardware (1 bit, rest 8 digits)  {}",
        grouped(total.count() as u64),
        grouped(total.sign as u64),
        bytes(total.float_bytes()),
        bytes(total.paper_bytes()),
        bytes(total.packed_float_bytes()),
        bytes(total.packed_int8_bytes()),
    ))
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
    let mut total = ParameterMemory::default();
    for (node, shape) in network.nodes.iter().zip(network.shapes()?) {
        let weights = integer_weights(network, node)?;
        let sizes = match weights.count() {
            0 => Default::default(),
            count => [grouped(count as u64), bytes(weights.packed_int8_bytes())],
        };
        let step = network.scales.get(&node.name).map_or(String::new(), |step| format!("{step:.6}"));
        table.row(
            [node.name.clone(), integer_op(&node.op), shape.to_string()]
                .into_iter()
                .chain(sizes)
                .chain([step]),
        );
        total += weights;
    }
    let QuantNetwork { name, time_steps, act_bits, membrane_bits, .. } = network;
    let classes = classes(network.classes, &network.class_names);
    let enters = input(network.input.shape(), network.input.frames);
    Ok(format!(
        "integer network `{name}`: T = {time_steps}, A = {act_bits}, V = {membrane_bits}, input {enters}, \
         {classes}\n\n{table}\n\n{} weights in {}",
        grouped(total.count() as u64),
        bytes(total.packed_int8_bytes()),
    ))
}

fn integer_weights(network: &QuantNetwork, node: &Node<QuantOp>) -> Result<ParameterMemory> {
    let kind = match node.op {
        QuantOp::Conv { weights, .. } => weights,
        QuantOp::Linear { .. } => WeightKind::Float,
        _ => return Ok(ParameterMemory::default()),
    };
    Ok(ParameterMemory::of_weights(network.tensor(&node.name, "weight")?.len(), kind))
}

fn integer_op(op: &QuantOp) -> String {
    match op {
        QuantOp::Conv { kernel, stride, weights, .. } => conv([*kernel; 2], [*stride; 2], *weights),
        QuantOp::Neuron { parallel: false, .. } => "neuron".into(),
        QuantOp::Neuron { parallel: true, .. } => "parallel neuron".into(),
        QuantOp::AvgPool { kernel, stride, .. } => format!("average pool {}", window(*kernel, *stride)),
        QuantOp::Linear { .. } => "linear".into(),
        QuantOp::MaxPool { kernel, stride, .. } => {
            format!("maximum pool {}", window([*kernel; 2], [*stride; 2]))
        }
        QuantOp::Scale { .. } => "scale".into(),
        QuantOp::Seca { kernel, .. } => format!("channel attention {kernel}"),
        QuantOp::Widen { shift } => format!("widen << {shift}"),
        QuantOp::Add => "add".into(),
    }
}

fn program(build: &Build, program: &Program) -> Result<String> {
    let arch = &program.arch;
    Ok(format!(
        "build {:08x} for a {}x{} array, A = {}\n\n{}\n\n{}",
        program.build_id,
        arch.rows,
        arch.cols,
        arch.act_bits,
        steps(&Report::new(&build.network, &build.quant, program)?),
        memories(program)
    ))
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
    for memory in Memory::ALL {
        let (used, depth) = (used.of(memory), memory.depth(arch));
        let share = percent(used as f64 / depth as f64);
        table.row([memory.name().into(), grouped(used as u64), grouped(depth as u64), share]);
    }
    table.to_string()
}
