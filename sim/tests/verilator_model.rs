//! The machinery around Verilator on a module small enough to be known by heart.

use empf_sim::verilator::{Model, Port};
use std::fmt::Write;

/// Adds to a total and shows a word of a ROM named by a plusarg.
const VERILOG: &str = r#"
module adder (
  input  wire        clk_i,
  input  wire [6:0]  small_i,
  input  wire [69:0] wide_i,
  input  wire        address_i,
  output reg  [39:0] total_o,
  output wire [69:0] wide_o,
  output wire [15:0] word_o
);
  reg [15:0] rom [0:1];
  reg [8*256-1:0] path;
  initial begin
    total_o = 0;
    if ($value$plusargs("rom=%s", path)) $readmemh(path, rom);
  end
  assign wide_o = ~wide_i;
  assign word_o = rom[address_i];
  always @(posedge clk_i) total_o <= total_o + {33'b0, small_i};
endmodule
"#;

fn ports() -> Vec<Port> {
    let ports =
        [("small_i", 7), ("wide_i", 70), ("address_i", 1), ("total_o", 40), ("wide_o", 70), ("word_o", 16)];
    ports.map(|(name, width)| Port::new(name, width)).to_vec()
}

fn model(rom: &[u64], waves: Option<&std::path::Path>) -> (Model, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::new();
    for word in rom {
        writeln!(text, "{word:04x}").unwrap();
    }
    let path = folder.path().join("words.mem");
    std::fs::write(&path, text).unwrap();
    let plusarg = format!("+rom={}", path.display());
    (Model::new(VERILOG, "adder", "clk_i", &ports(), &[plusarg], waves).unwrap(), folder)
}

#[test]
fn ports_of_all_sizes_are_driven_and_read() {
    let (mut model, _folder) = model(&[0x1234, 0xabcd], None);
    model.set("small_i", 0xff).unwrap();
    model.set_words("wide_i", &[0xffff_0000, 0x1, u32::MAX]).unwrap();
    for _ in 0..3 {
        model.tick();
    }
    assert_eq!(model.get("total_o").unwrap(), 3 * 0x7f);
    assert_eq!(model.get_words("wide_o").unwrap(), [0x0000_ffff, 0xffff_fffe, 0]);
    model.set("address_i", 1).unwrap();
    model.settle();
    assert_eq!(model.get("word_o").unwrap(), 0xabcd);
    let error = model.set("total", 1).unwrap_err();
    assert_eq!(error.to_string(), "module `adder` has no port `total`");
}

#[test]
fn instances_are_independent_and_may_move_between_threads() {
    let workers: Vec<_> = (1..5u64)
        .map(|i| {
            let (mut model, folder) = model(&[i, 10 * i], None);
            std::thread::spawn(move || {
                model.set("small_i", i).unwrap();
                for _ in 0..100 {
                    model.tick();
                }
                drop(folder);
                [model.get("word_o").unwrap(), model.get("total_o").unwrap()]
            })
        })
        .collect();
    for (worker, i) in workers.into_iter().zip(1..) {
        assert_eq!(worker.join().unwrap(), [i, 100 * i]);
    }
}

#[test]
fn waves_are_written_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adder.fst");
    let (mut model, _roms) = model(&[0, 0], Some(&path));
    model.tick();
    drop(model);
    // An FST file starts with a header block: type 0, length 329 in 8 bytes.
    assert_eq!(std::fs::read(&path).unwrap()[..9], [0, 0, 0, 0, 0, 0, 0, 1, 73]);
}

#[test]
fn verilog_that_does_not_compile_is_an_error_with_the_tools_text() {
    let error = Model::new("module broken (", "broken", "clk", &[], &[], None).err().unwrap().to_string();
    assert!(error.contains("`verilator` failed") && error.contains("syntax error"), "{error}");
}

#[test]
fn a_port_of_another_width_is_no_model() {
    let ports = [Port::new("small_i", 7), Port::new("total_o", 32)];
    let error = Model::new(VERILOG, "adder", "clk_i", &ports, &[], None).err().unwrap().to_string();
    assert!(error.contains("port total_o is not of 32 bits"), "{error}");
}
