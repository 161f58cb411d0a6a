//! What registers and memories hold before the first reset.
//!
//! An FPGA starts them at known values, other targets do not, and a design that is reset in the middle of its work finds
//! whatever stood there. Nothing may depend on it.

use rand_pcg::Pcg64;
use rand_pcg::rand_core::{RngCore, SeedableRng};
use std::cell::RefCell;

thread_local! {
    static RANDOM: RefCell<Option<Pcg64>> = const { RefCell::new(None) };
}

/// Elaborates what `elaborate` makes with registers and memories that start at random values in RustHDL's simulator;
/// otherwise registers start at the value of their reset and memories at 0.
pub fn random_power_up<T>(seed: u64, elaborate: impl FnOnce() -> T) -> T {
    let outer = RANDOM.replace(Some(Pcg64::seed_from_u64(seed)));
    let made = elaborate();
    RANDOM.set(outer);
    made
}

/// A first value of the bits of `mask`; `usual` where nothing random is asked for.
pub(super) fn first_value(mask: u64, usual: u64) -> u64 {
    RANDOM.with_borrow_mut(|random| random.as_mut().map_or(usual, |random| random.next_u64() & mask))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtl::prelude::*;

    #[test]
    fn only_what_is_elaborated_inside_starts_at_random() {
        let first = || {
            let ram = Ram::new("ram", 32, 4);
            ram.content().to_vec()
        };
        let random = random_power_up(1, first);
        assert_ne!(random, [0; 4]);
        assert_eq!(random, random_power_up(1, first));
        assert_ne!(random, random_power_up(2, first));
        assert_eq!(first(), [0; 4]);
    }
}
