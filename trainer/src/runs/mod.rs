//! Training runs: batches, steps, checkpoints, logs, and how results are judged.

pub mod activity;
mod average;
mod batches;
mod checkpoint;
mod config;
mod difference;
pub mod evaluate;
pub mod log;
pub(crate) mod optimizer;
pub(crate) mod progress;
pub(crate) mod schedule;
pub mod train;

pub use batches::Batches;
