//! Signals and blocks as a module declares them.

use super::memory::Parameters;
use rust_hdl_core::prelude::AtomKind;

/// A signal as its block declares it.
#[derive(Clone, Debug)]
pub(super) struct Signal {
    pub(super) name: String,
    /// Name of the field; the elements of a `Vec` share it.
    pub(super) bus: String,
    pub(super) id: usize,
    pub(super) kind: AtomKind,
    pub(super) width: usize,
}

impl Signal {
    pub(super) fn is_input(&self) -> bool {
        self.kind == AtomKind::InputParameter
    }
    pub(super) fn is_port(&self) -> bool {
        self.kind.is_parameter()
    }
}

/// A block inside another.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) name: String,
    pub(super) module: String,
    /// Of the images inside it.
    pub(super) parameters: Parameters,
    pub(super) ports: Vec<Signal>,
    pub(super) is_primitive: bool,
}
