//! What an expression is in RustHDL's simulator.

use super::{Binary, Compare, Expr, Node, Shift};
use crate::rtl::word::{MAX_WIDTH, mask, to_signed};

impl Expr {
    /// Present value.
    pub(crate) fn eval(&self) -> u64 {
        let signed = |e: &Expr| to_signed(e.eval(), e.width);
        let value = match &*self.node {
            Node::Literal(value) | Node::Constant(_, value) => *value,
            Node::Net(net) => net.get(),
            Node::Named(_, value) => value.eval(),
            Node::Not(a) => !a.eval(),
            Node::Binary(op, a, b) => {
                let (a, b) = (a.eval(), b.eval());
                match op {
                    Binary::Add => a.wrapping_add(b),
                    Binary::Sub => a.wrapping_sub(b),
                    Binary::And => a & b,
                    Binary::Or => a | b,
                    Binary::Xor => a ^ b,
                }
            }
            Node::Compare(op, a, b) => u64::from(match op {
                Compare::Eq => a.eval() == b.eval(),
                Compare::Ne => a.eval() != b.eval(),
                Compare::Lt => a.eval() < b.eval(),
                Compare::Le => a.eval() <= b.eval(),
                Compare::LtSigned => signed(a) < signed(b),
                Compare::LeSigned => signed(a) <= signed(b),
            }),
            Node::MulSigned(a, b) => signed(a).wrapping_mul(signed(b)) as u64,
            Node::Zext(a) => a.eval(),
            Node::Sext(a) => signed(a) as u64,
            Node::Slice(a, lo) => a.eval() >> lo,
            Node::Concat(parts) => parts.iter().fold(0, |high, part| join(high, part.eval(), part.width)),
            Node::Repeat(a, count) => {
                let bits = a.eval();
                (0..*count).fold(0, |high, _| join(high, bits, a.width))
            }
            Node::Any(a) => u64::from(a.eval() != 0),
            Node::All(a) => u64::from(a.eval() == mask(a.width)),
            Node::Mux(condition, yes, no) => {
                if condition.eval() == 1 {
                    yes.eval()
                } else {
                    no.eval()
                }
            }
            Node::Shift(op, a, amount) => {
                let amount = amount.eval().min(MAX_WIDTH as u64) as u32;
                match op {
                    Shift::Right => a.eval().checked_shr(amount).unwrap_or(0),
                    Shift::RightSigned => (signed(a) >> amount.min(MAX_WIDTH as u32 - 1)) as u64,
                }
            }
        };
        value & mask(self.width)
    }
}

/// `low`, of `width` bits, below `high`.
fn join(high: u64, low: u64, width: usize) -> u64 {
    high.checked_shl(width as u32).unwrap_or(0) | low
}
