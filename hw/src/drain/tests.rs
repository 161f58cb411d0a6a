//! The drain at its ports: what it reads of full banks, writes of a layer, and sends of a classifier.

use super::*;
use crate::bench_support::{NeuronModel, Pending, ShortcutModel, described, launch, noise, rounded, signed};
use empf_ir::formats::SCORE_BITS;
use empf_ir::isa::{SHORTCUT_SUMS, score_index, side};
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
        if self.is_mantissa_without_channel(address) {
            return 0;
        }
        noise([self.seed, 1, address]) & ((1 << self.arch.parameter_bits()) - 1)
    }

    /// A mantissa of attention for a lane that has no channel, which is 0: no score is defined for it.
    fn is_mantissa_without_channel(&self, address: u64) -> bool {
        let Some(offset) = address.checked_sub(self.d.parameter_base.into()) else { return false };
        let of_run = self.d.group_words(&self.arch) as u64;
        let (run, word) = (offset / of_run, (offset % of_run) as usize);
        let lane = word / PARAMETERS;
        let channel = run / u64::from(self.d.time_steps) * self.arch.lanes as u64 + lane as u64;
        let is_mantissa = lane < self.arch.lanes && word.is_multiple_of(PARAMETERS);
        self.d.scales_currents() && is_mantissa && channel >= u64::from(self.d.channels)
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

    /// The factor of a channel with attention, made of its mantissa and the sums in `state`.
    fn factor(&self, step: u32, channel: u32, mantissa: i64, state: &State) -> i64 {
        let sign = |c: i64| {
            let exists = (0..i64::from(self.d.channels)).contains(&c);
            exists.then(|| state.sums.get(&(step, c as u32)).is_none_or(|sum| *sum >= 0))
        };
        let (own, reach) = (i64::from(channel), i64::from(self.d.score_reach));
        let left: Vec<bool> = (1..=reach).map_while(|distance| sign(own - distance)).collect();
        let right: Vec<bool> = (1..=reach).map_while(|distance| sign(own + distance)).collect();
        let own_sign = state.sums.get(&(step, channel)).is_none_or(|sum| *sum >= 0);
        let word = score_index(side(left.into_iter()), own_sign, side(right.into_iter()));
        let score = self.parameter(u64::from(self.d.score_base) + word as u64) & ((1 << SCORE_BITS) - 1);
        rounded(score as i64 * mantissa, SCORE_BITS)
    }

    /// The runs in the order of the loops: tile, group, step.
    fn runs(&self) -> impl Iterator<Item = [u32; 3]> + use<> {
        let Fields { tiles, groups, time_steps, .. } = self.d;
        let of_tile = move |tile| (0..groups).flat_map(move |g| (0..time_steps).map(move |t| [tile, g, t]));
        (0..tiles).flat_map(of_tile)
    }

    /// What the descriptor asks for, behind what other layers have left in `state`.
    fn expected(&self, state: &mut State) -> Seen {
        let (d, arch, of_block) = (&self.d, &self.arch, self.groups_of_block());
        let blocks = d.groups.div_ceil(of_block);
        let banks_freed = if d.takes_banks() { u64::from(d.tiles * blocks) } else { 0 };
        let mut seen = Seen { banks_freed, ..Seen::default() };
        let (mut current_word, mut potential_word) = (0, 0);
        for [tile, group, step] in self.runs() {
            let (bank, of_bank) = (u64::from(tile * blocks + group / of_block), u64::from(group % of_block));
            if d.logits == 1 {
                let left = d.classes as usize - group as usize * arch.lanes;
                for lane in 0..arch.lanes.min(left) {
                    let [low, high, ..] = self.parameters(group, lane);
                    let bias = (high << 16 | low & 0xffff) as i32;
                    let sums =
                        (0..self.positions(tile)).map(|e| self.sum(bank, of_bank, lane, e.into()) as i32);
                    let logit = sums.fold(bias, i32::wrapping_add);
                    seen.logits.push((logit.into(), seen.logits.len() + 1 == d.classes as usize));
                }
                continue;
            }
            let positions = self.positions(tile);
            let mut totals = vec![0; arch.lanes];
            for position in 0..positions {
                let entry = u64::from(step.min(d.frames - 1) * positions + position);
                let address = d.out_base
                    + step * d.out_frame_step
                    + (tile * d.tile_positions + position) * d.out_blocks
                    + group / arch.banks() as u32;
                let shortcut =
                    u64::from(address.wrapping_add(d.shortcut_step)) % arch.activation_depth as u64;
                let act_bank = group as usize % arch.banks();
                let mut word = 0;
                for (lane, total) in totals.iter_mut().enumerate() {
                    let channel = group * arch.lanes as u32 + lane as u32;
                    let mut neuron = self.neuron(group, step, lane);
                    let mut sum = self.sum(bank, of_bank, lane, entry);
                    if d.scales_currents() {
                        neuron.mantissa = self.factor(step, channel, neuron.mantissa, state);
                        sum = state.currents[&(current_word, lane)];
                    }
                    let operand = match d.shortcut {
                        SHORTCUT_SUMS => self.sum(bank, of_bank, lane, entry + u64::from(d.shortcut_entry)),
                        factor => {
                            let code = self.code(shortcut, act_bank * arch.lanes + lane);
                            code as i64 * i64::from(factor)
                        }
                    };
                    let (v, a) = (arch.membrane_bits, arch.act_bits);
                    if d.keeps_currents() {
                        let current = neuron.current(sum, operand, v);
                        state.currents.insert((current_word, lane), current);
                        *total += current;
                        continue;
                    }
                    let place = if d.potentials_follow == 1 { potential_word } else { position as usize };
                    let potential = state.potentials.entry((place, lane)).or_insert(0);
                    let before = if d.fresh == 1 && step == 0 { 0 } else { *potential };
                    let (spike, next) = neuron.step(sum, operand, before, v, a);
                    *potential = next;
                    word |= (spike as u64) << (lane as u32 * arch.act_bits);
                }
                (current_word, potential_word) = (current_word + 1, potential_word + 1);
                if !d.keeps_currents() {
                    seen.written.insert((address.into(), act_bank), word);
                }
            }
            for (lane, total) in totals.into_iter().enumerate().filter(|_| d.keeps_currents()) {
                let sum = state.sums.entry((step, group * arch.lanes as u32 + lane as u32)).or_insert(0);
                *sum = if tile == 0 { total } else { *sum + total };
            }
        }
        seen
    }

    /// Runs the unit, which may have run other layers. Banks become full, and logits are taken, when `seed` says so.
    fn run(&self, unit: &mut Bench<Drain>) -> Seen {
        launch(unit, &self.d);
        let blocks = self.d.groups.div_ceil(self.groups_of_block());
        let banks = if self.d.takes_banks() { u64::from(self.d.tiles * blocks) } else { 0 };
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

/// What layers leave in the unit.
#[derive(Default)]
struct State {
    /// By word and lane.
    currents: BTreeMap<(usize, usize), i64>,
    /// By step and channel.
    sums: BTreeMap<(u32, u32), i64>,
    /// By word and lane.
    potentials: BTreeMap<(usize, usize), i64>,
}

/// The unit, behind a reset.
fn drain(arch: &ArchConfig) -> Bench<Drain> {
    let mut unit = Bench::new(Drain::new(arch), |unit| &unit.clock);
    unit.reset_i.set(1);
    unit.tick();
    unit.reset_i.set(0);
    unit
}

/// Runs `layers` one behind the other.
fn check(arch: &ArchConfig, layers: impl IntoIterator<Item = (Fields<u32>, u64)>) {
    let (mut unit, mut state) = (drain(arch), State::default());
    for (at, (d, seed)) in layers.into_iter().enumerate() {
        let layer = Layer { arch: arch.clone(), d, seed };
        assert_eq!(layer.run(&mut unit), layer.expected(&mut state), "layer {at}");
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
        fresh: 1,
        ..Fields::default()
    }
}

/// The memory of potentials has no word too many, and its addresses do not wrap.
#[test]
fn a_tile_may_take_all_entries() {
    let positions = 19;
    let arch = ArchConfig { accumulator_depth: positions as usize, potential_depth: 16, ..arch(4) };
    let d = Fields {
        tile_positions: positions,
        last_tile_positions: positions,
        time_steps: 3,
        out_frame_step: positions,
        ..smallest()
    };
    check(&arch, [(d, 5)]);
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
            fresh: 1,
            ..Fields::default()
        };
        check(&arch, [(d, seed)]);
    }

    /// Records that keep currents and scale them: of all steps together, or frame by frame.
    #[test]
    fn currents_are_kept_and_scaled(
        (lanes, seed, frame_by_frame) in (prop::sample::select(vec![1usize, 2, 4, 8]), any::<u64>(), any::<bool>()),
        (time_steps, tiles, tile_positions, last) in (1u32..4, 1u32..4, 1u32..6, 1u32..6),
        (missing, groups, score_reach) in (0usize..8, 1u32..6, 1u32..=3),
        (inner, outer, requant_shift, shortcut_entry) in (0u32..4, 0u32..4, 26u32..30, 0u32..32),
    ) {
        let arch = arch(lanes);
        let last_tile_positions = last.min(tile_positions);
        let out_blocks = groups.div_ceil(arch.banks() as u32);
        let of_record = if frame_by_frame { 1 } else { time_steps };
        let both = Fields {
            frames: of_record,
            tiles,
            tile_positions,
            last_tile_positions,
            time_steps: of_record,
            groups,
            parameter_base: 7,
            // Currents and spikes of all sizes, few of which saturate: a current tells of its sum, a spike of its score.
            spike_shift: 11,
            out_base: 3,
            out_tile_step: tile_positions * out_blocks,
            out_frame_step: ((tiles - 1) * tile_positions + last_tile_positions) * out_blocks,
            out_blocks,
            potentials_follow: frame_by_frame.into(),
            channels: groups * lanes as u32 - (missing % lanes) as u32,
            sum_step: groups * lanes as u32 + 1,
            score_reach,
            score_base: 40,
            ..Fields::default()
        };
        let records = (0..time_steps / of_record).flat_map(|at| {
            let shortcut_shift = |shortcut| if shortcut == SHORTCUT_SUMS { 28 } else { 9 };
            let keeps = Fields {
                attention: ATTENTION_KEEPS,
                requant_shift,
                shortcut: inner,
                shortcut_entry,
                shortcut_shift: shortcut_shift(inner),
                ..both.clone()
            };
            let scales = Fields {
                attention: ATTENTION_SCALES,
                // A current has 12 bits less than a sum.
                requant_shift: requant_shift - 12,
                shortcut: outer,
                shortcut_shift: shortcut_shift(outer),
                fresh: (at == 0).into(),
                ..both.clone()
            };
            [(keeps, seed ^ u64::from(at)), (scales, seed.wrapping_add(u64::from(at)))]
        });
        check(&arch, records);
    }

    #[test]
    fn every_logit_is_sent_once(
        (lanes, seed, classes) in (prop::sample::select(vec![1usize, 2, 4, 8]), any::<u64>(), 1u32..20),
        frames in 1u32..12,
    ) {
        let groups = classes.div_ceil(lanes as u32);
        let d = Fields { logits: 1, groups, classes, last_tile_positions: frames, ..smallest() };
        check(&arch(lanes), [(d, seed)]);
    }
}
