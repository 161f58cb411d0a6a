//! The Verilog of random expressions against RustHDL's simulator.

use crate::tools;
use empf_hw::emit::{Ports, verilog};
use empf_hw::rtl::prelude::*;
use empf_hw::rtl::settle;
use std::fmt::Write;

const INPUT_WIDTHS: [usize; 9] = [1, 1, 3, 4, 7, 8, 8, 13, 64];
const OUTPUTS: usize = 60;
const VECTORS: usize = 40;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() >> 20) as usize % n
    }
    /// A word of `width` bits, often at an end of its range.
    fn word(&mut self, width: usize) -> u64 {
        let ones = u64::MAX >> (64 - width);
        match self.below(6) {
            0 => 0,
            1 => ones,
            2 => 1 << (width - 1),
            _ => self.next() & ones,
        }
    }
}

#[derive(LogicBlock)]
struct Expressions {
    a_i: Vec<Wire<In>>,
    x_o: Vec<Wire<Out>>,
    _rtl: Rtl,
}
rtl_logic!(Expressions);

impl Expressions {
    fn new(random: &mut Random) -> Self {
        let a_i: Vec<Wire<In>> = INPUT_WIDTHS.iter().map(|w| Wire::new(*w)).collect();
        let mut rtl = Rtl::combinational("expressions");
        let mut shared = vec![];
        let x_o = (0..OUTPUTS)
            .map(|_| {
                let width = 1 + random.below(64);
                let value = expression(random, &a_i, &mut shared, width, 3);
                let output = Wire::new(width);
                rtl.assign(&output, value);
                output
            })
            .collect();
        Expressions { a_i, x_o, _rtl: rtl }
    }
}

/// Random expression of `width` bits; a part of an earlier one now and then.
fn expression(
    random: &mut Random,
    inputs: &[Wire<In>],
    shared: &mut Vec<Expr>,
    width: usize,
    depth: usize,
) -> Expr {
    if depth == 0 {
        let input = inputs[random.below(inputs.len())].e();
        return match input.width() {
            w if w > width => input.slice(random.below(w - width + 1), width),
            w if w < width && random.below(2) == 0 => input.zext(width),
            _ if random.below(8) == 0 => lit(random.word(width), width),
            _ => input.sext(width),
        };
    }
    if random.below(6) == 0 {
        let fitting: Vec<&Expr> = shared.iter().filter(|e| e.width() == width).collect();
        if !fitting.is_empty() {
            return fitting[random.below(fitting.len())].clone();
        }
    }
    let mut sub = |random: &mut Random, width: usize| expression(random, inputs, shared, width, depth - 1);
    let any_width = 1 + random.below(20);
    let result = match random.below(20) {
        0 | 1 => sub(random, width) + sub(random, width),
        2 => sub(random, width) - sub(random, width),
        3 => sub(random, width) & sub(random, width),
        4 => sub(random, width) | sub(random, width),
        5 => sub(random, width) ^ sub(random, width),
        6 => !sub(random, width),
        7 if width > 1 => {
            let left = 1 + random.below(width - 1);
            sub(random, left).mul_signed(sub(random, width - left))
        }
        8 if width > 1 => {
            let high = 1 + random.below(width - 1);
            concat([sub(random, high), sub(random, width - high)])
        }
        9 if width < 64 => {
            let wide = (width + any_width).min(64);
            sub(random, wide).slice(random.below(wide - width + 1), width)
        }
        10 => {
            let narrow = 1 + random.below(width);
            sub(random, narrow).sext(width)
        }
        11 => {
            let narrow = 1 + random.below(width);
            sub(random, narrow).zext(width)
        }
        12 => mux(sub(random, 1), sub(random, width), sub(random, width)),
        13 => {
            let choices: Vec<Expr> = (0..3).map(|_| sub(random, width)).collect();
            select(&choices, sub(random, 2))
        }
        14 => match random.below(3) {
            0 => sub(random, width).shl(random.below(width + 2)),
            1 => sub(random, width).shr(random.below(width + 2)),
            _ => sub(random, width).shr_signed(random.below(width + 2)),
        },
        15 => {
            let amount = 1 + random.below(7);
            match random.below(2) {
                0 => sub(random, width).shr_by(sub(random, amount)),
                _ => sub(random, width).shr_signed_by(sub(random, amount)),
            }
        }
        16 if width.is_multiple_of(3) => sub(random, width / 3).repeat(3),
        17 => match random.below(2) {
            0 => sub(random, any_width).any().repeat(width),
            _ => sub(random, any_width).all().zext(width),
        },
        _ => {
            let (a, b) = (sub(random, any_width), sub(random, any_width));
            let bit = match random.below(10) {
                0 => a.eq(b),
                1 => a.ne(b),
                2 => a.lt(b),
                3 => a.le(b),
                4 => a.gt(b),
                5 => a.ge(b),
                6 => a.lt_signed(b),
                7 => a.le_signed(b),
                8 => a.gt_signed(b),
                _ => a.ge_signed(b),
            };
            bit.sext(width)
        }
    };
    shared.push(result.clone());
    result
}

/// A module that applies the vectors of the file `vectors.mem` and prints all outputs after each.
fn test_bench(block: &Expressions) -> String {
    let total: usize = INPUT_WIDTHS.iter().sum();
    let inputs: Vec<String> = (0..INPUT_WIDTHS.len()).rev().map(|n| format!("a_{n}")).collect();
    let mut declarations = String::new();
    let mut ports = vec![];
    let mut displays = String::new();
    for (n, wire) in block.a_i.iter().enumerate() {
        writeln!(declarations, "wire [{}:0] a_{n};", wire.width() - 1).unwrap();
        ports.push(format!(".a_{n}_i(a_{n})"));
    }
    for (n, wire) in block.x_o.iter().enumerate() {
        writeln!(declarations, "wire [{}:0] x_{n};", wire.width() - 1).unwrap();
        ports.push(format!(".x_{n}_o(x_{n})"));
        writeln!(displays, "$display(\"%h\", x_{n});").unwrap();
    }
    format!(
        "`timescale 1ns/1ns
module bench;
reg [{}:0] vectors [0:{}];
integer at;
{declarations}
assign {{{}}} = vectors[at];
expressions dut ({});
initial begin
    $readmemh(\"vectors.mem\", vectors);
    for (at = 0; at < {VECTORS}; at = at + 1) begin
        #1;
        {displays}
    end
    $finish;
end
endmodule
",
        total - 1,
        VECTORS - 1,
        inputs.join(", "),
        ports.join(", ")
    )
}

/// The words of one vector side by side, the first in the low bits.
fn packed(vector: &[u64]) -> String {
    let bits: Vec<bool> = vector
        .iter()
        .zip(INPUT_WIDTHS)
        .flat_map(|(v, width)| (0..width).map(move |i| v >> i & 1 == 1))
        .collect();
    let digit = |four: &[bool]| four.iter().rev().fold(0, |d, bit| d << 1 | u32::from(*bit));
    bits.chunks(4).rev().map(|four| char::from_digit(digit(four), 16).unwrap()).collect()
}

fn values(printed: &str) -> Vec<u64> {
    let is_value = |line: &&str| !line.is_empty() && line.chars().all(|c| c.is_ascii_hexdigit());
    printed.lines().filter(is_value).map(|line| u64::from_str_radix(line, 16).unwrap()).collect()
}

#[test]
fn emitted_expressions_mean_what_the_simulator_computes() {
    for seed in [0x9e37_79b9, 0x85eb_ca6b, 0xc2b2_ae35] {
        let mut random = Random(seed);
        let mut block = Expressions::new(&mut random);
        let inputs: Vec<Vec<u64>> =
            (0..VECTORS).map(|_| INPUT_WIDTHS.iter().map(|w| random.word(*w)).collect()).collect();
        let mut expected = vec![];
        for vector in &inputs {
            for (wire, value) in block.a_i.iter().zip(vector) {
                wire.set(*value);
            }
            settle(&mut block);
            expected.extend(block.x_o.iter().map(Wire::get));
        }

        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("dut.v"), verilog("expressions", &block, Ports::Flat).unwrap())
            .unwrap();
        std::fs::write(folder.path().join("bench.v"), test_bench(&block)).unwrap();
        let image: Vec<String> = inputs.iter().map(|vector| packed(vector)).collect();
        std::fs::write(folder.path().join("vectors.mem"), image.join("\n") + "\n").unwrap();
        // Random comparisons are at times constant, and inputs unused.
        tools::lint(
            folder.path(),
            "expressions",
            &["-Wno-UNSIGNED", "-Wno-UNUSEDSIGNAL", "-Wno-CMPCONST", "-Wno-DECLFILENAME"],
            "dut.v",
        );
        let icarus = values(&tools::icarus(folder.path(), "bench", &["bench.v", "dut.v"]));
        compare("Icarus Verilog", seed, &icarus, &expected);
        let binary = ["--binary", "--timing", "-Wno-fatal", "-O0", "-CFLAGS", "-O0", "--top-module", "bench"];
        tools::run(folder.path(), "verilator", &[&binary[..], &["bench.v", "dut.v"]].concat());
        let verilator = values(&tools::run(folder.path(), folder.path().join("obj_dir/Vbench"), &[]));
        compare("Verilator", seed, &verilator, &expected);
    }
}

#[track_caller]
fn compare(simulator: &str, seed: u64, got: &[u64], expected: &[u64]) {
    assert_eq!(got.len(), expected.len(), "{simulator} printed another number of values");
    for (n, (got, expected)) in got.iter().zip(expected).enumerate() {
        let (vector, output) = (n / OUTPUTS, n % OUTPUTS);
        assert_eq!(got, expected, "{simulator}, seed {seed:#x}, vector {vector}, output {output}");
    }
}
