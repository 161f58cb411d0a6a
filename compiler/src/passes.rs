//! The passes, one a file.

pub mod allocate;
pub mod emit;
pub mod lower;
pub mod prove;
pub mod schedule;
pub mod tile;
