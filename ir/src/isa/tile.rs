//! Tiles of positions.

use std::ops::Range;

/// Positions of tile number `tile`, where there are so many tiles, of so many positions, the last of so many.
pub(super) fn tile_of(tile: u32, [tiles, positions, last]: [u32; 3]) -> Range<u32> {
    let first = tile * positions;
    first..first + if tile + 1 == tiles { last } else { positions }
}
