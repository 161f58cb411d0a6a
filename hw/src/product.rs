//! Signed products in multipliers of 18x18 bits, with registers at their inputs, inside, and at their outputs. On an FPGA
//! multipliers lie in columns of their own: the way from there ends in registers, too.
//!
//! ```text
//! cycle   0         1        2          3         4         5
//!         factors   inputs   products   outputs   arrived   their sum
//! ```

use crate::rtl::Multiply;
use crate::rtl::prelude::*;
use crate::unit_macro::unit;

/// Cycles from the factors to their product.
pub(crate) const PRODUCT_DELAY: usize = 5;
/// Bits of a multiplier's signed inputs.
const INPUT_BITS: usize = 18;
/// Bits of the lower part of a factor that is cut in two: it has no sign, which takes a bit of the input.
const LOW_BITS: usize = INPUT_BITS - 1;

unit! {
    /// A multiplier of signed factors and its registers: a product every cycle, three cycles after its factors.
    pub struct Multiplier(a: usize, b: usize) "multiplier" {
        a_i: Wire<In> = Wire::new(a),
        b_i: Wire<In> = Wire::new(b),
        /// Three cycles later.
        product_o: Wire<Out> = Wire::new(a + b),
        a: Wire<Local> = Wire::new(a),
        b: Wire<Local> = Wire::new(b),
        between: Wire<Local> = Wire::new(a + b),
    }
}

impl Multiplier {
    /// For factors of `a` and `b` bits, each at most 18.
    pub fn new(a: usize, b: usize) -> Self {
        let mut u = Self::declare(a, b);
        let rtl = &mut u._rtl;
        rtl.doc("Multiplier of signed factors with registers at its inputs, inside, and at its output.");
        rtl.register(&u.a, 0).set(&u.a_i);
        rtl.register(&u.b, 0).set(&u.b_i);
        rtl.register(&u.between, 0).set(u.a.e().mul_signed(&u.b));
        rtl.register(&u.product_o, 0).set(&u.between);
        let [a, b, product] = [u.a_i.net(), u.b_i.net(), u.product_o.net()].map(Clone::clone);
        rtl.multiplier(Multiply { a, b, product });
        u
    }
}

unit! {
    /// Product of a factor of up to 35 signed bits and one of up to 18.
    pub(crate) struct Product(a: usize, b: usize) "product" {
        a_i: Wire<In> = Wire::new(a),
        b_i: Wire<In> = Wire::new(b),
        /// [`PRODUCT_DELAY`] cycles later.
        product_o: Wire<Out> = Wire::new(a + b),
        multipliers: Vec<Multiplier> = parts(a).into_iter().map(|bits| Multiplier::new(bits, b)).collect(),
        arrived: Vec<Wire<Local>> = parts(a).into_iter().map(|bits| Wire::new(bits + b)).collect(),
    }
}

/// Bits of the parts of a factor of `bits` bits, the lower first.
fn parts(bits: usize) -> Vec<usize> {
    if bits <= INPUT_BITS { vec![bits] } else { vec![INPUT_BITS, bits - LOW_BITS] }
}

impl Product {
    /// For factors of `a` and `b` bits.
    pub(crate) fn new(a: usize, b: usize) -> Self {
        assert!(a <= INPUT_BITS + LOW_BITS && b <= INPUT_BITS, "factors of {a} and {b} bits are too wide");
        let mut u = Self::declare(a, b);
        u._rtl.doc("Signed product; the parts of a wide factor have a multiplier each.");
        let rtl = &mut u._rtl;
        for (multiplier, arrived) in u.multipliers.iter().zip(&u.arrived) {
            rtl.clock(&multiplier.clock);
            rtl.assign(&multiplier.b_i, &u.b_i);
            rtl.register(arrived, 0).set(&multiplier.product_o);
        }
        let sum = match (&u.multipliers[..], &u.arrived[..]) {
            ([low, high], [low_product, high_product]) => {
                rtl.assign(&low.a_i, concat([lit(0, 1), u.a_i.e().slice(0, LOW_BITS)]));
                rtl.assign(&high.a_i, u.a_i.e().slice(LOW_BITS, a - LOW_BITS));
                // The lowest bits are those of the low product.
                let low = low_product.e();
                let above = low.slice(LOW_BITS, low.width() - LOW_BITS).sext(high_product.width());
                concat([above + high_product, low.slice(0, LOW_BITS)])
            }
            (whole, product) => {
                rtl.assign(&whole[0].a_i, &u.a_i);
                product[0].e()
            }
        };
        rtl.register(&u.product_o, 0).set(sum);
        u
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench_support::signed;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_product_every_cycle(
            (a, b) in (2usize..=35, 2usize..=18),
            factors in prop::collection::vec((any::<u64>(), any::<u64>()), 1..10),
        ) {
            let mut unit = Bench::new(Product::new(a, b), |unit| &unit.clock);
            let extremes = [1u64 << (a - 1), (1 << (a - 1)) - 1].map(|x| (x, 1u64 << (b - 1)));
            let factors: Vec<(i64, i64)> = factors
                .into_iter()
                .chain(extremes)
                .map(|(x, y)| (signed(x, a as u32), signed(y, b as u32)))
                .collect();
            for cycle in 0..factors.len() + PRODUCT_DELAY {
                if let Some((x, y)) = factors.get(cycle) {
                    unit.a_i.set_signed(*x);
                    unit.b_i.set_signed(*y);
                }
                unit.tick();
                if let Some((x, y)) = (cycle + 1).checked_sub(PRODUCT_DELAY).and_then(|i| factors.get(i)) {
                    prop_assert_eq!(unit.product_o.get_signed(), x * y);
                }
            }
        }
    }
}
