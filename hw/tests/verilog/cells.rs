//! Multipliers and memories of the ECP5 against the generic ones.
//!
//! What synthesis sees of them runs in Icarus Verilog, with models of the cells that hold against what yosys makes of
//! the generic form.

use crate::tools;
use empf_hw::Multiplier;
use empf_hw::emit::{Form, Ports, design, ecp5_image};
use empf_hw::rtl::{Ram, Rom, SharedRam};
use empf_ir::Target;
use rust_hdl_core::prelude::Block;
use std::fs;
use std::path::Path;

const MODELS: [(&str, &str); 2] =
    [("dp16kd.v", include_str!("cells/dp16kd.v")), ("mult18x18d.v", include_str!("cells/mult18x18d.v"))];

/// Writes the unit in both forms, as modules `gold` and `gate`, and the models of the cells.
fn write_forms(folder: &Path, unit: &dyn Block) {
    for (name, target) in [("gold", Target::Generic), ("gate", Target::Ecp5)] {
        let text = design(name, unit, Ports::Flat, Form { target, images: true }).unwrap();
        let synthesized = format!("`define SYNTHESIS\n{text}`undef SYNTHESIS\n");
        fs::write(folder.join(format!("{name}.v")), if name == "gate" { synthesized } else { text }).unwrap();
    }
    for (name, text) in MODELS {
        fs::write(folder.join(name), text).unwrap();
    }
}

/// Runs `bench` over both forms, the ECP5's out of `gate`, which is one of the two files.
fn simulate(folder: &Path, bench: &str, gate: &str) -> String {
    fs::write(folder.join("bench.v"), bench).unwrap();
    let files = ["bench.v", "gold.v", gate, "dp16kd.v", "mult18x18d.v"];
    tools::icarus(folder, "bench", &files)
}

/// The generic form as yosys maps it to cells, in `mapped.v`; all but memories and multipliers is logic again.
fn map_in_yosys(folder: &Path) {
    let script = "read_verilog gold.v; rename gold gate; synth_ecp5 -top gate;
        read_verilog -overwrite +/ecp5/cells_sim.v; hierarchy -top gate; proc; flatten; opt_clean;
        write_verilog -noattr mapped.v";
    tools::run(folder, "yosys", &["-q", "-p", script]);
}

/// A bench of both forms. `ports` are those besides `clock`, `drive` what every cycle but the first does to inputs.
/// Outputs are compared once `settled` cycles have passed; it prints how many words it compared.
fn bench(
    declarations: &str,
    ports: &str,
    outputs: &[&str],
    drive: &str,
    cycles: usize,
    settled: usize,
) -> String {
    let instance = |form: &str| {
        let own = outputs.iter().fold(ports.to_owned(), |text, output| {
            text.replace(&format!(".{output}()"), &format!(".{output}({form}_{output})"))
        });
        format!("    {form} {form}_unit (.clock(clock), {own});\n")
    };
    let differ: Vec<String> =
        outputs.iter().map(|output| format!("gold_{output} !== gate_{output}")).collect();
    format!(
        "module bench;
    reg clock = 0;
    integer cycle, compared = 0, seed = 1;
{declarations}
{}{}    initial begin
        for (cycle = 0; cycle < {cycles}; cycle = cycle + 1) begin
            {drive}
            #1 clock = 1;
            #1 clock = 0;
            if (cycle >= {settled}) begin
                if ({}) begin
                    $display(\"cycle %0d differs\", cycle);
                    $finish;
                end
                compared = compared + {};
            end
        end
        $display(\"compared %0d\", compared);
        $finish;
    end
endmodule
",
        instance("gold"),
        instance("gate"),
        differ.join(" || "),
        outputs.len(),
    )
}

/// Random words of up to 64 bits.
const RANDOM: &str = "{$random(seed), $random(seed)}";

/// Wires of `width` bits for `output` of each form.
fn shown(outputs: &[&str], width: usize) -> String {
    let each = |output: &&str| format!("    wire [{}:0] gold_{output}, gate_{output};\n", width - 1);
    outputs.iter().map(each).collect()
}

/// A bench that writes every word and reads it at every port, then the same with every bit the other way round, and
/// then reads and writes at random, but no word that is being written.
fn memory_bench(width: usize, depth: usize, is_shared: bool) -> String {
    let outputs: &[&str] = if is_shared { &["read_data_o", "port_data_o"] } else { &["read_data_o"] };
    let declarations = format!(
        "    reg write, read, port_read, settled = 0;
    reg [31:0] address, port;
    reg [{0}:0] data, words [0:{1}];
{2}",
        width - 1,
        depth - 1,
        shown(outputs, width)
    );
    let (write_address, shared) = match is_shared {
        true => ("port_address_i", ".port_read_i(port_read), .port_data_o(), "),
        false => ("write_address_i", ""),
    };
    let bits = usize::BITS - (depth - 1).leading_zeros();
    let ports = format!(
        ".write_i(write), .{write_address}(port[{0}:0]), .write_data_i(data), {shared}.read_i(read), \
         .read_address_i(address[{0}:0]), .read_data_o()",
        bits - 1
    );
    let drive = format!(
        "write = cycle % (2 * {depth}) < {depth} || cycle >= 4 * {depth} && $random(seed);
            read = ~write || cycle >= 4 * {depth};
            port_read = ~write;
            address = cycle >= 4 * {depth} ? $unsigned($random(seed)) % {depth} : cycle % {depth};
            port = cycle >= 4 * {depth} ? $unsigned($random(seed)) % {depth} : cycle % {depth};
            if (address == port) read = read & ~write;
            data = cycle < 2 * {depth} ? {RANDOM} : ~words[port];
            if (write) words[port] = data;"
    );
    bench(&declarations, &ports, outputs, &drive, 6 * depth, depth + 2)
}

/// Bits and words that choose every width of a block, one with several pages, and words that no block has whole.
const SHAPES: [(usize, usize); 9] =
    [(1, 64), (28, 512), (36, 300), (40, 100), (16, 1024), (9, 2000), (7, 4096), (3, 8192), (2, 16_500)];

#[test]
fn memories_are_equal() {
    for (width, depth) in SHAPES {
        for is_shared in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            match is_shared {
                false => write_forms(folder.path(), &Ram::new("ram", width, depth)),
                true => write_forms(folder.path(), &SharedRam::new("ram", width, depth)),
            }
            let output = simulate(folder.path(), &memory_bench(width, depth, is_shared), "gate.v");
            assert!(output.starts_with("compared"), "{width} x {depth}, shared {is_shared}: {output}");
        }
    }
}

fn rom_bench(width: usize, depth: usize) -> String {
    let declarations = format!("    reg read;\n    reg [31:0] address;\n{}", shown(&["data_o"], width));
    let bits = usize::BITS - (depth - 1).leading_zeros();
    let ports = format!(".read_i(read), .address_i(address[{}:0]), .data_o()", bits - 1);
    let drive = format!(
        "read = cycle < {depth} || $random(seed);
            address = cycle < {depth} ? cycle : $unsigned($random(seed)) % {depth};"
    );
    bench(&declarations, &ports, &["data_o"], &drive, 3 * depth, 2)
}

/// A ROM of random words, its image for both forms.
fn write_rom(folder: &Path, width: usize, depth: usize) {
    write_forms(folder, &Rom::new("rom", width, depth, "image", "image.mem"));
    let mut random = 1u64;
    let mut word = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random ^ random >> 32) & (u64::MAX >> (64 - width))
    };
    let words: Vec<u64> = (0..depth).map(|_| word()).collect();
    let lines: String = words.iter().map(|word| format!("{word:x}\n")).collect();
    fs::write(folder.join("image.mem"), lines).unwrap();
    fs::write(folder.join("image.vh"), ecp5_image(width, depth, &words).unwrap()).unwrap();
}

#[test]
fn roms_hold_their_images() {
    for (width, depth) in SHAPES {
        let folder = tempfile::tempdir().unwrap();
        write_rom(folder.path(), width, depth);
        let output = simulate(folder.path(), &rom_bench(width, depth), "gate.v");
        assert!(output.starts_with("compared"), "{width} x {depth}: {output}");
    }
}

#[test]
fn the_model_of_the_block_is_that_of_yosys() {
    for (width, depth) in [(36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16_384)] {
        let folder = tempfile::tempdir().unwrap();
        write_rom(folder.path(), width, depth);
        map_in_yosys(folder.path());
        let output = simulate(folder.path(), &rom_bench(width, depth), "mapped.v");
        assert!(output.starts_with("compared"), "{width} x {depth}: {output}");
    }
}

/// Every pair of factors, or many with the extremes among them, one a cycle.
fn product_bench(a: usize, b: usize) -> String {
    let declarations =
        format!("    reg [{}:0] a;\n    reg [{}:0] b;\n{}", a - 1, b - 1, shown(&["product_o"], a + b));
    let all = if a + b <= 16 { 1 << (a + b) } else { 4096 };
    let drive = match a + b <= 16 {
        true => "{a, b} = cycle;".to_owned(),
        false => format!(
            "a = cycle % 4 == 0 ? {{1'b1, {0}'d0}} : cycle % 4 == 1 ? ~{{1'b1, {0}'d0}} : $random(seed);
            b = cycle % 7 == 0 ? {{1'b1, {1}'d0}} : cycle % 7 == 1 ? ~{{1'b1, {1}'d0}} : $random(seed);",
            a - 1,
            b - 1
        ),
    };
    bench(&declarations, ".a_i(a), .b_i(b), .product_o()", &["product_o"], &drive, all + 3, 3)
}

#[test]
fn products_are_equal() {
    for (a, b) in [(2, 2), (8, 8), (3, 12), (18, 18), (17, 16), (5, 18)] {
        let folder = tempfile::tempdir().unwrap();
        write_forms(folder.path(), &Multiplier::new(a, b));
        let output = simulate(folder.path(), &product_bench(a, b), "gate.v");
        assert!(output.starts_with("compared"), "{a} x {b}: {output}");
        map_in_yosys(folder.path());
        let output = simulate(folder.path(), &product_bench(a, b), "mapped.v");
        assert!(output.starts_with("compared"), "{a} x {b}, by yosys: {output}");
    }
}

#[test]
fn other_bodies_are_not_equal() {
    let folder = tempfile::tempdir().unwrap();
    let differs = |right: &str, wrong: &str, bench: &str| {
        let text = fs::read_to_string(folder.path().join("gate.v")).unwrap();
        assert!(text.contains(right), "{right}: {text}");
        fs::write(folder.path().join("wrong.v"), text.replace(right, wrong)).unwrap();
        let output = simulate(folder.path(), bench, "wrong.v");
        assert!(output.ends_with("differs\n"), "{right} -> {wrong}: {output}");
    };
    write_forms(folder.path(), &Ram::new("ram", 9, 16_500));
    let bench = memory_bench(9, 16_500, false);
    for (right, wrong) in [
        ("read_page <= read_latched", "read_page <= read_latched ^ 1'b1"),
        ("REGMODE_B(\"OUTREG\")", "REGMODE_B(\"NOREG\")"),
        ("& (write_address_i[14:14] == 1)", "& (write_address_i[14:14] == 0)"),
    ] {
        differs(right, wrong, &bench);
    }
    write_forms(folder.path(), &Multiplier::new(18, 18));
    for (right, wrong) in
        [(".SIGNEDB(1'b1)", ".SIGNEDB(1'b0)"), ("REG_PIPELINE_CLK(\"CLK0\")", "REG_PIPELINE_CLK(\"NONE\")")]
    {
        differs(right, wrong, &product_bench(18, 18));
    }
}
