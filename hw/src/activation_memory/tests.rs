//! The activation memory at its ports.

use super::*;
use crate::bench_support::noise;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Random writes and reads beside each other; an address that is written is not read in the same cycle.
    #[test]
    fn reads_what_was_written_last(
        (banks, lanes, act_bits) in (prop::sample::select(vec![1usize, 2, 4]), 1usize..5, 2u32..=8),
        seed in any::<u64>(),
    ) {
        const DEPTH: usize = 16;
        let arch = ArchConfig {
            rows: banks * lanes, cols: lanes, lanes, act_bits, activation_depth: DEPTH, ..ArchConfig::default()
        };
        let mut unit = Bench::new(ActivationMemory::new(&arch), |unit| &unit.clock);
        let mut model = vec![vec![0; arch.rows]; DEPTH];
        let code = |word: u64, lane: usize| word >> (lane as u32 * act_bits) & ((1 << act_bits) - 1);
        // Every word is known before the first is read.
        for cycle in 0..DEPTH as u64 + 200 {
            let chance = |what: u64| noise([seed, cycle, what]);
            let fills = cycle < DEPTH as u64;
            let (to, data) = (if fills { cycle } else { chance(1) % DEPTH as u64 }, chance(2));
            let written = if fills { u64::MAX } else { chance(3) } & ((1 << banks) - 1);
            let from = (to + 1 + chance(4) % (DEPTH as u64 - 1)) % DEPTH as u64;
            let (inside, mask, border) = (chance(5) & 1, chance(6) & ((1 << banks) - 1), code(chance(7), 0));
            let data = data & (u64::MAX >> (u64::BITS - lanes as u32 * act_bits));
            unit.write_i.set(written);
            unit.port_address_i.set(to);
            unit.write_data_i.set(data);
            unit.read_i.set(1);
            unit.read_address_i.set(from);
            unit.inside_i.set(inside);
            unit.bank_mask_i.set(mask);
            unit.tick();
            // The border's code belongs to the layer, so it stays while a read is under way.
            unit.border_i.set(border);
            unit.read_i.set(0);
            unit.write_i.set(0);
            // The other port reads what was read before.
            unit.port_read_i.set(1);
            unit.port_address_i.set(from);
            unit.tick();
            unit.port_read_i.set(0);
            let stored: Vec<u64> = unit.code_o.iter().map(Wire::get).collect();
            unit.tick();
            let at_port: Vec<u64> = unit.port_code_o.iter().map(Wire::get).collect();
            let masked: Vec<u64> = unit.masked_o.iter().map(Wire::get).collect();
            if !fills {
                prop_assert_eq!(&stored, &model[from as usize]);
                prop_assert_eq!(&at_port, &model[from as usize]);
                let expected: Vec<u64> = (0..arch.rows)
                    .map(|row| match (mask >> (row / lanes) & 1, inside) {
                        (0, _) => 0,
                        (_, 0) => border,
                        _ => model[from as usize][row],
                    })
                    .collect();
                prop_assert_eq!(masked, expected);
            }
            for row in (0..arch.rows).filter(|row| written >> (row / lanes) & 1 == 1) {
                model[to as usize][row] = code(data, row % lanes);
            }
        }
    }
}
