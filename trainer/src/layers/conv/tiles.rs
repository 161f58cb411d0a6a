//! The 2x2 tiles of maps.

use super::lanes::{LANES, Lanes, add, load, store};
use super::transform::{GRID, Grid, contract_tile, expand_outputs, expand_patch, grid, load_grid};
use crate::{Extents, Float};
use pulp::Arch;
use std::ops::Range;

/// Image and upper left output of a tile.
pub(super) type Corner = (usize, usize, usize);

/// The tiles of maps, row after row and image after image.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tiles {
    extents: Extents,
    /// Of an image.
    pub(super) rows: usize,
    /// Of an image.
    pub(super) columns: usize,
}

/// What tiles are made from.
pub(super) trait Source<F: Float> {
    /// What is read of a tile, one run of channels a place.
    type Tile<'a>
    where
        Self: 'a;

    /// Where the tiles lie.
    fn tiles(&self) -> &Tiles;
    /// Channels of the maps.
    fn channels(&self) -> usize;
    /// What is read of the tile at a corner.
    fn tile(&self, corner: Corner) -> Self::Tile<'_>;
    /// [`LANES`] channels of a tile, transformed.
    fn grid(tile: &Self::Tile<'_>, channel: usize) -> Grid<F>;
}

/// Inputs: `B^T d B`.
#[derive(Debug)]
pub(super) struct Patches<'a, F> {
    pub(super) maps: &'a [F],
    pub(super) extents: Extents,
    /// Border of zeros.
    pub(super) padding: usize,
    pub(super) tiles: Tiles,
    /// What is read beyond the map: a zero a channel.
    pub(super) zeros: Vec<F>,
}

/// Gradients of outputs: `A y A^T`.
#[derive(Debug)]
pub(super) struct Outputs<'a, F> {
    pub(super) maps: &'a [F],
    pub(super) tiles: Tiles,
    /// What is read beyond the map: a zero a channel.
    pub(super) zeros: Vec<F>,
}

impl Tiles {
    /// Of maps of `extents`; the last row or column of tiles may hang over.
    pub(super) fn new(extents: Extents) -> Self {
        Tiles { extents, rows: extents.height.div_ceil(2), columns: extents.width.div_ceil(2) }
    }

    /// Corner of a tile, counted from the first one of row `first_row`.
    #[inline(always)]
    pub(super) fn corner(&self, first_row: usize, tile: usize) -> Corner {
        let (row, column) = (first_row + tile / self.columns, tile % self.columns);
        (row / self.rows, row % self.rows * 2, column * 2)
    }

    /// Where output `i` of a tile lies, if it is on the map.
    #[inline(always)]
    fn output(&self, (image, y, x): Corner, i: usize) -> Option<usize> {
        let Extents { height, width, channels, .. } = self.extents;
        let (y, x) = (y + i / 2, x + i % 2);
        (y < height && x < width).then_some(((image * height + y) * width + x) * channels)
    }

    /// Writes `A^T m A` of each tile of `rows` to the maps, from `[4, 4, tile, channel]`, or adds it.
    pub(super) fn collect<F: Float>(&self, m: &[F], rows: Range<usize>, maps: &mut [F], accumulate: bool) {
        let channels = self.extents.channels;
        let stride = m.len() / GRID;
        Arch::new().dispatch(
            #[inline(always)]
            || {
                for tile in 0..stride / channels {
                    let corner = self.corner(rows.start, tile);
                    let to = [0, 1, 2, 3].map(|i| self.output(corner, i));
                    for channel in (0..channels).step_by(LANES) {
                        let [a, b, c, d] = contract_tile(load_grid(m, tile * channels + channel, stride));
                        put(a, to[0], channel, maps, accumulate);
                        put(b, to[1], channel, maps, accumulate);
                        put(c, to[2], channel, maps, accumulate);
                        put(d, to[3], channel, maps, accumulate);
                    }
                }
            },
        );
    }
}

/// Writes some channels of an output that is on the map, or adds them.
#[inline(always)]
fn put<F: Float>(value: Lanes<F>, to: Option<usize>, channel: usize, maps: &mut [F], accumulate: bool) {
    let Some(at) = to else { return };
    let value = if accumulate { add(load(maps, at + channel), value) } else { value };
    store(value, maps, at + channel);
}

impl<F: Float> Source<F> for Patches<'_, F> {
    type Tile<'a>
        = [&'a [F]; GRID]
    where
        Self: 'a;

    fn tiles(&self) -> &Tiles {
        &self.tiles
    }

    fn channels(&self) -> usize {
        self.extents.channels
    }

    #[inline(always)]
    fn tile(&self, (image, y, x): Corner) -> [&[F]; GRID] {
        let Extents { height, width, channels, .. } = self.extents;
        let mut tile = [&self.zeros[..]; GRID];
        for (place, run) in tile.iter_mut().enumerate() {
            // Places above and left of the map wrap around to far beyond its other end.
            let y = (y + place / 4).wrapping_sub(self.padding);
            let x = (x + place % 4).wrapping_sub(self.padding);
            if y < height && x < width {
                *run = &self.maps[((image * height + y) * width + x) * channels..][..channels];
            }
        }
        tile
    }

    #[inline(always)]
    fn grid(tile: &[&[F]; GRID], channel: usize) -> Grid<F> {
        expand_patch(grid!(place => load(tile[place], channel)))
    }
}

impl<F: Float> Source<F> for Outputs<'_, F> {
    type Tile<'a>
        = [&'a [F]; 4]
    where
        Self: 'a;

    fn tiles(&self) -> &Tiles {
        &self.tiles
    }

    fn channels(&self) -> usize {
        self.tiles.extents.channels
    }

    #[inline(always)]
    fn tile(&self, corner: Corner) -> [&[F]; 4] {
        let mut tile = [&self.zeros[..]; 4];
        for (i, run) in tile.iter_mut().enumerate() {
            if let Some(at) = self.tiles.output(corner, i) {
                *run = &self.maps[at..][..self.tiles.extents.channels];
            }
        }
        tile
    }

    #[inline(always)]
    fn grid(tile: &[&[F]; 4], channel: usize) -> Grid<F> {
        let [a, b, c, d] = *tile;
        expand_outputs([load(a, channel), load(b, channel), load(c, channel), load(d, channel)])
    }
}
