//! One neuron lane: requantizer and EM-PF unit, one accumulator in, one spike out, every cycle.
//!
//! ```text
//! cycle   0        1    6        9             10   12       15            16      18        19       20              24
//! sum ->  operand  * M  product  shift, round  + B  current  + the one     + leak  membrane  - theta  positive -> ... spike
//!                                                            before it
//!                                                   9: v ->  * lambda  14: product  15: leak    22: v
//! ```
//!
//! Cycles count from the one in which a sum is at the input. The potential of its position is due
//! [`POTENTIAL_NEEDED`] cycles later; spike and new potential follow [`SPIKE_DELAY`] and [`POTENTIAL_DELAY`] cycles after
//! the sum. Parameters are taken from those at the inputs, each in the cycle before the first sum that needs it gets to its
//! place ([`TAKEN`]), so that sums with other parameters may follow without a gap.
//!
//! A shortcut's code or sum may come in the cycle behind a sum. It becomes a current by its own M, B and shift, to which
//! that of the sum is added, and spike and potential are those of both.

use crate::arithmetic::{
    ROUND_SHIFT_DELAY, RoundShift, SATURATION_DELAY, Saturation, clamp, round_shift, saturate,
};
use crate::descriptor::widths;
use crate::product::{PRODUCT_DELAY, Product};
use crate::rtl::prelude::*;
use crate::unit_macro::unit;
use empf_ir::ArchConfig;
use empf_ir::formats::{LEAK_FRACTION_BITS, MULTIPLIER_BITS};
use empf_ir::isa::{Drain, LaneParameters};

/// The cycle in which the product of a sum, chosen among sums and shortcuts, is known.
const MULTIPLIED: usize = 1 + PRODUCT_DELAY;
/// That in which it is scaled.
const SCALED: usize = MULTIPLIED + ROUND_SHIFT_DELAY;
/// That in which its current is known.
const CURRENT: usize = SCALED + 1 + SATURATION_DELAY;
/// That in which the sum with the current before it is known, and the leak with it.
const ADDED: usize = CURRENT + 1 + SATURATION_DELAY;
/// That in which the membrane potential is known.
const MEMBRANE: usize = ADDED + 1 + SATURATION_DELAY;
/// Cycles from a sum, or its shortcut, to the current at the output.
pub(crate) const CURRENT_DELAY: usize = ADDED;
/// Cycles from a sum to the use of its position's last potential.
pub(crate) const POTENTIAL_NEEDED: usize = ADDED - 1 - PRODUCT_DELAY;
/// Cycles from a sum or a code to its places: operands, shift, bias, current.
pub(crate) const PLACES: Places<usize> =
    Places { operand: 0, shift: MULTIPLIED, bias: SCALED - 1, current: CURRENT - 1 };
/// Cycles from a sum to the new potential.
pub(crate) const POTENTIAL_DELAY: usize = MEMBRANE + 4;
/// Cycles from a sum to its spike.
pub(crate) const SPIKE_DELAY: usize = MEMBRANE + 2 + ROUND_SHIFT_DELAY + 1;
/// A value for each place in which a shortcut is treated in another way.
pub(crate) struct Places<T> {
    pub(crate) operand: T,
    pub(crate) shift: T,
    pub(crate) bias: T,
    pub(crate) current: T,
}

/// Cycles from a sum to the first use of each parameter; it is taken in the cycle before. A shortcut's M and B are taken
/// with those of the sum in front of it.
pub(crate) const TAKEN: LaneParameters<usize> = LaneParameters {
    mantissa: 0,
    bias: SCALED - 1,
    lambda: POTENTIAL_NEEDED,
    theta: MEMBRANE,
    offset: MEMBRANE + 2,
};

fn multiplier() -> usize {
    MULTIPLIER_BITS as usize
}

/// Bits of what may take the place of a sum, signed: a shortcut's code, or twice that, and a current that was kept.
pub(crate) fn other_bits(arch: &ArchConfig) -> usize {
    let code = arch.act_bits as usize + 2;
    if arch.has_attention() { code.max(arch.membrane_bits as usize) } else { code }
}

/// Bits of what the requantizer multiplies.
fn operand_bits(arch: &ArchConfig) -> usize {
    other_bits(arch).max(arch.acc_bits as usize)
}

/// Bits of what the requantizer rounds.
fn requant_bits(arch: &ArchConfig) -> usize {
    operand_bits(arch) + multiplier()
}

unit! {
    /// Requantizer and EM-PF neuron (Eq. 3 of the paper, in the integers of `docs/numerics.md`).
    pub(crate) struct NeuronLane(arch: &ArchConfig, v: usize, w: &Drain<usize>) "neuron_lane" {
        /// Accumulator.
        sum_i: Wire<In> = Wire::new(arch.acc_bits as usize),
        /// v of a position before the step; 0 before the first.
        potential_i: Wire<In> = Wire::new(v),
        /// Code of a shortcut, or twice that, or a current that was kept; signed.
        other_i: Wire<In> = Wire::new(other_bits(arch)),
        /// It is multiplied, and no sum.
        other_operand_i: Wire<In> = Wire::new(1),
        /// The shortcut is in this place.
        shortcut_operand_i: Wire<In> = Wire::new(1),
        shortcut_bias_i: Wire<In> = Wire::new(1),
        shortcut_current_i: Wire<In> = Wire::new(1),
        /// M, B, lambda, theta, c of the sums that follow, M and B of the shortcut's codes.
        mantissa_i: Wire<In> = Wire::new(multiplier()),
        bias_i: Wire<In> = Wire::new(v),
        second_mantissa_i: Wire<In> = Wire::new(multiplier()),
        second_bias_i: Wire<In> = Wire::new(v),
        lambda_i: Wire<In> = Wire::new(multiplier()),
        theta_i: Wire<In> = Wire::new(v),
        offset_i: Wire<In> = Wire::new(v),
        /// Take the parameter of this name.
        take_mantissa_i: Wire<In> = Wire::new(1),
        take_bias_i: Wire<In> = Wire::new(1),
        take_lambda_i: Wire<In> = Wire::new(1),
        take_theta_i: Wire<In> = Wire::new(1),
        take_offset_i: Wire<In> = Wire::new(1),
        /// Right shift after the mantissa, of the product that is there.
        requant_shift_i: Wire<In> = Wire::new(w.requant_shift),
        /// Right shift from membrane to spike.
        spike_shift_i: Wire<In> = Wire::new(w.spike_shift),
        /// [`CURRENT_DELAY`] cycles after the sum, or after its shortcut.
        current_o: Wire<Out> = Wire::new(v),
        spike_o: Wire<Out> = Wire::new(arch.act_bits as usize),
        potential_o: Wire<Out> = Wire::new(v),

        mantissa: Wire<Local> = Wire::new(multiplier()),
        bias: Wire<Local> = Wire::new(v),
        second_mantissa: Wire<Local> = Wire::new(multiplier()),
        second_bias: Wire<Local> = Wire::new(v),
        lambda: Wire<Local> = Wire::new(multiplier()),
        theta: Wire<Local> = Wire::new(v),
        offset: Wire<Local> = Wire::new(v),

        /// A sum or a shortcut, and its M.
        operand: Wire<Local> = Wire::new(operand_bits(arch)),
        present_mantissa: Wire<Local> = Wire::new(multiplier()),
        product: Product = Product::new(operand_bits(arch), multiplier()),
        scaling: RoundShift = RoundShift::new(requant_bits(arch), w.requant_shift),
        /// B of the product that is being scaled.
        present_bias: Wire<Local> = Wire::new(v),
        biased: Wire<Local> = Wire::new(requant_bits(arch) + 1),
        current: Saturation = Saturation::new(requant_bits(arch) + 1, v),
        /// Current of the cycle before, in front of its shortcut's; else 0.
        current_before: Wire<Local> = Wire::new(v),
        both: Wire<Local> = Wire::new(v + 1),
        added: Saturation = Saturation::new(v + 1, v),
        leak_product: Product = Product::new(v, multiplier()),
        leak: Wire<Local> = Wire::new(v + multiplier() + 1 - LEAK_FRACTION_BITS as usize),
        charged: Wire<Local> = Wire::new(v + multiplier() + 2 - LEAK_FRACTION_BITS as usize),
        membrane: Saturation = Saturation::new(v + multiplier() + 2 - LEAK_FRACTION_BITS as usize, v),
        excess: Wire<Local> = Wire::new(v + 1),
        /// Potential and threshold beside the excess.
        membrane_late: Wire<Local> = Wire::new(v),
        theta_late: Wire<Local> = Wire::new(v),
        positive: Wire<Local> = Wire::new(v),
        spike: RoundShift = RoundShift::new(v + 1, w.spike_shift),
        bounded: Wire<Local> = Wire::new(v),
        offset_off: Wire<Local> = Wire::new(v + 1),
    }
}

impl NeuronLane {
    /// A lane with the widths of `arch`.
    pub(crate) fn new(arch: &ArchConfig) -> Self {
        let v = arch.membrane_bits as usize;
        let mut u = Self::declare(arch, v, &widths(arch));
        u._rtl.doc("Requantizer and EM-PF neuron: one accumulator in, one spike out, every cycle.");
        u.take_parameters();
        u.requantize();
        u.add();
        u.integrate();
        u.fire(v, arch);
        u
    }

    fn take_parameters(&mut self) {
        let rtl = &mut self._rtl;
        rtl.section("Each parameter changes in front of the first sum that needs it");
        for (register, take, next) in [
            (&self.mantissa, &self.take_mantissa_i, &self.mantissa_i),
            (&self.bias, &self.take_bias_i, &self.bias_i),
            (&self.second_mantissa, &self.take_mantissa_i, &self.second_mantissa_i),
            (&self.second_bias, &self.take_bias_i, &self.second_bias_i),
            (&self.lambda, &self.take_lambda_i, &self.lambda_i),
            (&self.theta, &self.take_theta_i, &self.theta_i),
            (&self.offset, &self.take_offset_i, &self.offset_i),
        ] {
            rtl.register(register, 0).when(take, next);
        }
    }

    /// `I = sat(round_shift(acc * M, sh) + B)`, of a sum or of a shortcut's code.
    fn requantize(&mut self) {
        let rtl = &mut self._rtl;
        rtl.section("I = sat(round_shift(acc * M, requant_shift) + B), of a sum or of a shortcut's code");
        let width = self.product.a_i.width();
        let [other, sum] = [&self.other_i, &self.sum_i].map(|operand| operand.e().sext(width));
        rtl.register(&self.operand, 0).set(mux(&self.other_operand_i, other, sum));
        let mantissa = mux(&self.shortcut_operand_i, &self.second_mantissa, &self.mantissa);
        rtl.register(&self.present_mantissa, 0).set(mantissa);
        rtl.clock(&self.product.clock);
        rtl.assign(&self.product.a_i, &self.operand);
        rtl.assign(&self.product.b_i, &self.present_mantissa);
        rtl.clock(&self.scaling.clock);
        rtl.assign(&self.scaling.value_i, &self.product.product_o);
        rtl.assign(&self.scaling.shift_i, &self.requant_shift_i);
        let width = self.biased.width();
        rtl.register(&self.present_bias, 0).set(mux(&self.shortcut_bias_i, &self.second_bias, &self.bias));
        let bias = self.present_bias.e().sext(width);
        rtl.register(&self.biased, 0).set(self.scaling.value_o.e().sext(width) + bias);
        rtl.clock(&self.current.clock);
        rtl.assign(&self.current.value_i, &self.biased);
    }

    /// `I = sat(I of the sum + I of the shortcut)`.
    fn add(&mut self) {
        let rtl = &mut self._rtl;
        rtl.section("A shortcut's current, to which that of its sum is added");
        let width = self.both.width();
        let current = self.current.value_o.e();
        rtl.register(&self.current_before, 0).set(&current & self.shortcut_current_i.e().repeat(width - 1));
        rtl.register(&self.both, 0).set(current.sext(width) + self.current_before.e().sext(width));
        rtl.clock(&self.added.clock);
        rtl.assign(&self.added.value_i, &self.both);
        rtl.assign(&self.current_o, &self.added.value_o);
    }

    /// `m = sat(round_shift(lambda * v, F) + I)`.
    fn integrate(&mut self) {
        let rtl = &mut self._rtl;
        rtl.section("m = sat(round_shift(lambda * v, F) + I)");
        rtl.clock(&self.leak_product.clock);
        rtl.assign(&self.leak_product.a_i, &self.potential_i);
        rtl.assign(&self.leak_product.b_i, &self.lambda);
        rtl.register(&self.leak, 0)
            .set(round_shift(&self.leak_product.product_o.e(), LEAK_FRACTION_BITS as usize));
        let width = self.charged.width();
        rtl.register(&self.charged, 0).set(self.leak.e().sext(width) + self.added.value_o.e().sext(width));
        rtl.clock(&self.membrane.clock);
        rtl.assign(&self.membrane.value_i, &self.charged);
    }

    /// `s = clamp(round_shift(max(m - theta, 0), k))`, `v = sat(min(m, theta) - c)`.
    fn fire(&mut self, v: usize, arch: &ArchConfig) {
        let rtl = &mut self._rtl;
        rtl.section("s = clamp(round_shift(max(m - theta, 0), spike_shift)); v = sat(min(m, theta) - c)");
        let m = self.membrane.value_o.e();
        rtl.register(&self.excess, 0).set(m.sext(v + 1) - self.theta.e().sext(v + 1));
        rtl.register(&self.membrane_late, 0).set(m);
        rtl.register(&self.theta_late, 0).set(&self.theta);
        let below = self.excess.e().msb();
        rtl.register(&self.positive, 0).set(mux(&below, lit(0, v), self.excess.e().slice(0, v)));
        rtl.register(&self.bounded, 0).set(mux(&below, &self.membrane_late, &self.theta_late));
        rtl.clock(&self.spike.clock);
        rtl.assign(&self.spike.value_i, self.positive.e().zext(v + 1));
        rtl.assign(&self.spike.shift_i, &self.spike_shift_i);
        rtl.register(&self.spike_o, 0).set(clamp(&self.spike.value_o.e(), arch.act_bits as usize));
        rtl.register(&self.offset_off, 0).set(self.bounded.e().sext(v + 1) - self.offset.e().sext(v + 1));
        rtl.register(&self.potential_o, 0).set(saturate(&self.offset_off.e(), v));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench_support::{NeuronModel, ShortcutModel};
    use proptest::prelude::*;

    fn signed(bits: u32) -> impl Strategy<Value = i64> {
        let limit = 1i64 << (bits - 1);
        prop_oneof![4 => -limit..limit, 1 => Just(-limit), 1 => Just(limit - 1), 2 => -40i64..40]
    }

    /// A position: its sum, its shortcut's code, its potential.
    type Position = (i64, i64, i64);

    /// What is at the lane's input in a cycle.
    struct Slot<'a> {
        model: &'a NeuronModel,
        position: Position,
        /// The first slot of a run.
        is_first: bool,
        is_code: bool,
        /// The last of its position.
        gives: bool,
    }

    fn slots(runs: &[(NeuronModel, Vec<Position>)]) -> Vec<Slot<'_>> {
        let of_position = |model: &NeuronModel| 1 + usize::from(model.shortcut.is_some());
        let of_run = |(model, positions): &'_ (NeuronModel, Vec<Position>)| {
            (0..positions.len() * of_position(model))
                .map(|i| (i / of_position(model), i % of_position(model)))
                .collect::<Vec<_>>()
        };
        runs.iter()
            .flat_map(|run| of_run(run).into_iter().map(move |at| (run, at)))
            .map(|((model, positions), (index, turn))| Slot {
                model,
                position: positions[index],
                is_first: index + turn == 0,
                is_code: turn == 1,
                gives: turn + 1 == of_position(model),
            })
            .collect()
    }

    /// Runs of positions with a model each follow each other without a gap; shifts are those of the first.
    fn check(arch: &ArchConfig, runs: &[(NeuronModel, Vec<Position>)]) {
        let mut lane = Bench::new(NeuronLane::new(arch), |lane| &lane.clock);
        lane.spike_shift_i.set(runs[0].0.spike_shift.into());
        let all = slots(runs);
        let at = |cycle: usize, delay: usize| cycle.checked_sub(delay).and_then(|i| all.get(i));
        // Sums begin a cycle late, as parameters are taken a cycle early.
        for cycle in 0..all.len() + SPIKE_DELAY + 1 {
            type Value = fn(&NeuronModel) -> i64;
            let second_mantissa: Value = |m| m.shortcut.map_or(7, |s| s.mantissa);
            let second_bias: Value = |m| m.shortcut.map_or(7, |s| s.bias);
            for (used, take_i, next_i, value) in [
                (TAKEN.mantissa, &lane.take_mantissa_i, &lane.mantissa_i, (|m| m.mantissa) as Value),
                (TAKEN.mantissa, &lane.take_mantissa_i, &lane.second_mantissa_i, second_mantissa),
                (TAKEN.bias, &lane.take_bias_i, &lane.bias_i, |m| m.bias),
                (TAKEN.bias, &lane.take_bias_i, &lane.second_bias_i, second_bias),
                (TAKEN.lambda, &lane.take_lambda_i, &lane.lambda_i, |m| m.lambda),
                (TAKEN.theta, &lane.take_theta_i, &lane.theta_i, |m| m.theta),
                (TAKEN.offset, &lane.take_offset_i, &lane.offset_i, |m| m.offset),
            ] {
                let taken = at(cycle, used).filter(|slot| slot.is_first);
                take_i.set(taken.is_some().into());
                next_i.set_signed(taken.map_or(-1, |slot| value(slot.model)));
            }
            for (place, input) in [
                (PLACES.operand, &lane.shortcut_operand_i),
                (PLACES.bias, &lane.shortcut_bias_i),
                (PLACES.current, &lane.shortcut_current_i),
            ] {
                input.set(at(cycle, 1 + place).is_some_and(|slot| slot.is_code).into());
            }
            lane.other_operand_i.set(at(cycle, 1).is_some_and(|slot| slot.is_code).into());
            let shift = at(cycle, 1 + PLACES.shift).map_or(0, |slot| match slot.model.shortcut {
                Some(shortcut) if slot.is_code => shortcut.shift.into(),
                _ => u64::from(slot.model.requant_shift),
            });
            lane.requant_shift_i.set(shift);
            let position = |delay: usize| at(cycle, delay).map(|slot| slot.position);
            lane.sum_i.set_signed(position(1).map_or(-1, |(sum, ..)| sum));
            lane.other_i.set(position(1).map_or(1, |(_, code, _)| code as u64));
            lane.potential_i.set_signed(position(1 + POTENTIAL_NEEDED).map_or(1, |(.., v)| v));
            lane.tick();
            let expected = |delay: usize| {
                at(cycle, delay).filter(|slot| slot.gives).map(|slot| {
                    let (sum, code, v) = slot.position;
                    slot.model.step(sum, code, v, arch.membrane_bits, arch.act_bits)
                })
            };
            if let Some((spike, _)) = expected(SPIKE_DELAY) {
                assert_eq!(lane.spike_o.get() as i64, spike, "cycle {cycle}");
            }
            if let Some((_, potential)) = expected(POTENTIAL_DELAY) {
                assert_eq!(lane.potential_o.get_signed(), potential, "cycle {cycle}");
            }
        }
    }

    /// Parameters and positions of a run; codes have `act_bits` bits and one more.
    fn run(
        (requant_shift, spike_shift): (u32, u32),
        act_bits: u32,
    ) -> impl Strategy<Value = (NeuronModel, Vec<Position>)> {
        let numbers = (signed(16), signed(12), signed(16), signed(12), signed(12));
        let shortcut = prop::option::of((signed(16), signed(12), 0u32..32));
        let positions = prop::collection::vec((signed(28), 0i64..2 << act_bits, signed(12)), 1..12);
        (numbers, shortcut, positions).prop_map(
            move |((mantissa, bias, lambda, theta, offset), shortcut, positions)| {
                let shortcut =
                    shortcut.map(|(mantissa, bias, shift)| ShortcutModel { mantissa, bias, shift });
                let model = NeuronModel {
                    mantissa,
                    bias,
                    lambda,
                    theta,
                    offset,
                    requant_shift,
                    spike_shift,
                    shortcut,
                };
                (model, positions)
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn one_result_a_cycle(
            membrane_bits in 12u32..=24,
            (act_bits, runs) in (2u32..=8, (0u32..32, 0u32..16)).prop_flat_map(|(act_bits, shifts)| {
                (Just(act_bits), prop::collection::vec(run(shifts, act_bits), 1..5))
            }),
        ) {
            check(&ArchConfig { membrane_bits, act_bits, ..ArchConfig::default() }, &runs);
        }
    }

    #[test]
    fn extremes_saturate() {
        let limit = 1 << 15;
        for (mantissa, bias, lambda, theta, offset) in [
            (-limit, -limit, -limit, -limit, -limit),
            (limit - 1, limit - 1, limit - 1, limit - 1, limit - 1),
            (limit - 1, -limit, limit - 1, -limit, limit - 1),
        ] {
            let shortcut = ShortcutModel { mantissa, bias, shift: 0 };
            for shortcut in [None, Some(shortcut)] {
                let (requant_shift, spike_shift) = (0, 0);
                let model = NeuronModel {
                    mantissa,
                    bias,
                    lambda,
                    theta,
                    offset,
                    requant_shift,
                    spike_shift,
                    shortcut,
                };
                let positions = vec![(-(1 << 27), 511, -limit), ((1 << 27) - 1, 511, limit - 1), (0, 0, 0)];
                let arch = ArchConfig { membrane_bits: 16, act_bits: 8, ..ArchConfig::default() };
                check(&arch, &[(model, positions)]);
            }
        }
    }

    /// What is shifted out is larger than any product of a narrow accumulator.
    #[test]
    fn small_sums_are_rounded_by_large_shifts() {
        let arch = ArchConfig { acc_bits: 8, ..ArchConfig::sized(1, 1, 2) };
        let model = NeuronModel {
            mantissa: -7,
            bias: 5,
            lambda: 0,
            theta: 0,
            offset: 0,
            requant_shift: 31,
            spike_shift: 15,
            shortcut: None,
        };
        check(&arch, &[(model, vec![(3, 0, 0), (-3, 0, 0), (127, 0, 0)])]);
    }
}
