//! Whole-toolkit regression: cases as files, run on every engine.
//!
//! A [`Case`] describes a network, an array and a seed; `cases/*.json` holds those that every test run takes.
//! [`Case::random`] draws others, and [`minimise`] makes a failing one small enough to be kept as a file.

mod case;
mod crowd;
mod faults;
mod mechanisms;
mod minimise;
mod plant;
mod random;
mod resets;
mod suite;
mod values;

pub use case::{Attention, Case, CaseInput, Conv, Layer, Shortcut, Source, Windows, accelerator};
pub use crowd::crowd;
pub use faults::{FaultError, Located, changed_theta, flipped_weight, off_by_one_stride};
pub use mechanisms::{MECHANISMS, Mechanism, Shrunk};
pub use minimise::minimise;
pub use plant::Misfit;
pub use random::{
    ARRAYS, KERNELS, STRIDES, TIME_STEPS, fit, pooled_arch, random_arch, tiny_arch, with_memories,
};
pub use resets::Interrupted;
pub use suite::{Failure, Outcome, Result, Suite, compile, run_description, run_network, run_schedule};
