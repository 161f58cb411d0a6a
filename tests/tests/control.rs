//! What the ports promise beyond one inference by itself: `docs/ports.md`.

use empf_ir::Program;
use empf_sim::verilator::{Accelerator, Options, Purpose, Verilator, Waves};
use empf_sim::{Engine, GoldenEngine, Interpreter};
use empf_tests::{Case, Suite, compile};

const CTRL: u8 = 0x00;
const STATUS: u8 = 0x04;
const CYCLES: u8 = 0x08;
const BUILD_ID: u8 = 0x0c;

const START: u32 = 1;
const CONTINUOUS: u32 = 2;

const BUSY: u32 = 1;
const DONE: u32 = 2;
const WRONG_LENGTH: u32 = 4;
const FULL: u32 = 8;

const ALL_BYTES: u8 = 0xf;
/// Cycles within which the header of the schedule is read behind a reset.
const HEADER: u64 = 10;
/// Cycles within which an inference would begin, were one to.
const LONG: u64 = 1000;

/// A small inference whose input fills the input buffer to its last byte.
fn case() -> Case {
    Case::kept("ports").unwrap()
}

/// Accelerator, its program, and inputs with what golden makes of them.
struct Bench {
    suite: Suite,
    program: Program,
    inputs: Vec<Vec<u8>>,
    logits: Vec<Vec<i32>>,
}

impl Bench {
    fn new() -> Self {
        let case = case();
        let (network, program) = compile(&case).unwrap();
        let mut golden = GoldenEngine::new(&network);
        let inputs: Vec<_> = (0..3).map(|index| case.input(index)).collect();
        let logits: Vec<_> = inputs.iter().map(|input| golden.run(input).unwrap().logits).collect();
        assert!(logits[0] != logits[1] && logits[1] != logits[2], "answers must tell inputs apart");
        assert_eq!(program.input_bytes(), case.arch.input_depth);
        Bench { suite: Suite::shared(&case.arch).unwrap(), program, inputs, logits }
    }

    fn engine(&self, stall_seed: u64) -> Verilator<'_> {
        let options = Options { stall_seed, ..Options::default() };
        self.suite.verilog().engine(&self.program, options).unwrap()
    }

    fn cycles(&self) -> u64 {
        Interpreter::new(&self.program).unwrap().predicted_cycles()
    }
}

fn control(engine: &mut Verilator<'_>, value: u32) {
    engine.write_register(CTRL, value, ALL_BYTES).unwrap();
}

#[track_caller]
fn assert_idle(engine: &mut Verilator<'_>) {
    engine.wait(LONG).unwrap();
    assert_eq!(engine.register(STATUS).unwrap() & BUSY, 0, "an inference runs that nobody asked for");
}

#[test]
fn status_follows_an_inference() {
    let bench = Bench::new();
    let mut engine = bench.engine(0);
    assert_eq!(engine.register(STATUS).unwrap(), 0, "after reset");
    engine.send(&bench.inputs[0]).unwrap();
    // The length is compared in the cycle behind the last byte.
    engine.wait(1).unwrap();
    assert_eq!(engine.register(STATUS).unwrap(), FULL, "with an input");
    control(&mut engine, START);
    assert_eq!(engine.register(CTRL).unwrap(), 0, "the start is no longer pending");
    assert_eq!(engine.register(STATUS).unwrap(), BUSY | FULL, "while it runs");
    assert_eq!(engine.receive().unwrap(), bench.logits[0]);
    engine.wait(LONG).unwrap();
    assert_eq!(engine.register(STATUS).unwrap(), DONE, "behind it");
    assert_eq!(engine.register(BUILD_ID).unwrap(), bench.program.build_id);
    control(&mut engine, START);
    assert_eq!(engine.register(STATUS).unwrap(), 0, "done falls with a start");
    assert_eq!(engine.register(CTRL).unwrap(), START, "which is pending");
    engine.reset(1).unwrap();
    assert_eq!(engine.register(CTRL).unwrap(), 0, "reset forgets it");
    engine.wait(HEADER).unwrap();
    assert_eq!(engine.register(BUILD_ID).unwrap(), bench.program.build_id, "the schedule is read again");
}

#[test]
fn the_counter_spans_the_inference() {
    let bench = Bench::new();
    let mut engine = bench.engine(0);
    for (input, logits) in bench.inputs.iter().zip(&bench.logits) {
        let trace = engine.run(input).unwrap();
        assert_eq!(&trace.logits, logits);
        assert_eq!(engine.register(CYCLES).unwrap(), bench.cycles() as u32);
    }
}

/// The counter runs on while nobody takes a logit. Its highest bits would take hours.
#[test]
fn the_counter_counts_every_cycle() {
    let bench = Bench::new();
    let mut engine = bench.engine(0);
    engine.send(&bench.inputs[0]).unwrap();
    control(&mut engine, START);
    let mut elapsed = |cycles: u64| {
        let before = engine.register(CYCLES).unwrap();
        engine.wait(cycles).unwrap();
        engine.register(CYCLES).unwrap() - before
    };
    let of_reading = elapsed(0);
    for bit in 0..20 {
        assert_eq!(elapsed(1 << bit), (1 << bit) + of_reading, "2^{bit} cycles");
    }
    assert_eq!(engine.receive().unwrap(), bench.logits[0]);
}

#[test]
fn every_bit_of_the_build_id_is_read() {
    let bench = Bench::new();
    for build_id in [0, !0] {
        let program = Program { build_id, ..bench.program.clone() };
        let mut engine = bench.suite.verilog().engine(&program, Options::default()).unwrap();
        engine.reset(1).unwrap();
        assert_eq!(engine.register(BUILD_ID).unwrap(), 0, "the schedule has not been read");
        engine.wait(HEADER).unwrap();
        assert_eq!(engine.register(BUILD_ID).unwrap(), build_id);
    }
}

#[test]
fn a_start_while_busy_counts_for_the_next_input() {
    let bench = Bench::new();
    let mut engine = bench.engine(0);
    engine.send(&bench.inputs[0]).unwrap();
    control(&mut engine, START);
    control(&mut engine, START);
    assert_eq!(engine.register(CTRL).unwrap(), START);
    assert_eq!(engine.receive().unwrap(), bench.logits[0]);
    engine.send(&bench.inputs[1]).unwrap();
    assert_eq!(engine.receive().unwrap(), bench.logits[1]);
    assert_idle(&mut engine);
}

#[test]
fn several_pending_starts_are_one() {
    let bench = Bench::new();
    let mut engine = bench.engine(0);
    for _ in 0..3 {
        control(&mut engine, START);
    }
    engine.send(&bench.inputs[0]).unwrap();
    assert_eq!(engine.receive().unwrap(), bench.logits[0]);
    engine.send(&bench.inputs[1]).unwrap();
    assert_idle(&mut engine);
    control(&mut engine, START);
    assert_eq!(engine.receive().unwrap(), bench.logits[1]);
}

#[test]
fn a_start_in_any_cycle_of_an_inference_counts_once() {
    let bench = Bench::new();
    let mut engine = bench.engine(0);
    let all = bench.program.input_bytes() as u64 + bench.cycles() + 20;
    // The start of the first inference is written by then.
    for at in bench.program.input_bytes() as u64 + HEADER..all {
        engine.begin(&bench.inputs[0], at).unwrap();
        control(&mut engine, START);
        engine.send(&bench.inputs[1]).unwrap();
        assert_eq!(engine.receive().unwrap(), bench.logits[1], "a start in cycle {at}");
        engine.wait(20).unwrap();
        assert_eq!(engine.register(CTRL).unwrap(), 0, "a start in cycle {at} counted twice");
        assert_eq!(engine.register(STATUS).unwrap(), DONE, "a start in cycle {at}");
    }
}

#[test]
fn continuous_mode_takes_every_input() {
    let bench = Bench::new();
    let mut engine = bench.engine(0);
    control(&mut engine, CONTINUOUS);
    for (input, logits) in bench.inputs.iter().zip(&bench.logits) {
        engine.send(input).unwrap();
        assert_eq!(&engine.receive().unwrap(), logits);
        assert_eq!(engine.register(CTRL).unwrap(), CONTINUOUS);
    }
    control(&mut engine, 0);
    assert_eq!(engine.register(CTRL).unwrap(), 0);
    engine.send(&bench.inputs[0]).unwrap();
    assert_idle(&mut engine);
    control(&mut engine, CONTINUOUS | START);
    assert_eq!(engine.receive().unwrap(), bench.logits[0], "with a start besides");
    engine.send(&bench.inputs[2]).unwrap();
    assert_eq!(engine.receive().unwrap(), bench.logits[2], "and without");
}

#[test]
fn only_byte_0_of_the_control_register_counts() {
    let bench = Bench::new();
    let mut engine = bench.engine(0);
    engine.send(&bench.inputs[0]).unwrap();
    engine.write_register(CTRL, START | CONTINUOUS, 0xe).unwrap();
    engine.write_register(CTRL, START | CONTINUOUS, 0x0).unwrap();
    engine.write_register(CTRL, 0xffff_fffc, ALL_BYTES).unwrap();
    for address in [STATUS, CYCLES, BUILD_ID, 0x10, 0x40, 0x80] {
        engine.write_register(address, START | CONTINUOUS, ALL_BYTES).unwrap();
    }
    assert_eq!(engine.register(CTRL).unwrap(), 0);
    assert_idle(&mut engine);
    engine.write_register(CTRL, START, 0x1).unwrap();
    assert_eq!(engine.receive().unwrap(), bench.logits[0]);
    engine.wait(LONG).unwrap();
    engine.write_register(CTRL, 0, ALL_BYTES).unwrap();
    assert_eq!(engine.register(STATUS).unwrap(), DONE, "a write without a start leaves `done`");
    for address in [0x10, 0x14, 0x40, 0x84, 0xfc] {
        assert_eq!(engine.register(address).unwrap(), 0, "register {address:#x}");
    }
}

#[test]
fn an_input_of_a_wrong_length_is_dropped_and_said() {
    let bench = Bench::new();
    let length = bench.program.input_bytes();
    // The last ones go round the counter of a buffer of this depth once and twice.
    for wrong in [1, length - 1, length + 1, 2 * length, 3 * length, 4 * length, 5 * length, 9 * length] {
        let mut engine = bench.engine(0);
        control(&mut engine, CONTINUOUS);
        engine.send(&vec![7; wrong]).unwrap();
        assert_idle(&mut engine);
        assert_eq!(engine.register(STATUS).unwrap(), WRONG_LENGTH, "{wrong} bytes");
        engine.send(&bench.inputs[0]).unwrap();
        assert_eq!(engine.receive().unwrap(), bench.logits[0], "behind {wrong} bytes");
        engine.wait(LONG).unwrap();
        assert_eq!(engine.register(STATUS).unwrap(), WRONG_LENGTH | DONE, "it stays");
        engine.reset(1).unwrap();
        assert_eq!(engine.register(STATUS).unwrap(), 0, "until reset");
    }
}

#[test]
fn waves_need_an_accelerator_built_for_them() {
    let bench = Bench::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.fst");
    let options = Options { waves: Some(Waves::whole(&path)), ..Options::default() };
    let error = bench.suite.verilog().engine(&bench.program, options).err().expect("no waves");
    assert!(error.to_string().contains("built without waves"), "{error}");
    assert!(!path.exists());
}

#[test]
fn gaps_and_stalls_change_nothing_but_the_time() {
    let bench = Bench::new();
    for seed in 1..=20 {
        let mut engine = bench.engine(seed);
        for (input, logits) in bench.inputs.iter().zip(&bench.logits) {
            assert_eq!(&engine.run(input).unwrap().logits, logits, "stalls of seed {seed}");
        }
    }
}

/// Verilog whose ports break a rule once its number is written to address 0x80, where there is no register.
fn with_planted_faults(verilog: &str) -> String {
    let faults = [
        ("m_axis_tvalid", 1, "(kept & ~(planted == 1 & odd)) | (planted == 2 & ~aresetn)"),
        ("m_axis_tdata", 32, "kept ^ {31'd0, planted == 3 & odd}"),
        ("m_axis_tlast", 1, "kept ^ (planted == 4 & odd) ^ (planted == 5)"),
        ("s_axil_bvalid", 1, "kept & ~(planted == 6 & odd)"),
        ("s_axil_bresp", 2, "kept ^ {1'b0, planted == 7 & odd}"),
        ("s_axil_rvalid", 1, "kept & ~(planted == 8 & odd)"),
        ("s_axil_rdata", 32, "kept ^ {31'd0, planted == 9 & odd}"),
        ("s_axil_rresp", 2, "kept ^ {1'b0, planted == 10 & odd}"),
        ("s_axil_awready", 1, "kept ^ (planted == 11)"),
        ("s_axil_wready", 1, "kept ^ (planted == 12)"),
        ("s_axil_arready", 1, "kept ^ (planted == 13)"),
    ];
    let start = verilog.find("module empf_top").unwrap();
    let end = start + verilog[start..].find("endmodule").unwrap();
    let mut top = verilog[start..end].to_owned();
    for (port, bits, fault) in faults {
        let connection = format!("({port})");
        assert_eq!(top.matches(&connection).count(), 1, "{port} comes from one unit");
        top = top.replace(&connection, &format!("(kept_{port})"));
        let value = fault.replace("kept", &format!("kept_{port}"));
        top += &format!("    wire [{}:0] kept_{port};\n    assign {port} = {value};\n", bits - 1);
    }
    top += "    reg [7:0] planted = 0;
    reg odd = 0;
    always @(posedge aclk) begin
        odd <= ~odd;
        if (s_axil_awvalid & s_axil_wvalid & s_axil_awaddr == 8'h80) planted <= s_axil_wdata[7:0];
    end
";
    format!("{}{top}{}", &verilog[..start], &verilog[end..])
}

#[test]
fn broken_rules_of_axi_are_caught() {
    let bench = Bench::new();
    let verilog = with_planted_faults(bench.suite.text());
    let accelerator = Accelerator::build(&verilog, &bench.program.arch, Purpose::Check).unwrap();
    let run = |fault: u32, stall_seed: u64| {
        let options = Options { stall_seed, ..Options::default() };
        let mut engine = accelerator.engine(&bench.program, options).unwrap();
        engine.write_register(0x80, fault, ALL_BYTES)?;
        engine.reset(2)?;
        engine.run(&bench.inputs[0]).map(|trace| trace.logits)
    };
    let messages = [
        "an offered logit was withdrawn or changed",
        "something was offered during reset",
        "an offered logit was withdrawn or changed",
        "an offered logit was withdrawn or changed",
        "m_axis_tlast was not with the last logit",
        "the answer to a write was withdrawn or changed",
        "the answer to a write was withdrawn or changed",
        "the answer to a read was withdrawn or changed",
        "the answer to a read was withdrawn or changed",
        "the answer to a read was withdrawn or changed",
        "the control port was not ready",
        "the control port was not ready",
        "the control port was not ready",
    ];
    for seed in 1..=20 {
        assert_eq!(run(0, seed).unwrap(), bench.logits[0], "nothing is planted");
    }
    for (fault, message) in (1..).zip(messages) {
        let caught = (1..=20).any(|seed| run(fault, seed).is_err_and(|e| e.to_string().contains(message)));
        assert!(caught, "fault {fault} was not caught as: {message}");
    }
}
