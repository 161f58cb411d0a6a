//! Combinational expressions of checked width.
//!
//! Operands of arithmetic, bitwise and comparison operators have equal widths; arithmetic wraps at that
//! width. A mismatch is a mistake in the hardware description and panics with both widths at the caller's
//! line. Values are bit patterns: only the operators named `signed` read them as two's complement.

mod eval;
mod operators;

use super::wire::Net;
use super::word::{MAX_WIDTH, bits_for, mask, to_signed};
use std::collections::HashSet;
use std::sync::Arc;

/// Operators whose operands and result have one width.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Binary {
    Add,
    Sub,
    And,
    Or,
    Xor,
}

/// Comparisons of two operands of one width; the result has 1 bit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Compare {
    Eq,
    Ne,
    Lt,
    Le,
    LtSigned,
    LeSigned,
}

/// Shifts by a variable amount.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Shift {
    Right,
    RightSigned,
}

#[derive(Debug)]
pub(crate) enum Node {
    Literal(u64),
    /// Constant with a name, which the unit declares.
    Constant(&'static str, u64),
    Net(Net),
    /// The same value under a name of its own.
    Named(&'static str, Expr),
    Not(Expr),
    Binary(Binary, Expr, Expr),
    Compare(Compare, Expr, Expr),
    MulSigned(Expr, Expr),
    Zext(Expr),
    Sext(Expr),
    /// From this bit on.
    Slice(Expr, usize),
    /// Most significant part first.
    Concat(Vec<Expr>),
    Repeat(Expr, usize),
    Any(Expr),
    All(Expr),
    Mux(Expr, Expr, Expr),
    Shift(Shift, Expr, Expr),
}

/// Combinational value of 1 to 64 bits; cloning is cheap.
#[derive(Clone, Debug)]
pub struct Expr {
    node: Arc<Node>,
    width: usize,
}

/// Constant of `width` bits; panics if `value` needs more.
#[track_caller]
pub fn lit(value: u64, width: usize) -> Expr {
    check_width(width);
    assert!(value <= mask(width), "constant {value} does not fit {width} bits");
    Expr::new(Node::Literal(value), width)
}

/// Two's complement constant of `width` bits; panics if `value` needs more.
#[track_caller]
pub fn lit_signed(value: i64, width: usize) -> Expr {
    check_width(width);
    let bits = value as u64 & mask(width);
    assert_eq!(to_signed(bits, width), value, "constant {value} does not fit {width} signed bits");
    Expr::new(Node::Literal(bits), width)
}

/// The parts side by side, most significant first.
#[track_caller]
pub fn concat<E: Into<Expr>>(parts: impl IntoIterator<Item = E>) -> Expr {
    let parts: Vec<Expr> = parts.into_iter().map(Into::into).collect();
    let width = parts.iter().map(Expr::width).sum();
    check_width(width);
    match <[Expr; 1]>::try_from(parts) {
        Ok([part]) => part,
        Err(parts) => Expr::new(Node::Concat(parts), width),
    }
}

/// `yes` if the 1-bit `condition` is 1, else `no`.
#[track_caller]
pub fn mux(condition: impl Into<Expr>, yes: impl Into<Expr>, no: impl Into<Expr>) -> Expr {
    let (condition, yes, no) = (condition.into(), yes.into(), no.into());
    assert_eq!(condition.width, 1, "a condition has 1 bit, not {}", condition.width);
    same_width(&yes, &no);
    let width = yes.width;
    Expr::new(Node::Mux(condition, yes, no), width)
}

/// `choices[index]`, a tree of multiplexers; an index past the end gives the last choice.
///
/// `index` has exactly the bits needed to count the choices.
#[track_caller]
pub fn select<E: Clone + Into<Expr>>(choices: &[E], index: impl Into<Expr>) -> Expr {
    let index = index.into();
    assert!(!choices.is_empty(), "there is nothing to select from");
    let needed = bits_for(choices.len());
    assert_eq!(
        index.width,
        needed,
        "{} choices take {needed} index bits, not {}",
        choices.len(),
        index.width
    );
    let mut level: Vec<Expr> = choices.iter().cloned().map(Into::into).collect();
    for bit in 0..index.width {
        let (previous, condition) = (level, index.bit(bit));
        level = Vec::with_capacity(previous.len().div_ceil(2));
        for pair in previous.chunks(2) {
            level.push(match pair {
                [even, odd] => mux(&condition, odd, even),
                [single] => single.clone(),
                _ => unreachable!("chunks of 2"),
            });
        }
    }
    level.swap_remove(0)
}

#[track_caller]
fn check_width(width: usize) {
    assert!((1..=MAX_WIDTH).contains(&width), "an expression has 1 to {MAX_WIDTH} bits, not {width}");
}

#[track_caller]
fn same_width(a: &Expr, b: &Expr) {
    assert_eq!(a.width, b.width, "operands of {} and {} bits", a.width, b.width);
}

impl Expr {
    pub(super) fn new(node: Node, width: usize) -> Self {
        Expr { node: Arc::new(node), width }
    }

    #[track_caller]
    fn binary(op: Binary, a: Expr, b: Expr) -> Self {
        same_width(&a, &b);
        let width = a.width;
        Expr::new(Node::Binary(op, a, b), width)
    }

    #[track_caller]
    fn compare(op: Compare, a: Expr, b: Expr) -> Self {
        same_width(&a, &b);
        Expr::new(Node::Compare(op, a, b), 1)
    }

    /// Width in bits.
    pub fn width(&self) -> usize {
        self.width
    }

    pub(crate) fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Equal, 1 bit.
    #[track_caller]
    pub fn eq(&self, other: impl Into<Expr>) -> Expr {
        Expr::compare(Compare::Eq, self.clone(), other.into())
    }

    /// Not equal, 1 bit.
    #[track_caller]
    pub fn ne(&self, other: impl Into<Expr>) -> Expr {
        Expr::compare(Compare::Ne, self.clone(), other.into())
    }

    /// Unsigned less than.
    #[track_caller]
    pub fn lt(&self, other: impl Into<Expr>) -> Expr {
        Expr::compare(Compare::Lt, self.clone(), other.into())
    }

    /// Unsigned less than or equal.
    #[track_caller]
    pub fn le(&self, other: impl Into<Expr>) -> Expr {
        Expr::compare(Compare::Le, self.clone(), other.into())
    }

    /// Unsigned greater than.
    #[track_caller]
    pub fn gt(&self, other: impl Into<Expr>) -> Expr {
        Expr::compare(Compare::Lt, other.into(), self.clone())
    }

    /// Unsigned greater than or equal.
    #[track_caller]
    pub fn ge(&self, other: impl Into<Expr>) -> Expr {
        Expr::compare(Compare::Le, other.into(), self.clone())
    }

    /// Signed less than.
    #[track_caller]
    pub fn lt_signed(&self, other: impl Into<Expr>) -> Expr {
        Expr::compare(Compare::LtSigned, self.clone(), other.into())
    }

    /// Signed less than or equal.
    #[track_caller]
    pub fn le_signed(&self, other: impl Into<Expr>) -> Expr {
        Expr::compare(Compare::LeSigned, self.clone(), other.into())
    }

    /// Signed greater than.
    #[track_caller]
    pub fn gt_signed(&self, other: impl Into<Expr>) -> Expr {
        Expr::compare(Compare::LtSigned, other.into(), self.clone())
    }

    /// Signed greater than or equal.
    #[track_caller]
    pub fn ge_signed(&self, other: impl Into<Expr>) -> Expr {
        Expr::compare(Compare::LeSigned, other.into(), self.clone())
    }

    /// Exact signed product; its width is the sum of the operands' widths.
    #[track_caller]
    pub fn mul_signed(&self, other: impl Into<Expr>) -> Expr {
        let other = other.into();
        let width = self.width + other.width;
        check_width(width);
        Expr::new(Node::MulSigned(self.clone(), other), width)
    }

    /// Zero-extended to `width` bits.
    #[track_caller]
    pub fn zext(&self, width: usize) -> Expr {
        self.extend(Node::Zext, width)
    }

    /// Sign-extended to `width` bits.
    #[track_caller]
    pub fn sext(&self, width: usize) -> Expr {
        if self.width == 1 { self.repeat(width) } else { self.extend(Node::Sext, width) }
    }

    #[track_caller]
    fn extend(&self, node: fn(Expr) -> Node, width: usize) -> Expr {
        check_width(width);
        assert!(width >= self.width, "{} bits cannot be extended to {width}", self.width);
        if width == self.width { self.clone() } else { Expr::new(node(self.clone()), width) }
    }

    /// Bits `lo .. lo + width`.
    #[track_caller]
    pub fn slice(&self, lo: usize, width: usize) -> Expr {
        check_width(width);
        assert!(lo + width <= self.width, "bits {lo}..{} of {} bits", lo + width, self.width);
        match &*self.node {
            _ if width == self.width => self.clone(),
            Node::Slice(whole, offset) => whole.slice(lo + offset, width),
            Node::Literal(value) => lit(value >> lo & mask(width), width),
            _ => Expr::new(Node::Slice(self.clone(), lo), width),
        }
    }

    /// Bit `index`.
    #[track_caller]
    pub fn bit(&self, index: usize) -> Expr {
        self.slice(index, 1)
    }

    /// The sign bit.
    pub fn msb(&self) -> Expr {
        self.bit(self.width - 1)
    }

    /// `count` copies side by side.
    #[track_caller]
    pub fn repeat(&self, count: usize) -> Expr {
        let width = self.width * count;
        check_width(width);
        if count == 1 { self.clone() } else { Expr::new(Node::Repeat(self.clone(), count), width) }
    }

    /// 1 if any bit is 1.
    pub fn any(&self) -> Expr {
        if self.width == 1 { self.clone() } else { Expr::new(Node::Any(self.clone()), 1) }
    }

    /// 1 if all bits are 1.
    pub fn all(&self) -> Expr {
        if self.width == 1 { self.clone() } else { Expr::new(Node::All(self.clone()), 1) }
    }

    /// Shifted left by the constant `amount`, same width.
    #[track_caller]
    pub fn shl(&self, amount: usize) -> Expr {
        match amount {
            0 => self.clone(),
            _ if amount >= self.width => lit(0, self.width),
            _ => concat([self.slice(0, self.width - amount), lit(0, amount)]),
        }
    }

    /// Shifted right by the constant `amount`, zeros moving in, same width.
    #[track_caller]
    pub fn shr(&self, amount: usize) -> Expr {
        if amount >= self.width {
            return lit(0, self.width);
        }
        self.slice(amount, self.width - amount).zext(self.width)
    }

    /// Shifted right by the constant `amount`, copies of the sign moving in, same width.
    #[track_caller]
    pub fn shr_signed(&self, amount: usize) -> Expr {
        let amount = amount.min(self.width - 1);
        self.slice(amount, self.width - amount).sext(self.width)
    }

    /// Shifted right by the unsigned `amount`, zeros moving in, same width.
    pub fn shr_by(&self, amount: impl Into<Expr>) -> Expr {
        Expr::new(Node::Shift(Shift::Right, self.clone(), amount.into()), self.width)
    }

    /// Shifted right by the unsigned `amount`, copies of the sign moving in, same width.
    pub fn shr_signed_by(&self, amount: impl Into<Expr>) -> Expr {
        Expr::new(Node::Shift(Shift::RightSigned, self.clone(), amount.into()), self.width)
    }

    /// Calls `visit` with each operand.
    pub(crate) fn for_each_operand(&self, mut visit: impl FnMut(&Expr)) {
        match &*self.node {
            Node::Literal(_) | Node::Constant(..) | Node::Net(_) => {}
            Node::Named(_, a)
            | Node::Not(a)
            | Node::Zext(a)
            | Node::Sext(a)
            | Node::Slice(a, _)
            | Node::Repeat(a, _)
            | Node::Any(a)
            | Node::All(a) => visit(a),
            Node::Binary(_, a, b) | Node::Compare(_, a, b) | Node::MulSigned(a, b) | Node::Shift(_, a, b) => {
                visit(a);
                visit(b);
            }
            Node::Concat(parts) => parts.iter().for_each(visit),
            Node::Mux(a, b, c) => {
                visit(a);
                visit(b);
                visit(c);
            }
        }
    }

    /// Calls `visit` with each net this value depends on.
    pub(crate) fn for_each_net(&self, visit: &mut impl FnMut(&Net)) {
        self.walk(&mut HashSet::new(), visit);
    }

    fn walk(&self, seen: &mut HashSet<*const Node>, visit: &mut impl FnMut(&Net)) {
        if !seen.insert(Arc::as_ptr(&self.node)) {
            return;
        }
        if let Node::Net(net) = &*self.node {
            visit(net);
        }
        self.for_each_operand(|operand| operand.walk(seen, visit));
    }
}

#[cfg(test)]
mod tests;
