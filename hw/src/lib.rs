//! The accelerator, described in RustHDL and elaborated from an ArchConfig.

pub mod emit;
pub mod rtl;
