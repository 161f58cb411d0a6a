//! The control port: any transfers with any pauses, against a model of its registers.

use super::*;
use crate::bench_support::noise;
use proptest::prelude::*;

/// The registers, as the module's table says.
#[derive(Default)]
struct Model {
    pending: bool,
    continuous: bool,
    done: bool,
}

impl Model {
    fn write(&mut self, address: u64, value: u64, strobe: u64) {
        if address & !3 == 0 && strobe & 1 == 1 {
            self.continuous = value >> 1 & 1 == 1;
            if value & 1 == 1 {
                (self.pending, self.done) = (true, false);
            }
        }
    }

    fn read(&self, address: u64) -> u64 {
        match address & !3 {
            0x00 => u64::from(self.continuous) << 1 | u64::from(self.pending),
            0x04 => 0b1101 ^ u64::from(self.done) << 1,
            0x08 => 1234,
            0x0c => 0xdead_beef,
            _ => 0,
        }
    }
}

fn unit() -> Bench<AxiLite> {
    let mut unit = Bench::new(AxiLite::new(), |unit| &unit.clock);
    unit.reset_i.set(1);
    unit.tick();
    unit.reset_i.set(0);
    for (port, value) in [
        (&unit.busy_i, 1),
        (&unit.error_i, 1),
        (&unit.full_i, 1),
        (&unit.cycles_i, 1234),
        (&unit.build_id_i, 0xdead_beef),
    ] {
        port.set(value);
    }
    unit.settle();
    unit
}

/// One write whose address, data and response wait as `seed` says.
fn write(unit: &mut Bench<AxiLite>, address: u64, value: u64, strobe: u64, seed: u64) {
    let (mut address_waits, mut data_waits) = (true, true);
    for cycle in 0..100 {
        let chance = noise([seed, cycle]);
        unit.awvalid_i.set(u64::from(address_waits) & (unit.awvalid_i.get() | chance));
        unit.wvalid_i.set(u64::from(data_waits) & (unit.wvalid_i.get() | chance >> 1 & 1));
        unit.bready_i.set(chance >> 2 & 1);
        // What is not valid says nothing.
        unit.awaddr_i.set(if unit.awvalid_i.get() == 1 { address } else { 0 });
        unit.wdata_i.set(if unit.wvalid_i.get() == 1 { value } else { 3 });
        unit.wstrb_i.set(if unit.wvalid_i.get() == 1 { strobe } else { 0xf });
        unit.settle();
        address_waits &= unit.awvalid_i.get() & unit.awready_o.get() == 0;
        data_waits &= unit.wvalid_i.get() & unit.wready_o.get() == 0;
        let answered = unit.bvalid_o.get() & unit.bready_i.get() == 1;
        assert_eq!(unit.bresp_o.get(), 0);
        assert!(unit.bvalid_o.get() == 0 || !(address_waits || data_waits), "an answer before the question");
        unit.tick();
        if answered {
            for valid in [&unit.awvalid_i, &unit.wvalid_i, &unit.bready_i] {
                valid.set(0);
            }
            unit.settle();
            return;
        }
    }
    panic!("the write has no answer");
}

fn read(unit: &mut Bench<AxiLite>, address: u64, seed: u64) -> u64 {
    unit.araddr_i.set(address);
    unit.arvalid_i.set(1);
    for cycle in 0..100 {
        unit.rready_i.set(noise([seed, cycle]) & 1);
        unit.settle();
        let taken = unit.arvalid_i.get() & unit.arready_o.get() == 1;
        let answered = unit.rvalid_o.get() & unit.rready_i.get() == 1;
        let value = unit.rdata_o.get();
        assert_eq!(unit.rresp_o.get(), 0);
        unit.tick();
        if taken {
            unit.arvalid_i.set(0);
            unit.araddr_i.set(0x0c);
        }
        if answered {
            unit.rready_i.set(0);
            unit.settle();
            return value;
        }
    }
    panic!("the read has no answer");
}

/// A second write may be offered before the first one's response is taken; it waits for that.
#[test]
fn every_write_has_its_response() {
    let mut unit = unit();
    unit.wstrb_i.set(0xf);
    unit.wdata_i.set(2);
    unit.awvalid_i.set(1);
    unit.wvalid_i.set(1);
    unit.tick();
    unit.wdata_i.set(0);
    let mut offered = true;
    for _ in 0..8 {
        unit.settle();
        let taken = unit.awready_o.get() & unit.wready_o.get() == 1;
        unit.tick();
        if taken {
            offered = false;
            unit.awvalid_i.set(0);
            unit.wvalid_i.set(0);
        }
    }
    assert!(!offered);
    assert_eq!((unit.bvalid_o.get(), unit.start_o.get()), (1, 1), "the first is done, the second waits");
    unit.bready_i.set(1);
    let mut responses = 0;
    for _ in 0..8 {
        unit.settle();
        responses += unit.bvalid_o.get();
        unit.tick();
    }
    assert_eq!((responses, unit.start_o.get()), (2, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn registers_are_as_the_table_says(
        transfers in prop::collection::vec(
            (0usize..4, prop::sample::select(vec![0u64, 1, 4, 8, 12, 16, 64, 128, 252]), any::<u64>()),
            1..30,
        ),
    ) {
        let (mut unit, mut model) = (unit(), Model::default());
        for (kind, address, seed) in transfers {
            match kind {
                0 => {
                    let (value, strobe) = (seed & 0xffff_ffff, seed >> 32 & 0xf);
                    write(&mut unit, address, value, strobe, seed);
                    model.write(address, value, strobe);
                }
                1 => prop_assert_eq!(read(&mut unit, address, seed), model.read(address)),
                2 => {
                    unit.begun_i.set(1);
                    unit.tick();
                    unit.begun_i.set(0);
                    unit.settle();
                    (model.pending, model.done) = (false, false);
                }
                _ => {
                    unit.finished_i.set(1);
                    unit.tick();
                    unit.finished_i.set(0);
                    unit.settle();
                    model.done = true;
                }
            }
            prop_assert_eq!(unit.start_o.get() == 1, model.pending || model.continuous);
            for address in [0x00, 0x04] {
                prop_assert_eq!(read(&mut unit, address, seed), model.read(address));
            }
        }
    }
}
