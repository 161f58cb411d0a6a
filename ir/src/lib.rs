//! Plain data that the stages of the toolkit hand each other.
//!
//! | type | what | on disk |
//! |---|---|---|
//! | [`Network`] | float graph and parameters, what the trainer writes | `network.json` + `weights.safetensors` |
//! | [`QuantNetwork`] | integer graph, what every engine computes | `quant.json` + `quant.safetensors` |
//! | [`ArchConfig`] | every width and depth of the accelerator | TOML file or preset |
//! | [`Program`] | schedule, ROM images, memory map | `program.json` + `*.mem` |
//!
//! There is no behaviour here beyond validation and storage. Everything is validated when it is loaded:
//! version, shapes, ranges, finite numbers, graph order. The forms are described in `docs/format.md`.

pub mod arch;
pub mod border;
pub mod class_names;
pub mod codes;
pub mod count;
mod document;
pub mod error;
pub mod formats;
pub mod graph;
pub mod isa;
mod json;
pub mod keys;
pub mod memory;
mod name;
pub mod network;
pub mod per_channel;
mod printable;
pub mod program;
pub mod quant;
pub mod rom;
pub mod shape;
pub mod store;
pub mod tensors;
pub mod trace;
pub mod window;

pub use arch::{ArchConfig, Target};
pub use border::Border;
pub use class_names::ClassNames;
pub use codes::{CodeFormat, Codes};
pub use count::counted;
pub use error::{Error, Result};
pub use graph::{INPUT, Node};
pub use network::{Input, Network, NeuronVersion, Op, WeightKind};
pub use per_channel::PerChannel;
pub use program::Program;
pub use quant::{QuantInput, QuantNetwork, QuantOp};
pub use shape::Shape;
pub use tensors::{Tensor, Tensors};
pub use trace::Trace;
pub use window::Window;
