//! The accelerator, described in RustHDL and elaborated from an ArchConfig
