//! What the units' tests share.

use crate::rtl::prelude::*;
use empf_ir::formats::LEAK_FRACTION_BITS;
use empf_ir::isa::Record;
use std::collections::VecDeque;

/// A unit that takes a descriptor from the bus.
pub(crate) trait Described: Block {
    /// Valid, opcode, index and data of the bus.
    fn bus(&self) -> [&Wire<In>; 4];
    /// The start pulse.
    fn start(&self) -> &Wire<In>;
}

/// Puts the fields of a descriptor on the bus, one a cycle, then starts the unit.
pub(crate) fn launch<U: Described, R: Record<u32>>(bench: &mut Bench<U>, descriptor: &R) {
    let set = |bench: &Bench<U>, values: [u64; 4]| {
        for (wire, value) in bench.bus().into_iter().zip(values) {
            wire.set(value);
        }
    };
    for (index, (_, value)) in descriptor.values().into_iter().enumerate() {
        set(bench, [1, R::UNIT.opcode().into(), index as u64, u64::from(*value)]);
        bench.tick();
    }
    set(bench, [0; 4]);
    bench.start().set(1);
    bench.tick();
    bench.start().set(0);
}

/// Implements [`Described`] by the field names that all units use.
macro_rules! described {
    ($unit:ty) => {
        impl crate::bench_support::Described for $unit {
            fn bus(&self) -> [&Wire<In>; 4] {
                [&self.field_valid_i, &self.field_opcode_i, &self.field_index_i, &self.field_data_i]
            }
            fn start(&self) -> &Wire<In> {
                &self.start_i
            }
        }
    };
}
pub(crate) use described;

/// What is on its way from a memory to its reader.
pub(crate) struct Pending<T>(VecDeque<Option<T>>);

impl<T> Pending<T> {
    /// A memory whose words come `delay` cycles after their addresses.
    pub(crate) fn new(delay: usize) -> Self {
        Pending((1..delay).map(|_| None).collect())
    }

    /// Behind a clock edge: what comes, where `asked` is what was asked for in front of it.
    pub(crate) fn after(&mut self, asked: Option<T>) -> Option<T> {
        self.0.push_back(asked);
        self.0.pop_front().flatten()
    }
}

/// A neuron lane: `docs/numerics.md` in plain integers.
#[derive(Clone, Debug)]
pub(crate) struct NeuronModel {
    pub(crate) mantissa: i64,
    pub(crate) bias: i64,
    pub(crate) lambda: i64,
    pub(crate) theta: i64,
    pub(crate) offset: i64,
    pub(crate) requant_shift: u32,
    pub(crate) spike_shift: u32,
    pub(crate) shortcut: Option<ShortcutModel>,
}

/// How a shortcut's code becomes a current.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShortcutModel {
    pub(crate) mantissa: i64,
    pub(crate) bias: i64,
    pub(crate) shift: u32,
}

pub(crate) fn rounded(x: i64, shift: u32) -> i64 {
    if shift == 0 { x } else { (x + (1 << (shift - 1))) >> shift }
}

impl NeuronModel {
    /// Current of a sum; `code` is that of the shortcut, if there is one.
    pub(crate) fn current(&self, sum: i64, code: i64, membrane_bits: u32) -> i64 {
        let limit = 1i64 << (membrane_bits - 1);
        let saturated = |x: i64| x.clamp(-limit, limit - 1);
        let of_sum = saturated(rounded(sum * self.mantissa, self.requant_shift) + self.bias);
        self.shortcut.map_or(of_sum, |ShortcutModel { mantissa, bias, shift }| {
            saturated(of_sum + saturated(rounded(code * mantissa, shift) + bias))
        })
    }

    /// Spike and next potential; `code` is that of the shortcut, if there is one.
    pub(crate) fn step(&self, sum: i64, code: i64, v: i64, membrane_bits: u32, act_bits: u32) -> (i64, i64) {
        let limit = 1i64 << (membrane_bits - 1);
        let saturated = |x: i64| x.clamp(-limit, limit - 1);
        let current = self.current(sum, code, membrane_bits);
        let m = saturated(rounded(self.lambda * v, LEAK_FRACTION_BITS) + current);
        let spike = rounded((m - self.theta).max(0), self.spike_shift).min((1 << act_bits) - 1);
        (spike, saturated(m.min(self.theta) - self.offset))
    }
}

/// A number of 64 bits that follows from `parts` and looks random.
pub(crate) fn noise<const N: usize>(parts: [u64; N]) -> u64 {
    parts.into_iter().fold(0x9e37_79b9_7f4a_7c15, |state, part| {
        let mixed = (state ^ part).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ mixed >> 29).wrapping_mul(0x94d0_49bb_1331_11eb) ^ mixed >> 32
    })
}

/// The low `bits` bits of `word` as a number in two's complement.
pub(crate) fn signed(word: u64, bits: u32) -> i64 {
    (word << (u64::BITS - bits)) as i64 >> (u64::BITS - bits)
}
