//! One neuron lane: requantizer and EM-PF unit, one accumulator in, one spike out, every cycle.
//!
//! ```text
//! stage   1        2          3           4          5        6          7          8
//! sum ->  acc ->  acc*M  ->  (retime) -> round -> sat(+B) -> sat(+leak) -> m-theta -> spike
//!                             v ->        v*lambda  round                  min(m,theta) -> v
//! ```
//!
//! A result appears 8 cycles after its sum. The potential of the same position is asked for 2 cycles after
//! the sum, and must be stable while it is used; parameters must be stable from the first sum to the last result.

use crate::arithmetic::{clamp, round_shift, round_shift_by, saturate};
use crate::descriptor::widths;
use crate::rtl::prelude::*;
use crate::unit_macro::unit;
use empf_ir::ArchConfig;
use empf_ir::formats::{LEAK_FRACTION_BITS, MULTIPLIER_BITS};
use empf_ir::isa::Drain;

/// Cycles from a sum at the input to its spike and potential at the outputs.
pub(crate) const LANE_LATENCY: usize = 8;
/// Cycles from a sum to the use of its position's last potential.
pub(crate) const POTENTIAL_DELAY: usize = 3;
fn multiplier() -> usize {
    MULTIPLIER_BITS as usize
}

unit! {
    /// Requantizer and EM-PF neuron (Eq. 3 of the paper, in the integers of `docs/numerics.md`).
    pub(crate) struct NeuronLane(acc_bits: usize, membrane_bits: usize, act_bits: usize, w: &Drain<usize>) "neuron_lane" {
        /// Accumulator.
        sum_i: Wire<In> = Wire::new(acc_bits),
        /// v of this position before the step; 0 before the first.
        potential_i: Wire<In> = Wire::new(membrane_bits),
        /// M, B, lambda, theta, c.
        mantissa_i: Wire<In> = Wire::new(multiplier()),
        bias_i: Wire<In> = Wire::new(membrane_bits),
        lambda_i: Wire<In> = Wire::new(multiplier()),
        theta_i: Wire<In> = Wire::new(membrane_bits),
        offset_i: Wire<In> = Wire::new(membrane_bits),
        /// Right shift after the mantissa.
        requant_shift_i: Wire<In> = Wire::new(w.requant_shift),
        /// Right shift from membrane to spike.
        spike_shift_i: Wire<In> = Wire::new(w.spike_shift),
        spike_o: Wire<Out> = Wire::new(act_bits),
        potential_o: Wire<Out> = Wire::new(membrane_bits),
        acc: Wire<Local> = Wire::new(acc_bits),
        product: Wire<Local> = Wire::new(acc_bits + multiplier()),
        product_retimed: Wire<Local> = Wire::new(acc_bits + multiplier()),
        scaled: Wire<Local> = Wire::new(acc_bits + multiplier() + 1),
        current: Wire<Local> = Wire::new(membrane_bits),
        leak_product: Wire<Local> = Wire::new(membrane_bits + multiplier()),
        leak: Wire<Local> = Wire::new(membrane_bits + multiplier() + 1 - LEAK_FRACTION_BITS as usize),
        membrane: Wire<Local> = Wire::new(membrane_bits),
        excess: Wire<Local> = Wire::new(membrane_bits + 1),
        bounded: Wire<Local> = Wire::new(membrane_bits),
    }
}

impl NeuronLane {
    /// A lane with the widths of `arch`.
    pub(crate) fn new(arch: &ArchConfig) -> Self {
        let v = arch.membrane_bits as usize;
        let mut u = Self::declare(arch.acc_bits as usize, v, arch.act_bits as usize, &widths(arch));
        u._rtl.doc("Requantizer and EM-PF neuron: one accumulator in, one spike out, every cycle.");
        u.requantize(v);
        u.integrate(v);
        u.fire(v, arch.act_bits as usize);
        u
    }

    /// `I = sat(round_shift(acc * M, sh) + B)`.
    fn requantize(&mut self, v: usize) {
        let rtl = &mut self._rtl;
        rtl.section("I = sat(round_shift(acc * M, requant_shift) + B)");
        rtl.register(&self.acc, 0).set(&self.sum_i);
        rtl.register(&self.product, 0).set(self.acc.e().mul_signed(&self.mantissa_i));
        rtl.register(&self.product_retimed, 0).set(&self.product);
        rtl.register(&self.scaled, 0)
            .set(round_shift_by(&self.product_retimed.e(), &self.requant_shift_i.e()));
        let width = self.scaled.width() + 1;
        let shifted = rtl.named("biased", self.scaled.e().sext(width) + self.bias_i.e().sext(width));
        rtl.register(&self.current, 0).set(saturate(&shifted, v));
    }

    /// `m = sat(round_shift(lambda * v, F) + I)`.
    fn integrate(&mut self, v: usize) {
        let rtl = &mut self._rtl;
        rtl.section("m = sat(round_shift(lambda * v, F) + I)");
        rtl.register(&self.leak_product, 0).set(self.potential_i.e().mul_signed(&self.lambda_i));
        rtl.register(&self.leak, 0).set(round_shift(&self.leak_product.e(), LEAK_FRACTION_BITS as usize));
        let width = self.leak.width() + 1;
        let sum = rtl.named("leaked_and_current", self.leak.e().sext(width) + self.current.e().sext(width));
        rtl.register(&self.membrane, 0).set(saturate(&sum, v));
    }

    /// `s = clamp(round_shift(max(m - theta, 0), k))`, `v = sat(min(m, theta) - c)`.
    fn fire(&mut self, v: usize, act_bits: usize) {
        let rtl = &mut self._rtl;
        rtl.section("s = clamp(round_shift(max(m - theta, 0), spike_shift)); v = sat(min(m, theta) - c)");
        let (m, theta) = (self.membrane.e(), self.theta_i.e());
        rtl.register(&self.excess, 0).set(m.sext(v + 1) - theta.sext(v + 1));
        rtl.register(&self.bounded, 0).set(mux(m.lt_signed(&theta), &m, &theta));
        let positive = mux(self.excess.e().msb(), lit(0, v), self.excess.e().slice(0, v));
        let positive = rtl.named("positive", positive);
        let rounded = round_shift_by(&positive.zext(v + 1), &self.spike_shift_i.e());
        rtl.register(&self.spike_o, 0).set(clamp(&rounded.slice(0, v + 1), act_bits));
        let reset = rtl.named("offset_off", self.bounded.e().sext(v + 1) - self.offset_i.e().sext(v + 1));
        rtl.register(&self.potential_o, 0).set(saturate(&reset, v));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench_support::NeuronModel;
    use proptest::prelude::*;

    fn signed(bits: u32) -> impl Strategy<Value = i64> {
        let limit = 1i64 << (bits - 1);
        prop_oneof![4 => -limit..limit, 1 => Just(-limit), 1 => Just(limit - 1), 2 => -40i64..40]
    }

    fn check(membrane_bits: u32, act_bits: u32, model: &NeuronModel, sums: &[(i64, i64)]) {
        let arch = ArchConfig { membrane_bits, act_bits, ..ArchConfig::default() };
        let mut lane = Bench::new(NeuronLane::new(&arch), |lane| &lane.clock);
        lane.mantissa_i.set_signed(model.mantissa);
        lane.bias_i.set_signed(model.bias);
        lane.lambda_i.set_signed(model.lambda);
        lane.theta_i.set_signed(model.theta);
        lane.offset_i.set_signed(model.offset);
        lane.requant_shift_i.set(u64::from(model.requant_shift));
        lane.spike_shift_i.set(u64::from(model.spike_shift));
        for cycle in 0..sums.len() + LANE_LATENCY {
            if let Some((sum, _)) = sums.get(cycle) {
                lane.sum_i.set_signed(*sum);
            }
            if let Some((_, potential)) = cycle.checked_sub(POTENTIAL_DELAY).and_then(|i| sums.get(i)) {
                lane.potential_i.set_signed(*potential);
            }
            lane.tick();
            if let Some((sum, potential)) = (cycle + 1).checked_sub(LANE_LATENCY).and_then(|i| sums.get(i)) {
                let expected = model.step(*sum, *potential, membrane_bits, act_bits);
                assert_eq!((lane.spike_o.get() as i64, lane.potential_o.get_signed()), expected);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn one_result_a_cycle(
            (membrane_bits, mantissa, requant_shift) in (12u32..=24, signed(16), 0u32..32),
            (act_bits, lambda, spike_shift) in (2u32..=8, signed(16), 0u32..16),
            (bias, theta, offset) in (signed(12), signed(12), signed(12)),
            sums in prop::collection::vec((signed(28), signed(12)), 1..12),
        ) {
            let model = NeuronModel { mantissa, bias, lambda, theta, offset, requant_shift, spike_shift };
            check(membrane_bits, act_bits, &model, &sums);
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
            let model =
                NeuronModel { mantissa, bias, lambda, theta, offset, requant_shift: 0, spike_shift: 0 };
            check(16, 8, &model, &[(-(1 << 27), -limit), ((1 << 27) - 1, limit - 1), (0, 0)]);
        }
    }
}
