//! Rust's operators on expressions and wires, and what becomes an expression by itself.

use super::{Binary, Expr, Node};
use crate::rtl::wire::{Net, Wire};
use rust_hdl_core::prelude::Direction;
use std::ops::{Add, BitAnd, BitOr, BitXor, Not, Sub};

impl<D: Direction> Wire<D> {
    /// The signal as an expression.
    pub fn e(&self) -> Expr {
        Expr::from(self)
    }
}

impl<D: Direction> From<&Wire<D>> for Expr {
    fn from(wire: &Wire<D>) -> Self {
        Expr::from(wire.net())
    }
}

impl From<&Net> for Expr {
    fn from(net: &Net) -> Self {
        Expr::new(Node::Net(net.clone()), net.width())
    }
}

impl From<&Expr> for Expr {
    fn from(expr: &Expr) -> Self {
        expr.clone()
    }
}

macro_rules! binary_operator {
    ($trait:ident, $method:ident) => {
        impl<R: Into<Expr>> $trait<R> for Expr {
            type Output = Expr;
            #[track_caller]
            fn $method(self, right: R) -> Expr {
                Expr::binary(binary_operator!(@ $trait), self, right.into())
            }
        }
        impl<R: Into<Expr>> $trait<R> for &Expr {
            type Output = Expr;
            #[track_caller]
            fn $method(self, right: R) -> Expr {
                Expr::binary(binary_operator!(@ $trait), self.clone(), right.into())
            }
        }
        impl<D: Direction, R: Into<Expr>> $trait<R> for &Wire<D> {
            type Output = Expr;
            #[track_caller]
            fn $method(self, right: R) -> Expr {
                Expr::binary(binary_operator!(@ $trait), self.e(), right.into())
            }
        }
    };
    (@ Add) => { Binary::Add };
    (@ Sub) => { Binary::Sub };
    (@ BitAnd) => { Binary::And };
    (@ BitOr) => { Binary::Or };
    (@ BitXor) => { Binary::Xor };
}
binary_operator!(Add, add);
binary_operator!(Sub, sub);
binary_operator!(BitAnd, bitand);
binary_operator!(BitOr, bitor);
binary_operator!(BitXor, bitxor);

impl Not for Expr {
    type Output = Expr;
    fn not(self) -> Expr {
        let width = self.width;
        Expr::new(Node::Not(self), width)
    }
}

impl Not for &Expr {
    type Output = Expr;
    fn not(self) -> Expr {
        !self.clone()
    }
}

impl<D: Direction> Not for &Wire<D> {
    type Output = Expr;
    fn not(self) -> Expr {
        !self.e()
    }
}
