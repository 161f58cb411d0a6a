//! What is emitted of a design.

use empf_ir::Target;

/// What is emitted of a design.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// Multipliers and memories are written for these parts.
    pub target: Target,
    /// Memories read their images; else only where a parameter names one.
    pub images: bool,
}

impl Default for Form {
    fn default() -> Self {
        Form { target: Target::Generic, images: true }
    }
}
