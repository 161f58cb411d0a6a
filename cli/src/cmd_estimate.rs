//! `empf estimate`: what a network will cost, before it is trained.

use crate::arch_args::ArchArgs;
use crate::cost_table::CostTable;
use crate::error::{Error, Result, refuse};
use crate::named::{Extent, NamedArgs, TIME_STEPS};
use crate::output::{grouped, percent, print};
use crate::run_folder;
use crate::table::Table;
use empf_compiler::{Estimate, estimate};
use empf_ir::arch::Memory;
use empf_ir::formats::MAX_TIME_STEPS;
use empf_ir::{ArchConfig, Network};
use empf_sim::accesses::{Access, Accesses};
use empf_sim::cost::{Cost, Layer, Work};
use empf_trainer::presets::PRESETS;
use serde::Serialize;
use std::path::Path;

/// Cycles of the clock that frames a second are given for, in MHz.
const CLOCK: f64 = 100.0;

/// Estimate what a network costs on an accelerator
///
/// Cycles of every layer, use of the array, frames a second, the words of every
/// memory and what an inference reads and writes of it, from the graph alone: the
/// network need not be trained, and a name is enough. They are those that
/// `empf compile` gives: the same schedule is counted.
///
/// Accumulators, and currents of channel attention, are as deep as the architecture
/// says, since tiles and the order of frames hang on them. Of the other memories it
/// says what is needed.
///
/// Examples:
///   empf estimate resnet18 --arch 32x32 --act-bits 4
///   empf estimate vgg-snn --input 2x48x48 --events --time-steps 10 --arch my.toml
///   empf estimate runs/fashion/network --rows 8 --cols 8 --clock 25
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Args {
    /// Name of a network as for `empf train`, a folder with a network, or one of a run
    #[arg(value_name = "NAME|RUN|NETWORK")]
    network: String,
    #[command(flatten)]
    named: NamedArgs,
    /// A frame of events for each time-step, where the network is named, instead of an image
    #[arg(long)]
    events: bool,
    /// T of a named network, 1 to 63 [default: 4]
    #[arg(long)]
    time_steps: Option<usize>,
    /// Factor on a named network's channel counts [default: 1]
    #[arg(long)]
    width: Option<f64>,
    #[command(flatten)]
    arch: ArchArgs,
    /// Clock in MHz that frames a second are given for
    #[arg(long, default_value_t = CLOCK, value_name = "MHZ")]
    clock: f64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What is printed.
#[derive(Serialize)]
struct Answer {
    network: String,
    arch: ArchConfig,
    layers: Vec<Layer>,
    total: Work,
    /// Bits that an inference reads and writes of each memory.
    accesses: Accesses,
    memories: Vec<Needed>,
    clock_mhz: f64,
    /// Of inferences, one behind the other.
    frames_per_second: f64,
    /// With the array in use in every cycle.
    most_frames_per_second: f64,
}

/// Words of a memory.
#[derive(Serialize)]
struct Needed {
    memory: &'static str,
    key: &'static str,
    words: usize,
    available: usize,
    bits: u64,
}

/// Estimates and prints.
pub(crate) fn run(args: &Args) -> Result<()> {
    if !(args.clock.is_finite() && args.clock > 0.0) {
        let message = format!("is {}, not a number of MHz above 0", args.clock);
        return Err(Error::Option { option: "clock", message });
    }
    let arch = args.arch.resolve()?;
    let network = args.network()?;
    let answer = Answer::new(&network, &arch, &estimate(&network, &arch)?, args.clock);
    if args.json {
        return print(&serde_json::to_string_pretty(&answer).map_err(|e| Error::file("standard output", e))?);
    }
    print(&answer.text())
}

impl Args {
    fn network(&self) -> Result<Network> {
        if PRESETS.contains(&self.network.as_str()) {
            return self.named.network(&self.network, &self.extent()?);
        }
        let path = Path::new(&self.network);
        if !path.exists() {
            let message =
                format!("is neither a folder nor a named network; there are {}", PRESETS.join(", "));
            return Err(Error::file(path, message));
        }
        let (time_steps, width) = (self.time_steps.is_some(), self.width.is_some());
        let others = [("events", self.events), ("time-steps", time_steps), ("width", width)];
        refuse(
            &[&self.named.given()[..], &others].concat(),
            format!("is for named networks, and {} is a folder", self.network),
        )?;
        Ok(Network::load(&run_folder::network_of(path)?)?)
    }

    /// Steps, frames and width of a named network.
    fn extent(&self) -> Result<Extent> {
        let time_steps = self.time_steps.unwrap_or(TIME_STEPS);
        if !(1..=MAX_TIME_STEPS).contains(&time_steps) {
            let message = format!("is {time_steps}, not 1 to {MAX_TIME_STEPS}");
            return Err(Error::Option { option: "time-steps", message });
        }
        let frames = if self.events { time_steps } else { 1 };
        Ok(Extent { time_steps, frames, width: self.width.unwrap_or(1.0) })
    }
}

impl Answer {
    fn new(network: &Network, arch: &ArchConfig, estimate: &Estimate, clock_mhz: f64) -> Self {
        let Cost { layers, total, accesses } =
            Cost::of_steps(&estimate.steps, &estimate.placements, &estimate.arch);
        let memories = Memory::ALL.into_iter().map(|memory| {
            let words = estimate.memory.of(memory);
            Needed {
                memory: memory.name(),
                key: memory.key(),
                words,
                available: memory.depth(arch),
                bits: words as u64 * u64::from(memory.word_bits(arch)),
            }
        });
        let frames_per_second = clock_mhz * 1e6 / total.cycles as f64;
        Answer {
            network: network.name.clone(),
            arch: arch.clone(),
            layers,
            total,
            accesses,
            memories: memories.collect(),
            clock_mhz,
            frames_per_second,
            most_frames_per_second: frames_per_second / total.utilisation,
        }
    }

    fn text(&self) -> String {
        let mut table = CostTable::new(&self.layers);
        table.row("whole inference", self.total);
        let kbit = |bits: u64| grouped(bits.div_ceil(1024));
        let columns = ["memory", "words", "there are", "kbit", "kbit read", "kbit written"];
        let mut memories = Table::new(&columns);
        for (needed, of) in self.memories.iter().zip(Memory::ALL) {
            let Needed { memory, words, available, bits, .. } = needed;
            let Access { read_bits, written_bits } = self.accesses.of(of);
            let bits = [*bits, read_bits, written_bits].map(kbit);
            let numbers = [grouped(*words), grouped(*available)].into_iter().chain(bits);
            memories.row([(*memory).to_owned()].into_iter().chain(numbers));
        }
        let short: Vec<String> = (self.memories.iter())
            .filter(|needed| needed.words > needed.available)
            .map(|needed| format!("{} = {}", needed.key, needed.words))
            .collect();
        let advice = match short.is_empty() {
            true => String::new(),
            false => {
                format!("\n\nthe architecture has too little memory; it needs at least {}", short.join(", "))
            }
        };
        let bits: u64 = self.memories.iter().map(|needed| needed.bits).sum();
        format!(
            "{table}\n\n{memories}\n\n{:.1} frames/s at {} MHz, {} of the {:.1} that the array could do; {} kbit of memory{advice}",
            self.frames_per_second,
            self.clock_mhz,
            percent(self.total.utilisation),
            self.most_frames_per_second,
            kbit(bits),
        )
    }
}
