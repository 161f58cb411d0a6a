//! The drain at its ports: what it reads of full banks, writes of a layer, and sends of a classifier.

use super::*;
use crate::bench_support::{NeuronModel, Pending, ShortcutModel, described, launch, noise, signed};
use empf_ir::isa::SHORTCUT_SUMS;
use proptest::prelude::*;
use std::collections::BTreeMap;

described!(Drain);

/// Cycles within which a layer ends.
const PATIENCE: usize = 20_000;

/// A layer, and what stands behind the drain's ports.
struct Layer {
    arch: ArchConfig,
    d: Fields<u32>,
    seed: u64,
}

/// What came out of the ports.
#[derive(Debug, Default, PartialEq)]
struct Seen {
    /// By address and bank.
    written: BTreeMap<(u64, usize), u64>,
    /// Logits; true with the last.
    logits: Vec<(i64, bool)>,
    banks_freed: u64,
}

impl Layer {
    fn parameter(&self, address: u64) -> u64 {
        noise([self.seed, 1, address]) & ((1 << self.arch.parameter_bits()) - 1)
    }

    /// The sum of a lane in bank number `bank` since the start.
    fn sum(&self, bank: u64, group: u64, lane: usize, entry: u64) -> i64 {
        signed(noise([self.seed, bank, group, lane as u64, entry]), self.arch.acc_bits)
    }

    fn groups_of_block(&self) -> u32 {
        (self.arch.cols / self.arch.lanes) as u32
    }

    fn positions(&self, tile: u32) -> u32 {
        if tile + 1 == self.d.tiles { self.d.last_tile_positions } else { self.d.tile_positions }
    }

    /// The code of a row in a shortcut's word.
    fn code(&self, address: u64, row: usize) -> u64 {
        noise([self.seed, 3, address, row as u64]) & ((1 << self.arch.act_bits) - 1)
    }

    /// First parameter of a run.
    fn run_parameters(&self, serial: u32) -> u64 {
        u64::from(self.d.parameter_base) + u64::from(serial) * self.d.group_words(&self.arch) as u64
    }

    fn parameters(&self, serial: u32, lane: usize) -> [u64; PARAMETERS] {
        let first = self.run_parameters(serial) + (lane * PARAMETERS) as u64;
        std::array::from_fn(|i| self.parameter(first + i as u64))
    }

    fn shortcut(&self, serial: u32, lane: usize) -> ShortcutModel {
        let first = self.run_parameters(serial) + (self.arch.lanes * PARAMETERS + lane * OF_SHORTCUT) as u64;
        ShortcutModel {
            mantissa: signed(self.parameter(first), MULTIPLIER_BITS),
            bias: signed(self.parameter(first + 1), self.arch.membrane_bits),
            shift: self.d.shortcut_shift,
        }
    }

    fn neuron(&self, group: u32, step: u32, lane: usize) -> NeuronModel {
        let v = self.arch.membrane_bits;
        let serial = group * self.d.time_steps + step;
        let [mantissa, bias, lambda, theta, offset] = self.parameters(serial, lane);
        NeuronModel {
            mantissa: signed(mantissa, MULTIPLIER_BITS),
            bias: signed(bias, v),
            lambda: signed(lambda, MULTIPLIER_BITS),
            theta: signed(theta, v),
            offset: signed(offset, v),
            requant_shift: self.d.requant_shift,
            spike_shift: self.d.spike_shift,
            shortcut: self.d.has_shortcut().then(|| self.shortcut(serial, lane)),
        }
    }

    /// What the descriptor asks for, position by position.
    fn expected(&self) -> Seen {
        let (d, arch, of_block) = (&self.d, &self.arch, self.groups_of_block());
        let blocks = d.groups.div_ceil(of_block);
        let mut seen = Seen { banks_freed: u64::from(d.tiles * blocks), ..Seen::default() };
        for (tile, group) in (0..d.tiles).flat_map(|tile| (0..d.groups).map(move |group| (tile, group))) {
            let (bank, of_bank) = (u64::from(tile * blocks + group / of_block), u64::from(group % of_block));
            if d.logits == 1 {
                let left = d.classes as usize - group as usize * arch.lanes;
                for lane in 0..arch.lanes.min(left) {
                    let [low, high, ..] = self.parameters(group, lane);
                    let bias = (high << 16 | low & 0xffff) as i32;
                    let logit = (self.sum(bank, of_bank, lane, 0) as i32).wrapping_add(bias);
                    seen.logits.push((logit.into(), seen.logits.len() + 1 == d.classes as usize));
                }
                continue;
            }
            let positions = self.positions(tile);
            for position in 0..positions {
                let mut potentials = vec![0; arch.lanes];
                for step in 0..d.time_steps {
                    let entry = u64::from(step.min(d.frames - 1) * positions + position);
                    let address = d.out_base
                        + step * d.out_frame_step
                        + (tile * d.tile_positions + position) * d.out_blocks
                        + group / arch.banks() as u32;
                    let shortcut =
                        u64::from(address.wrapping_add(d.shortcut_step)) % arch.activation_depth as u64;
                    let act_bank = group as usize % arch.banks();
                    let mut word = 0;
                    for (lane, potential) in potentials.iter_mut().enumerate() {
                        let sum = self.sum(bank, of_bank, lane, entry);
                        let operand = match d.shortcut {
                            SHORTCUT_SUMS => {
                                self.sum(bank, of_bank, lane, entry + u64::from(d.shortcut_entry))
                            }
                            factor => {
                                let code = self.code(shortcut, act_bank * arch.lanes + lane);
                                code as i64 * i64::from(factor)
                            }
                        };
                        let neuron = self.neuron(group, step, lane);
                        let (v, a) = (arch.membrane_bits, arch.act_bits);
                        let (spike, next) = neuron.step(sum, operand, *potential, v, a);
                        *potential = next;
                        word |= (spike as u64) << (lane as u32 * arch.act_bits);
                    }
                    seen.written.insert((address.into(), act_bank), word);
                }
            }
        }
        seen
    }

    /// Runs the unit. Banks become full, and logits are taken, when `seed` says so.
    fn run(&self) -> Seen {
        let mut unit = Bench::new(Drain::new(&self.arch), |unit| &unit.clock);
        unit.reset_i.set(1);
        unit.tick();
        unit.reset_i.set(0);
        launch(&mut unit, &self.d);
        let banks = self.expected().banks_freed;
        let (mut seen, mut full) = (Seen::default(), 0);
        let (mut sums, mut parameters) = (Pending::new(SUM_DELAY), Pending::new(READ_DELAY));
        let mut codes = Pending::new(READ_DELAY);
        for cycle in 0..PATIENCE {
            let chance = noise([self.seed, 2, cycle as u64]);
            let fills = full < banks && full - seen.banks_freed < 2 && chance.is_multiple_of(3);
            unit.block_i.set(fills.into());
            unit.logit_ready_i.set(chance >> 8 & 1);
            unit.settle();
            let read = (unit.drain_o.get() == 1).then(|| {
                assert!(seen.banks_freed < full, "a bank is read that is not full");
                assert_eq!(unit.drain_bank_o.get(), seen.banks_freed % 2);
                (seen.banks_freed, unit.drain_group_o.get(), unit.drain_address_o.get())
            });
            let parameter = (unit.parameter_read_o.get() == 1).then(|| unit.parameter_address_o.get());
            let code = (unit.shortcut_read_o.get() == 1).then(|| unit.port_address_o.get());
            assert!(code.is_none() || unit.write_o.get() == 0, "the port reads and writes in a cycle");
            for bank in (0..self.arch.banks()).filter(|bank| unit.write_o.get() >> bank & 1 == 1) {
                let at = (unit.port_address_o.get(), bank);
                assert!(
                    seen.written.insert(at, unit.write_data_o.get()).is_none(),
                    "{at:?} is written twice"
                );
            }
            if unit.logit_valid_o.get() == 1 && unit.logit_ready_i.get() == 1 && self.d.logits == 1 {
                seen.logits.push((signed(unit.logit_o.get(), LOGIT_BITS), unit.logit_last_o.get() == 1));
            }
            seen.banks_freed += unit.bank_free_o.get();
            full += u64::from(fills);
            if unit.done_o.get() == 1 {
                return seen;
            }
            unit.tick();
            if let Some((bank, group, entry)) = sums.after(read) {
                for (lane, sum) in unit.sum_i.iter().enumerate() {
                    sum.set_signed(self.sum(bank, group, lane, entry));
                }
            }
            if let Some(address) = codes.after(code) {
                for (row, input) in unit.shortcut_code_i.iter().enumerate() {
                    input.set(self.code(address, row));
                }
            }
            if let Some(address) = parameters.after(parameter) {
                unit.parameter_i.set(self.parameter(address));
            }
        }
        panic!("the drain does not end");
    }
}

fn arch(lanes: usize) -> ArchConfig {
    ArchConfig { rows: 8, cols: 8, lanes, act_bits: 5, accumulator_depth: 64, ..ArchConfig::default() }
}

/// A layer of one position whose results are spikes of one group.
fn smallest() -> Fields<u32> {
    Fields {
        frames: 1,
        tiles: 1,
        tile_positions: 1,
        last_tile_positions: 1,
        logits: 0,
        time_steps: 1,
        groups: 1,
        parameter_base: 11,
        requant_shift: 0,
        shortcut: 0,
        shortcut_entry: 0,
        shortcut_shift: 0,
        shortcut_step: 0,
        spike_shift: 0,
        out_base: 0,
        out_tile_step: 0,
        out_frame_step: 0,
        out_blocks: 1,
        classes: 0,
    }
}

/// The memory of potentials has no word too many, and its addresses do not wrap.
#[test]
fn a_tile_may_take_all_entries() {
    let positions = 19;
    let arch = ArchConfig { accumulator_depth: positions as usize, ..arch(4) };
    let d = Fields {
        tile_positions: positions,
        last_tile_positions: positions,
        time_steps: 3,
        out_frame_step: positions,
        ..smallest()
    };
    let layer = Layer { arch, d, seed: 5 };
    assert_eq!(layer.run(), layer.expected());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_spike_is_written_once(
        (lanes, seed) in (prop::sample::select(vec![1usize, 2, 4, 8]), any::<u64>()),
        (frames, more_steps, tiles) in (1u32..4, 0u32..3, 1u32..4),
        (tile_positions, last, groups) in (1u32..6, 1u32..6, 1u32..6),
        (requant_shift, spike_shift) in (0u32..32, 0u32..16),
        (shortcut, shortcut_shift, shortcut_step, shortcut_entry) in (0u32..4, 0u32..32, any::<u32>(), 0u32..32),
    ) {
        let arch = arch(lanes);
        let last_tile_positions = last.min(tile_positions);
        let out_blocks = groups.div_ceil(arch.banks() as u32);
        let d = Fields {
            frames,
            tiles,
            tile_positions,
            last_tile_positions,
            logits: 0,
            time_steps: if frames == 1 { 1 + more_steps } else { frames },
            groups,
            parameter_base: 7,
            requant_shift,
            shortcut,
            shortcut_entry,
            shortcut_shift,
            shortcut_step: shortcut_step % arch.activation_depth as u32,
            spike_shift,
            out_base: 3,
            out_tile_step: tile_positions * out_blocks,
            out_frame_step: ((tiles - 1) * tile_positions + last_tile_positions) * out_blocks,
            out_blocks,
            classes: 0,
        };
        let layer = Layer { arch, d, seed };
        prop_assert_eq!(layer.run(), layer.expected());
    }

    #[test]
    fn every_logit_is_sent_once(
        (lanes, seed, classes) in (prop::sample::select(vec![1usize, 2, 4, 8]), any::<u64>(), 1u32..20),
    ) {
        let d = Fields { logits: 1, groups: classes.div_ceil(lanes as u32), classes, ..smallest() };
        let layer = Layer { arch: arch(lanes), d, seed };
        prop_assert_eq!(layer.run(), layer.expected());
    }
}
