//! The accelerator's instruction set: one description of every field of every descriptor.
//!
//! The sequencer reads the schedule, a sequence of 32-bit words: a header, then records of an opcode and its
//! unit's descriptor, a word a field; a unit starts when it has its descriptor. What is described here is used by all who meet it:
//!
//! | who | what |
//! |---|---|
//! | compiler | [`encode`](Pool::encode) makes registers' values of exact numbers, or says which one does not fit |
//! | [`Program`](crate::Program) | writes the schedule, and checks what it reads |
//! | hardware | has a register of [`Field::bits`] for each field |
//! | interpreter | keeps of each word what the register keeps, and predicts the cycles of reading them |
//! | `docs/isa.md` | [`page`](page()) |

mod drain;
mod field;
mod lane;
mod limit;
mod page;
mod passes;
mod pool;
mod record;
mod schedule;
mod score;
mod stream;
mod task;
mod tile;
mod unfold;
mod unit;

pub use drain::{ATTENTION_KEEPS, ATTENTION_SCALES, Drain, SHORTCUT_SUMS, run_words};
pub use field::{Field, Kind, WORD_BITS};
pub use lane::{BIAS_HALF_BITS, LaneParameters, ShortcutParameters};
pub use limit::{Limit, LimitError, MAX_EXTENT, MAX_PASSES, POOL_WINDOW};
pub use page::page;
pub use passes::{PLANE_BITS, Pass, PassFields};
pub use pool::Pool;
pub use record::Record;
pub use schedule::{HEADER, OPCODE_END, Schedule, ScheduleError, check_input};
pub use score::{SCORE_INDEX_BITS, SIDE_BITS, score_index, score_table, score_words, side};
pub use stream::Stream;
pub use task::{Array, Task};
pub use unfold::Unfold;
pub use unit::Unit;
