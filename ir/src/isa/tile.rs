//! Tiles of positions.

use super::limit::product;
use std::ops::Range;

/// Positions of tile number `tile`, where there are so many tiles, of so many positions, the last of so many.
pub(super) fn tile_of(tile: u32, [tiles, positions, last]: [u32; 3]) -> Range<u32> {
    let first = tile * positions;
    first..first + if tile + 1 == tiles { last } else { positions }
}

/// Positions of all of them.
pub(super) fn positions_of([tiles, positions, last]: [u32; 3]) -> u64 {
    product([tiles - 1, positions]) + u64::from(last)
}
