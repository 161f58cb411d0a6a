//! Widths, arithmetic and refusals of expressions.

use super::*;
use crate::rtl::Wire;
use rust_hdl_core::prelude::In;

#[test]
fn arithmetic_wraps_at_the_operands_width() {
    let (a, b) = (lit(200, 8), lit(100, 8));
    assert_eq!((&a + &b).eval(), 44);
    assert_eq!((&b - &a).eval(), 156);
    assert_eq!((!&a).eval(), 55);
}

#[test]
fn comparisons() {
    let (minus, plus) = (lit_signed(-1, 4), lit(1, 4));
    assert_eq!([minus.lt(&plus), minus.lt_signed(&plus)].map(|e| e.eval()), [0, 1]);
    assert_eq!([minus.gt(&plus), minus.gt_signed(&plus)].map(|e| e.eval()), [1, 0]);
    assert_eq!([plus.le(&plus), plus.ge(&plus), plus.lt(&plus)].map(|e| e.eval()), [1, 1, 0]);
    assert_eq!([plus.le_signed(&minus), plus.ge_signed(&minus)].map(|e| e.eval()), [0, 1]);
    assert_eq!([plus.eq(&minus), plus.ne(&minus)].map(|e| e.eval()), [0, 1]);
}

#[test]
fn signed_products_are_exact() {
    let most_negative = lit_signed(-128, 8);
    assert_eq!(most_negative.mul_signed(&most_negative).eval(), 1 << 14);
    assert_eq!(lit_signed(-5, 4).mul_signed(lit(3, 8)).eval(), (-15_i64 as u64) & 0xfff);
    let wide = lit_signed(i64::from(i32::MIN), 32);
    assert_eq!(wide.mul_signed(&wide).eval(), 1 << 62);
}

#[test]
fn extensions_slices_and_concatenations() {
    let x = lit(0b1010, 4);
    assert_eq!([x.zext(6), x.sext(6), x.slice(1, 3)].map(|e| e.eval()), [0b001010, 0b111010, 0b101]);
    assert_eq!(concat([lit(2, 2), lit(1, 3), lit(1, 1)]).eval(), 0b10_0011);
    assert_eq!([x.repeat(2), x.any(), x.all()].map(|e| e.eval()), [0b1010_1010, 1, 0]);
    assert_eq!(concat([lit(5, 32), lit(7, 32)]).eval(), 5 << 32 | 7);
    let wire = Wire::<In>::new(8);
    wire.set(0b1100_0000);
    assert_eq!(wire.e().slice(4, 4).slice(2, 2).eval(), 0b11);
}

#[test]
fn shifts() {
    let x = lit(0b1001, 4);
    for amount in 0..6 {
        let by = lit(amount, 3);
        let amount = amount as usize;
        assert_eq!(x.shr(amount).eval(), x.shr_by(&by).eval(), "right {amount}");
        assert_eq!(x.shr_signed(amount).eval(), x.shr_signed_by(&by).eval(), "signed {amount}");
    }
    assert_eq!([x.shl(1), x.shr(1), x.shr_signed(1)].map(|e| e.eval()), [0b0010, 0b0100, 0b1100]);
    let (word, far) = (lit(u64::MAX, 64), lit(64, 7));
    assert_eq!(word.shr_by(&far).eval(), 0);
    assert_eq!(word.shr_signed_by(&far).eval(), u64::MAX);
}

#[test]
fn selection() {
    let choices: Vec<Expr> = (10..15).map(|v| lit(v, 4)).collect();
    let index = Wire::<In>::new(3);
    let chosen = select(&choices, &index);
    for i in 0..8 {
        index.set(i);
        assert_eq!(chosen.eval(), 10 + i.min(4), "index {i}");
    }
}

#[test]
#[should_panic = "operands of 8 and 9 bits"]
fn unequal_widths() {
    let _ = lit(0, 8) + lit(0, 9);
}

#[test]
#[should_panic = "bits 4..9 of 8 bits"]
fn slice_past_the_end() {
    lit(0, 8).slice(4, 5);
}
