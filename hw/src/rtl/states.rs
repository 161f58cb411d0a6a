//! States of a unit's machine, with names that the Verilog keeps.

use super::expr::{Expr, Node};
use super::word::bits_for;
use super::{Rtl, Wire};
use crate::rtl::Register;
use rust_hdl_core::prelude::{Direction, Local};

/// The states of a machine, from 0; `states!` declares them.
pub trait States: Copy {
    /// Their names in Verilog.
    const NAMES: &'static [&'static str];

    /// The state's number.
    fn index(self) -> usize;

    /// Bits of a register that holds a state.
    fn bits() -> usize {
        bits_for(Self::NAMES.len())
    }

    /// A register's signal.
    fn wire() -> Wire<Local> {
        Wire::new(Self::bits())
    }

    /// The state as a constant.
    fn e(self) -> Expr {
        Expr::new(Node::Constant(Self::NAMES[self.index()], self.index() as u64), Self::bits())
    }

    /// `register` holds this state, 1 bit.
    fn is<D: Direction>(self, register: &Wire<D>) -> Expr {
        register.e().eq(self.e())
    }
}

impl Rtl {
    /// Makes `target` the register of a machine that starts in the state `first`; a unit has one.
    #[track_caller]
    pub fn machine<S: States>(&mut self, target: &Wire<Local>, first: S) -> Register<'_> {
        self.declare_states(target, S::NAMES);
        self.register(target, first.index() as u64)
    }
}

/// Declares `State`, the states of a unit's machine in the order of their numbers, each with its name in Verilog.
macro_rules! states {
    ($($(#[$doc:meta])* $state:ident = $name:literal),+ $(,)?) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum State { $($(#[$doc])* $state),+ }

        impl States for State {
            const NAMES: &'static [&'static str] = &[$($name),+];
            fn index(self) -> usize {
                self as usize
            }
        }

        impl From<State> for Expr {
            fn from(state: State) -> Expr {
                state.e()
            }
        }
    };
}
pub(crate) use states;
