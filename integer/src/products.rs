//! Products of a few windows with a few outputs' weights: the inner loop of the integer forward.

/// Windows multiplied at a time.
pub(crate) const WINDOWS: usize = 4;
/// Outputs computed at a time.
pub(crate) const OUTPUTS: usize = 16;

/// Two neighbouring taps; vector units multiply and add them in one instruction.
pub(crate) type Pair = [i16; 2];
/// Sums `[window][output]`.
pub(crate) type Sums = [[i32; OUTPUTS]; WINDOWS];

/// `sums[w][o] = sum over k of windows[w][k] * weights[k][o]`, for windows as long as `weights`. The caller
/// makes sure that no sum leaves 32 bits.
pub(crate) fn products(windows: [&[Pair]; WINDOWS], weights: &[[Pair; OUTPUTS]]) -> Sums {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: this processor has AVX2.
        return unsafe { avx2::products(windows, weights) };
    }
    portable(windows, weights)
}

fn portable(windows: [&[Pair]; WINDOWS], weights: &[[Pair; OUTPUTS]]) -> Sums {
    let mut sums = [[0; OUTPUTS]; WINDOWS];
    for (window, sums) in windows.iter().zip(&mut sums) {
        for ([a, b], weights) in window.iter().zip(weights) {
            for (sum, [v, w]) in sums.iter_mut().zip(weights) {
                *sum += i32::from(*a) * i32::from(*v) + i32::from(*b) * i32::from(*w);
            }
        }
    }
    sums
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    use super::{OUTPUTS, Pair, Sums, WINDOWS};
    use std::arch::x86_64::{__m256i, _mm256_add_epi32, _mm256_madd_epi16, _mm256_set1_epi32};

    /// Vectors of eight sums that hold [`OUTPUTS`].
    const VECTORS: usize = OUTPUTS / 8;

    #[target_feature(enable = "avx2")]
    pub(crate) fn products(windows: [&[Pair]; WINDOWS], weights: &[[Pair; OUTPUTS]]) -> Sums {
        let windows = windows.map(|window| &window[..weights.len()]);
        let mut sums = [[_mm256_set1_epi32(0); VECTORS]; WINDOWS];
        for (k, weights) in weights.iter().enumerate() {
            // SAFETY: both are 64 bytes, any of which are valid, and a transmuted copy needs no alignment.
            let weights: [__m256i; VECTORS] = unsafe { std::mem::transmute(*weights) };
            for (sums, window) in sums.iter_mut().zip(windows) {
                let [a, b] = window[k];
                let taps = _mm256_set1_epi32(i32::from(b) << 16 | i32::from(a as u16));
                for (sum, weights) in sums.iter_mut().zip(weights) {
                    *sum = _mm256_add_epi32(*sum, _mm256_madd_epi16(taps, weights));
                }
            }
        }
        // SAFETY: as above; a vector's lanes lie in memory in the order of the outputs.
        unsafe { std::mem::transmute(sums) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn equals_the_portable_form(
            taps in prop::collection::vec((any::<[[u8; 2]; WINDOWS]>(), any::<[[i8; 2]; OUTPUTS]>()), 0..40)
        ) {
            let window = |w: usize| taps.iter().map(|(t, _)| t[w].map(i16::from)).collect::<Vec<Pair>>();
            let windows: [Vec<Pair>; WINDOWS] = std::array::from_fn(window);
            // Odd weights, the largest among them.
            let weights: Vec<[Pair; OUTPUTS]> =
                taps.iter().map(|(_, w)| w.map(|pair| pair.map(|w| 2 * i16::from(w) + 1))).collect();
            let windows = windows.each_ref().map(Vec::as_slice);
            prop_assert_eq!(products(windows, &weights), portable(windows, &weights));
        }
    }

    #[test]
    fn a_sum_worked_out_by_hand() {
        let windows = [[[1, 2], [3, 0]], [[0, 0], [255, 255]], [[1, 0], [0, 0]], [[0, 1], [0, 0]]];
        let mut weights = [[[1i16, -1]; OUTPUTS]; 2];
        weights[1][OUTPUTS - 1] = [-255, -255];
        for sums in [products, portable].map(|f| f(windows.each_ref().map(<[Pair; 2]>::as_slice), &weights)) {
            assert_eq!(sums.map(|s| s[0]), [2, 0, 1, -1]);
            assert_eq!(sums.map(|s| s[OUTPUTS - 1]), [-1 - 765, -2 * 255 * 255, 1, -1]);
        }
    }
}
