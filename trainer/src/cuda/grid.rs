//! Blocks of threads, and the chunks of maps that they work on.

use crate::Extents;
use cudarc::driver::DeviceRepr;

/// Threads of a block that works on elements one by one.
const THREADS: usize = 256;
/// Threads of a block along the channels and along the rows; as in `common.cu`.
const LANES: usize = 32;
const ROWS: usize = 8;
/// Most chunks into which rows are cut, and the fewest rows of one.
const CHUNKS: usize = 256;
const CHUNK_ROWS: usize = 4 * ROWS;

/// Blocks and their threads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grid {
    pub(super) blocks: [usize; 3],
    pub(super) threads: [usize; 2],
}

impl Grid {
    /// A thread for each element.
    pub(super) fn elements(count: usize) -> Self {
        Grid { blocks: [count.div_ceil(THREADS), 1, 1], threads: [THREADS, 1] }
    }

    /// Threads that share each column.
    pub(super) fn columns(count: usize) -> Self {
        Grid { blocks: [count.div_ceil(LANES), 1, 1], threads: [LANES, ROWS] }
    }
}

/// Maps as rows of channels, cut into chunks; as in `common.cu`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(super) struct Chunk {
    rows: i32,
    pub(super) channels: i32,
    rows_per_chunk: i32,
}

// SAFETY: `repr(C)`, as `Chunk` in common.cu.
unsafe impl DeviceRepr for Chunk {}

impl Chunk {
    pub(super) fn of(maps: Extents) -> Self {
        let rows = maps.images * maps.positions();
        let rows_per_chunk = rows.div_ceil(CHUNKS).max(CHUNK_ROWS);
        Chunk { rows: rows as i32, channels: maps.channels as i32, rows_per_chunk: rows_per_chunk as i32 }
    }

    pub(super) fn count(self) -> usize {
        (self.rows as usize).div_ceil(self.rows_per_chunk as usize)
    }

    pub(super) fn grid(self) -> Grid {
        Grid { blocks: [self.count(), (self.channels as usize).div_ceil(LANES), 1], threads: [LANES, ROWS] }
    }
}
