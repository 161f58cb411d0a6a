//! What stands above the Verilog of an accelerator.

use empf_ir::{ArchConfig, Target};

/// Version, licence, synthesis and architecture, as comments.
pub(crate) fn header(arch: &ArchConfig, images: bool) -> String {
    let images = match (images, arch.target) {
        (true, Target::Generic) => IMAGES.to_owned() + SIMULATED_IMAGES,
        (true, Target::Ecp5) => IMAGES.to_owned() + INCLUDED_IMAGES + SIMULATED_IMAGES,
        (false, _) => NO_IMAGES.to_owned(),
    };
    let cells = if arch.target == Target::Ecp5 { ECP5_CELLS } else { "" };
    let text = format!(
        "EM-PF accelerator, written by empf {}. Its top module is {}.\n\
         SPDX-License-Identifier: CC0-1.0\n{LICENSE}\n{SYNTHESIS}{cells}{images}\nThe architecture:\n{arch}",
        env!("CARGO_PKG_VERSION"),
        crate::TOP
    );
    let comment = |line: &str| format!("// {line}").trim_end().to_owned() + "\n";
    text.lines().map(comment).collect::<String>() + "\n"
}

const LICENSE: &str = "\
What empf writes is yours: use, change, build and pass on this file under any terms, or none.
";

const SYNTHESIS: &str = "\
The text is Verilog-2001 and SystemVerilog-2017. Define SYNTHESIS where the tool does not (yosys does): it leaves out
what only simulators need, the plusargs that name images and the models of the target's cells. Verilator finds nothing
else in it: --lint-only -Wall -Wno-DECLFILENAME -Wno-UNUSEDSIGNAL (one file has all modules; of a signal that is taken
apart, not every part is used).
";

const ECP5_CELLS: &str = "\
Synthesis sees cells of the ECP5: CCU2C in adders, MULT18X18D and DP16KD with their registers. In yosys, synth_ecp5
knows them; other scripts first run
    read_verilog -lib +/ecp5/cells_sim.v +/ecp5/cells_bb.v
";

const IMAGES: &str = "\
The ROMs are read from the files that the top's parameters name, in the folder MEM_PATH, which ends in a slash and is
at first the one that the tool runs in. There, yosys makes a netlist:
    yosys -p 'read_verilog accel.v; synth_ecp5 -top empf_top -json accel.json'
With other values of the parameters, it needs read_verilog -defer.
";

const INCLUDED_IMAGES: &str = "\
Those in block RAM are included instead: weights.vh, parameters.vh and schedule.vh, beside this file.
";

const SIMULATED_IMAGES: &str = "\
A simulator takes +weights=FILE, +parameters=FILE and +schedule=FILE as well.
";

const NO_IMAGES: &str = "\
FOR LINT ONLY: no parameter of the top names an image, so that the ROMs are empty and synthesis deletes most of the
design. What `empf compile` writes has the same modules with the images of a network.
";
