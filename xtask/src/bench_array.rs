//! `cargo xtask bench-array`: the emitted array against hand-written Verilog, cycles a second of processor time in
//! Verilator.

use empf_hw::array::Array;
use empf_hw::emit::{Ports, verilog};
use empf_ir::ArchConfig;
use empf_sim::verilator::{Model, Port};
use rand::prelude::*;
use rand_pcg::Pcg64Mcg;

/// Least ratio of the cycles a second at 32x32 with a weight tile every `rows` cycles.
const WANTED_RATIO: f64 = 1.5;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Rows and columns of the arrays, such as 32x32; several are separated by commas
    #[arg(long, default_value = "16x16,32x32", value_delimiter = ',')]
    arrays: Vec<String>,
    /// Bits of a spike
    #[arg(long, default_value_t = 8)]
    act_bits: u32,
    /// Streams of a weight tile, in multiples of the rows; 1 is the shortest that the array can hide loading behind
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    tile_rows: u16,
    /// Cycles of a repetition
    #[arg(long, default_value_t = 100_000)]
    cycles: u32,
    /// Repetitions of each array, taken in turn
    #[arg(long, default_value_t = 9)]
    repetitions: usize,
}

pub(crate) fn run(args: &Args) -> crate::error::Result {
    for name in &args.arrays {
        let size = |text: &str| text.parse::<usize>();
        let (rows, cols) =
            name.split_once('x').ok_or_else(|| format!("`{name}` is not of the form 32x32"))?;
        let arch = ArchConfig::sized(size(rows)?, size(cols)?, args.act_bits);
        arch.validate()?;
        bench(&arch, args)?;
    }
    Ok(())
}

fn bench(arch: &ArchConfig, args: &Args) -> crate::error::Result {
    let tile = arch.rows * usize::from(args.tile_rows);
    let mut emitted = Driven::emitted(arch, tile)?;
    let mut plain = Driven::plain(arch, tile)?;
    let checked = emitted.check(arch)? + plain.check(arch)?;
    let (mut fast, mut slow) = (vec![], vec![]);
    for _ in 0..args.repetitions.max(1) {
        fast.push(emitted.speed(args.cycles)?);
        slow.push(plain.speed(args.cycles)?);
    }
    let (fast, slow) = (median(fast), median(slow));
    let (name, ratio) = (format!("{}x{}", arch.rows, arch.cols), fast / slow);
    println!(
        "{name} A={}, a weight tile every {tile} cycles: emitted {:.0} kcycles/s, hand-written {:.0} kcycles/s, ratio {ratio:.2} (medians of {}); {checked} \
         sums of both are right",
        arch.act_bits,
        fast / 1e3,
        slow / 1e3,
        args.repetitions
    );
    if name == "32x32" && args.tile_rows == 1 && ratio < WANTED_RATIO {
        return Err(format!("the ratio at 32x32 is below {WANTED_RATIO}").into());
    }
    Ok(())
}

/// Time that this thread has run: other programs on the machine do not count.
fn processor_seconds() -> Result<f64, Box<dyn std::error::Error + Send + Sync>> {
    const FILE: &str = "/proc/thread-self/schedstat";
    let text = std::fs::read_to_string(FILE).map_err(|e| format!("cannot read {FILE}: {e}"))?;
    let nanoseconds = text.split(' ').next().and_then(|field| field.parse::<u64>().ok());
    nanoseconds.map(|n| n as f64 / 1e9).ok_or_else(|| format!("{FILE} does not start with a number").into())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// An array behind `drive.v`.
struct Driven {
    model: Model,
    /// Cycles by which a column is behind the one on its left, in halves.
    half_cycles_per_column: usize,
    /// The first weight word ends in the last row.
    reversed: bool,
}

impl Driven {
    fn emitted(arch: &ArchConfig, tile: usize) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let text = verilog("array", &Array::new(arch), Ports::Packed)?;
        Ok(Driven { model: model(arch, &text, tile)?, half_cycles_per_column: 1, reversed: false })
    }

    fn plain(arch: &ArchConfig, tile: usize) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let text = include_str!("bench_array/plain.v");
        Ok(Driven { model: model(arch, text, tile)?, half_cycles_per_column: 2, reversed: true })
    }

    /// Cycles a second of processor time, with inputs from within the Verilog.
    fn speed(&mut self, cycles: u32) -> Result<f64, Box<dyn std::error::Error + Send + Sync>> {
        self.model.set("run_i", 1)?;
        let start = processor_seconds()?;
        for _ in 0..cycles {
            self.model.tick();
        }
        Ok(f64::from(cycles) / (processor_seconds()? - start))
    }

    /// Loads one tile, streams vectors through it and holds every sum to its dot product; returns their number.
    fn check(&mut self, arch: &ArchConfig) -> Result<usize, Box<dyn std::error::Error + Send + Sync>> {
        const VECTORS: usize = 100;
        let (rows, cols, bits) = (arch.rows, arch.cols, arch.act_bits as usize);
        let mut rng = Pcg64Mcg::seed_from_u64(1);
        let weights: Vec<u64> = (0..rows).map(|_| rng.random::<u64>() >> (64 - cols)).collect();
        let vectors: Vec<Vec<u64>> =
            (0..VECTORS).map(|_| (0..rows).map(|_| rng.random::<u64>() >> (64 - bits)).collect()).collect();
        for cycle in 0..2 * rows {
            let word = if self.reversed { rows.checked_sub(cycle + 1) } else { Some(cycle) };
            self.model.set("load_i", u64::from(cycle == 0))?;
            self.model
                .set("weight_i", word.and_then(|word| weights.get(word)).copied().unwrap_or_default())?;
            self.model.tick();
        }
        let latest = (cols - 1) * self.half_cycles_per_column / 2;
        let mut checked = 0;
        for cycle in 0..VECTORS + rows + latest {
            let code = |row: usize| {
                let vector = cycle.checked_sub(row).and_then(|vector| vectors.get(vector));
                vector.map_or(0, |vector| vector[row])
            };
            self.model.set_words("act_i", &pack((0..rows).map(code), bits))?;
            self.model.tick();
            let sums = self.model.get_words("sum_o")?;
            let inverted = self.model.get("invert_o")?;
            for column in 0..cols {
                let latency = rows + column * self.half_cycles_per_column / 2;
                let Some(vector) = cycle.checked_sub(latency).and_then(|v| vectors.get(v)) else { continue };
                let sum = signed_field(&sums, column, arch.sum_bits() as usize);
                let sum = if inverted >> column & 1 == 1 { !sum } else { sum };
                let product = |row: usize| {
                    if weights[row] >> column & 1 == 1 { vector[row] as i64 } else { -(vector[row] as i64) }
                };
                let expected: i64 = (0..rows).map(product).sum();
                if sum != expected {
                    return Err(format!("column {column} gives {sum}, expected {expected}").into());
                }
                checked += 1;
            }
        }
        Ok(checked)
    }
}

/// `array` is the text of a module `array`; while it runs by itself, a weight tile takes `tile` cycles.
fn model(arch: &ArchConfig, array: &str, tile: usize) -> empf_sim::Result<Model> {
    let (rows, cols) = (arch.rows, arch.cols);
    let (act, sum) = (arch.act_bits as usize, arch.sum_bits() as usize);
    let sizes = [("ROWS", rows), ("COLS", cols), ("ACT", act), ("SUM", sum), ("TILE", tile)];
    let defines: String = sizes.iter().map(|(name, value)| format!("`define {name} {value}\n")).collect();
    let ports = [
        ("run_i", 1),
        ("load_i", 1),
        ("weight_i", cols),
        ("act_i", rows * act),
        ("sum_o", cols * sum),
        ("invert_o", cols),
    ];
    let ports = ports.map(|(name, width)| Port::new(name, width));
    let text = [&defines, array, include_str!("bench_array/drive.v")].concat();
    Model::new(&text, "drive", "clock", &ports, &[], None)
}

/// Fields of `bits` bits side by side, the first in the low bits.
fn pack(fields: impl Iterator<Item = u64>, bits: usize) -> Vec<u32> {
    let mut words = vec![0];
    for (index, field) in fields.enumerate() {
        for bit in 0..bits {
            let at = index * bits + bit;
            words.resize(words.len().max(at / 32 + 1), 0);
            words[at / 32] |= ((field >> bit & 1) as u32) << (at % 32);
        }
    }
    words
}

/// The `index`-th field of `bits` bits, two's complement.
fn signed_field(words: &[u32], index: usize, bits: usize) -> i64 {
    let bit = |at: usize| i64::from(words[at / 32] >> (at % 32) & 1);
    let value: i64 = (0..bits).map(|i| bit(index * bits + i) << i).sum();
    value - (bit(index * bits + bits - 1) << bits)
}
