//! The accelerator: its registers and its Verilog.

use super::*;
use empf_ir::Target;
use empf_ir::isa::{HEADER, OPCODE_END, Record, Unit};

/// Values of a unit's descriptor in its registers.
fn registers(unit: Unit, top: &Accelerator) -> Vec<u64> {
    fn values<R: Record<Wire<Local>>>(registers: &R) -> Vec<u64> {
        registers.values().into_iter().map(|(_, register)| register.get()).collect()
    }
    match unit {
        Unit::Unfold => values(&*top.unfold.descriptor),
        Unit::Stream => values(&*top.stream.descriptor),
        Unit::Drain => values(&*top.drain.descriptor),
        Unit::Pool => values(&*top.pool.descriptor),
    }
}

/// Every field of every descriptor keeps its greatest value, and no bit beyond, on its way from the schedule ROM.
#[test]
fn registers_hold_the_greatest_value_of_every_field() {
    for arch in [ArchConfig::sized(4, 4, 8), ArchConfig::sized(5, 7, 3), ArchConfig::sized(1, 1, 2)] {
        for unit in Unit::ALL {
            let greatest = unit.fields().iter().map(|field| *field.range(&arch).end());
            for beyond in [0, u32::MAX] {
                let fields = unit.fields().iter().zip(greatest.clone()).map(|(field, greatest)| {
                    let outside = !(u32::MAX >> (u32::BITS - field.bits(&arch)));
                    u64::from(greatest | beyond & outside)
                });
                let record = std::iter::once(unit.opcode().into()).chain(fields);
                let schedule: Vec<u64> =
                    [0, 1].into_iter().chain(record).chain([OPCODE_END.into()]).collect();
                let mut top = Accelerator::new(&arch);
                top.load(&[], &[], &schedule);
                let mut bench = Bench::new(top, |top| &top.aclk);
                start_with_a_byte(&mut bench);
                for _ in 0..20 + unit.words() + HEADER.len() {
                    bench.tick();
                }
                let kept = registers(unit, &bench);
                for ((field, greatest), kept) in unit.fields().iter().zip(greatest.clone()).zip(kept) {
                    assert_eq!(kept, u64::from(greatest), "{} of {}", field.name, unit.name());
                }
            }
        }
    }
}

/// Resets, sends an input of one byte and starts.
fn start_with_a_byte(bench: &mut Bench<Accelerator>) {
    bench.tick();
    bench.aresetn.set(1);
    for wire in [&bench.s_axis_tvalid, &bench.s_axis_tlast, &bench.s_axil_awvalid, &bench.s_axil_wvalid] {
        wire.set(1);
    }
    bench.s_axil_wdata.set(1);
    bench.s_axil_wstrb.set(1);
    for _ in 0..8 {
        bench.tick();
    }
}

fn modules(verilog: &str) -> usize {
    verilog.lines().filter(|line| line.starts_with("module ")).count()
}

#[test]
fn one_module_per_kind() {
    let arch = ArchConfig::preset("32x32").expect("a preset");
    let verilog = crate::emit_accelerator(&arch).expect("the accelerator is complete");
    assert!(modules(&verilog) < 50, "{} modules", modules(&verilog));
    assert!(verilog.len() < 1_000_000, "{} bytes", verilog.len());
}

#[test]
fn every_preset_and_adder_is_emitted() {
    for name in ArchConfig::PRESETS {
        for target in [Target::Generic, Target::Ecp5] {
            let arch = ArchConfig { target, ..ArchConfig::preset(name).expect("a preset") };
            let verilog = crate::emit_accelerator(&arch).expect("the accelerator is complete");
            assert!(verilog.contains("module empf_top"));
        }
    }
}
