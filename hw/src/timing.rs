//! Latencies that decide how many cycles a step takes; the cycle model of an inference is made of these.

pub use crate::accumulator::block_delay;
use crate::rtl::READ_DELAY;

pub use crate::drain::{LOGIT_CYCLES, RESULT_CYCLES, least_run_cycles, load_cycles};
pub use crate::pool::POOL_TAIL_CYCLES;
pub use crate::sequencer::{FETCH_CYCLES, LAUNCH_CYCLES};
pub use crate::stream::control_delay;

/// Cycles from a convolution's start to its first vector: one to see the start, one to see a free bank, one to choose it.
pub const STREAM_START_CYCLES: usize = 3;
/// Cycles from the end of a drain to the first vector of a stream that waited for its bank.
pub const BANK_FREE_CYCLES: usize = 3;
/// Cycles besides the planes that the unfolding unit takes to write a group of lanes: its last code is on its way.
pub const UNFOLD_TAKE_CYCLES: usize = READ_DELAY;
