//! Addition of two currents in one membrane format.

use crate::round::saturate;
use ndarray::{Array4, ArrayView4, Zip};

/// `sat_V(a + b)`, element by element. Both have the same shape, `bits` = V.
pub fn add(a: ArrayView4<i32>, b: ArrayView4<i32>, bits: u32) -> Array4<i32> {
    Zip::from(a).and(b).map_collect(|a, b| saturate(i64::from(*a) + i64::from(*b), bits) as i32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn saturates_both_ways() {
        let a = array![[[[2047, -2048, 5]]]];
        let b = array![[[[1, -1, -7]]]];
        assert_eq!(add(a.view(), b.view(), 12), array![[[[2047, -2048, -2]]]]);
    }
}
