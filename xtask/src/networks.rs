//! The paper's networks, whole: trained briefly, compiled, and held to golden model and integers in Verilator.

use empf_compiler::lower;
use empf_compiler::saturation::{self, Number};
use empf_data::{Augment, Dataset, Pixels};
use empf_ir::arch::Memory;
use empf_ir::program::MemoryUse;
use empf_ir::{ArchConfig, Network, QuantNetwork};
use empf_sim::cost::{Cost, Work};
use empf_sim::{Engine, GoldenEngine, interleaved};
use empf_tests::{Suite, with_memories};
use empf_trainer::presets::{Target, preset, settings};
use empf_trainer::runs::train::{Rule, Task, TrainConfig, train};
use ndarray::Axis;
use rand::prelude::*;
use rand_pcg::Pcg64Mcg;
use std::collections::BTreeMap;
use std::time::Instant;

/// A network and what it reads.
struct Subject {
    name: &'static str,
    /// Channels, rows, columns.
    input: [usize; 3],
    classes: usize,
    time_steps: usize,
    /// A frame of events for each step, else an image.
    events: bool,
    /// Bits of an accumulator.
    acc_bits: u32,
}

const fn images(name: &'static str, side: usize, classes: usize) -> Subject {
    Subject { name, input: [3, side, side], classes, time_steps: 4, events: false, acc_bits: 28 }
}

const SUBJECTS: [Subject; 10] = [
    images("resnet18", 32, 10),
    images("resnet18-seca1", 32, 10),
    images("resnet18-seca2", 32, 10),
    images("resnet18-vanilla", 32, 10),
    images("resnet18-parallel", 32, 10),
    images("resnet34", 224, 1000),
    images("resnet34-seca2", 224, 1000),
    images("vgg13", 64, 200),
    images("vgg13-seca1", 64, 200),
    // Its classifier sums 4,608 spikes in each of ten steps.
    Subject { name: "vgg-snn", input: [2, 48, 48], classes: 10, time_steps: 10, events: true, acc_bits: 32 },
];

/// Images, or recordings, that a network is trained on, or one for each class.
const LEAST_SAMPLES: usize = 64;
/// Samples that formats are chosen by.
const CALIBRATION: usize = 8;
/// Side of the squares of which the samples of a class have the same brightness on the whole.
const SQUARES: usize = 8;
/// Largest share of a tensor that one value may have.
const MOST: f64 = 0.98;
/// Words of the memories of an accelerator, until it is known what a network needs.
const AMPLE: usize = 1 << 24;

/// Options of `networks`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Networks such as `resnet18-seca2` [default: all; the 34 layers for images of 224x224 take long]
    names: Vec<String>,
    /// Inferences of each in Verilator
    #[arg(long, default_value_t = 1)]
    images: usize,
    /// Share of the channels that the paper's networks have
    #[arg(long, default_value_t = 1.0)]
    width: f64,
    /// Rows and columns of the array
    #[arg(long, default_value_t = 32)]
    size: usize,
    /// Currents of a lane that channel attention keeps; of larger maps it goes frame by frame
    #[arg(long, default_value_t = 1 << 15)]
    current_depth: usize,
}

pub(crate) fn run(args: &Args) -> crate::error::Result {
    for name in &args.names {
        if SUBJECTS.iter().all(|subject| subject.name != name) {
            let known: Vec<&str> = SUBJECTS.iter().map(|subject| subject.name).collect();
            return Err(format!("`{name}` is none of {}", known.join(", ")).into());
        }
    }
    let wanted = |subject: &&Subject| args.names.is_empty() || args.names.iter().any(|n| n == subject.name);
    SUBJECTS.iter().filter(wanted).try_for_each(|subject| subject.check(args))
}

impl Subject {
    /// Trains, compiles and simulates; prints what came of it.
    fn check(&self, args: &Args) -> crate::error::Result {
        println!("{}: training", self.name);
        let data = self.samples();
        let network = self.trained(&data, args.width)?;
        let codes = data.codes(CALIBRATION.max(args.images))?;
        let (current_depth, acc_bits) = (args.current_depth, self.acc_bits);
        let ample = ArchConfig { current_depth, acc_bits, ..ample(args.size) };
        let (quantized, program) = empf_compiler::compile(&network, codes.view(), &ample)?;
        let arch = with_memories(&ample, &program.memory);
        let program = lower(&quantized, &arch)?;
        print_memory(&program.memory, &arch);
        print_cost(&Cost::of(&program));
        let inputs: Vec<Vec<u8>> = codes.axis_iter(Axis(0)).take(args.images).map(interleaved).collect();
        print_shares(&quantized, &inputs)?;
        let start = Instant::now();
        let suite = Suite::fast(&arch)?;
        println!("  Verilator's model of {0}x{0}: {1:.0} s", args.size, start.elapsed().as_secs_f64());
        let start = Instant::now();
        let outcome = suite.run_network(&quantized, &program, &inputs)?;
        println!(
            "  0 mismatches in {} elements of integers, schedule interpreter and Verilog over {} inferences; {} cycles, \
             predicted and counted; {:.0} s\n",
            outcome.elements,
            inputs.len(),
            outcome.cycles,
            start.elapsed().as_secs_f64()
        );
        Ok(())
    }

    /// Squares whose brightness is the class's, under noise; of events, more of them where a square is brighter.
    fn samples(&self) -> Dataset {
        let [channels, height, width] = self.input;
        let frames = if self.events { self.time_steps } else { 1 };
        let labels: Vec<u16> =
            (0..self.classes.max(LEAST_SAMPLES)).map(|i| (i % self.classes) as u16).collect();
        let mut rng = Pcg64Mcg::seed_from_u64(1);
        let mut codes = Vec::with_capacity(labels.len() * frames * channels * height * width);
        for label in &labels {
            let mut of_class = Pcg64Mcg::seed_from_u64(u64::from(*label) + 2);
            let across = width.div_ceil(SQUARES);
            let squares: Vec<u8> =
                (0..height.div_ceil(SQUARES) * across).map(|_| of_class.random()).collect();
            for at in 0..frames * channels * height * width {
                let (y, x) = (at / width % height, at % width);
                let bright = squares[y / SQUARES * across + x / SQUARES];
                codes.push(match self.events {
                    true if rng.random_range(0..2048) < u32::from(bright) => rng.random_range(1..8) * 32,
                    true => 0,
                    false => bright / 2 + rng.random_range(0..128),
                });
            }
        }
        let class_names = Default::default();
        let (pixels, classes) = (Pixels::Held(codes), self.classes);
        Dataset { frames, channels, height, width, classes, class_names, pixels, labels }
    }

    /// The network behind one epoch.
    fn trained(
        &self,
        data: &Dataset,
        width: f64,
    ) -> Result<Network, Box<dyn std::error::Error + Send + Sync>> {
        let (input, classes, time_steps) = (data.input()?, self.classes, self.time_steps);
        let graph = preset(self.name, &Target { input, classes, time_steps, width })?;
        let config = TrainConfig {
            epochs: 1,
            batch_size: 16,
            rate: 0.02,
            rule: Rule::RandomBp,
            augment: Augment::default(),
            ..settings(self.name)
        };
        let task = Task { network: &graph, train: data, test: None, config: &config, checkpoint: None };
        Ok(train(task, &mut ())?.to_network())
    }
}

/// An array of `size` rows and columns with more memory than any network needs.
fn ample(size: usize) -> ArchConfig {
    let arch = ArchConfig::sized(size, size, 8);
    arch.with_depths(|memory| match memory {
        Memory::Accumulator | Memory::Current => memory.depth(&arch),
        _ => AMPLE,
    })
}

fn print_memory(used: &MemoryUse, arch: &ArchConfig) {
    let words = Memory::ALL.map(|memory| format!("{} {}", memory.name(), used.of(memory)));
    println!("  words of each memory, {} lanes: {}", arch.lanes, words.join(", "));
}

/// Prints the cycles of each layer, and the share of its additions that are a weight times an activation.
fn print_cost(Cost { layers, total, .. }: &Cost) {
    println!("  {:24}  {:>9}  {:>10}  {:>7}", "layer", "unit", "cycles", "in use");
    let row = |name: &str, unit: &str, work: &Work| {
        println!("  {name:24}  {unit:>9}  {:10}  {:5.1} %", work.cycles, 100.0 * work.utilisation);
    };
    layers.iter().for_each(|layer| row(&layer.node, layer.unit, &layer.work));
    row("all", "", total);
}

/// Prints of each tensor the shares of zeros and of numbers that are cut at the ends of their formats. One value must not
/// hide the others: a tensor that has it almost everywhere is an error, as its mistakes would hardly be seen.
fn print_shares(network: &QuantNetwork, inputs: &[Vec<u8>]) -> crate::error::Result {
    let mut golden = GoldenEngine::new(network);
    let mut counts: BTreeMap<String, BTreeMap<i32, usize>> = BTreeMap::new();
    let mut cut = Vec::new();
    for input in inputs {
        let trace = golden.run(input)?;
        cut = saturation::sum(cut, saturation::of_trace(network, &trace)?);
        for (node, tensor) in trace.tensors {
            let counts = counts.entry(node).or_default();
            tensor.iter().for_each(|value| *counts.entry(*value).or_default() += 1);
        }
    }
    println!("  {:24}  {:>7}  {:>7}  {:>7}", "tensor", "zeros", "cut", "of one");
    let mut even = Vec::new();
    for node in &network.nodes {
        let Some(counts) = counts.get(&node.name) else { continue };
        let all: usize = counts.values().sum();
        let share = |count: usize| 100.0 * count as f64 / all as f64;
        let zeros = share(counts.get(&0).copied().unwrap_or(0));
        let most = share(counts.values().copied().max().unwrap_or(0));
        let numbers = cut.iter().filter(|cut| cut.node == node.name && cut.number != Number::Potential);
        let cut = numbers.map(|cut| format!("{:.2} %", 100.0 * cut.share())).next().unwrap_or_default();
        println!("  {:24}  {zeros:5.1} %  {cut:>7}  {most:5.1} %", node.name);
        if most > 100.0 * MOST {
            even.push(node.name.as_str());
        }
    }
    match even.is_empty() {
        true => Ok(()),
        false => Err(format!("almost all values are equal in {}", even.join(", ")).into()),
    }
}
