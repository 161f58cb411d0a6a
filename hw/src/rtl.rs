//! Register-transfer layer: RustHDL blocks whose widths are run-time values.
//!
//! RustHDL's signals carry their width as a const generic, which a design elaborated from a configuration
//! file cannot use. A unit is still a RustHDL block (`#[derive(LogicBlock)]`, a tree of blocks, its checks,
//! its simulator), but
//! * its signals are [`Wire`]s, 1 to 64 bits wide, and
//! * its behaviour is one [`Rtl`] value of [`Expr`]essions, built in `new()`, which is both simulated
//!   (`Logic::update`) and rendered to Verilog (`Logic::hdl` and [`crate::emit`]).
//!
//! ```
//! use empf_hw::rtl::prelude::*;
//!
//! /// Counts the cycles in which `step_i` is high.
//! #[derive(LogicBlock)]
//! pub struct Counter {
//!     pub clock: Wire<In>,
//!     pub step_i: Wire<In>,
//!     pub count_o: Wire<Out>,
//!     _rtl: Rtl,
//! }
//!
//! impl Counter {
//!     pub fn new(width: usize) -> Self {
//!         let clock = Wire::new(1);
//!         let step_i = Wire::new(1);
//!         let count_o = Wire::new(width);
//!         let mut rtl = Rtl::new("counter", &clock);
//!         rtl.register(&count_o, 0).when(&step_i, count_o.plus(1));
//!         Counter { clock, step_i, count_o, _rtl: rtl }
//!     }
//! }
//! rtl_logic!(Counter);
//!
//! let mut bench = Bench::new(Counter::new(4), |counter| &counter.clock);
//! bench.step_i.set(1);
//! bench.tick();
//! bench.tick();
//! assert_eq!(bench.count_o.get(), 2);
//! ```
//!
//! Time: a register takes, at the rising edge, the value its expression had when the design settled with the
//! clock low. The depth of a unit in the hierarchy and the order of updates make no difference.

mod bench;
mod count;
mod expr;
mod memory;
mod power_up;
mod states;
mod unit;
mod wire;
pub mod word;

pub use bench::{Bench, settle};
pub use count::Loop;
pub use expr::{Expr, concat, lit, lit_signed, mux, select};
pub use memory::{READ_DELAY, Ram, Rom, SharedRam, address_width};
pub use power_up::random_power_up;
pub use states::States;
pub use unit::{Register, Rtl};
pub use wire::Wire;

pub(crate) use expr::{Binary, Compare, Node, Shift};
pub(crate) use states::states;
pub(crate) use unit::{
    Description, Implementation, Memory, MemoryImage, MemoryRead, Multiply, RegisterSpec, Section,
    description_of,
};
pub(crate) use wire::Net;

/// What a file that describes a unit imports.
pub mod prelude {
    pub use super::{
        Bench, Expr, Loop, Ram, Rom, Rtl, SharedRam, States, Wire, concat, lit, lit_signed, mux, select,
    };
    pub use crate::rtl_logic;
    pub use rust_hdl_core::prelude::{Block, In, Local, Logic, LogicBlock, Out, Verilog};
    // The code derived by `LogicBlock` names these modules.
    #[doc(hidden)]
    pub use rust_hdl_core::prelude::{block, probe};
}

/// Implements RustHDL's `Logic` for a block by its field `_rtl: Rtl`.
#[macro_export]
macro_rules! rtl_logic {
    ($block:ty) => {
        impl $crate::rtl::prelude::Logic for $block {
            fn update(&mut self) {
                self._rtl.update();
            }
            fn hdl(&self) -> $crate::rtl::prelude::Verilog {
                self._rtl.hdl()
            }
        }
    };
}
