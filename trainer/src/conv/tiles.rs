//! The 2x2 tiles of maps.

use super::lanes::{LANES, add, load, store};
use super::transform::{GRID, Grid, contract_tile, expand_outputs, expand_patch, load_grid};
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
    /// Where the tiles lie.
    fn tiles(&self) -> &Tiles;
    /// Channels of the maps.
    fn channels(&self) -> usize;
    /// [`LANES`] channels of a transformed tile.
    fn grid(&self, corner: Corner, channel: usize) -> Grid<F>;
}

/// Inputs: `B^T d B`.
#[derive(Debug)]
pub(super) struct Patches<'a, F> {
    pub(super) maps: &'a [F],
    pub(super) extents: Extents,
    /// Border of zeros.
    pub(super) padding: usize,
    pub(super) tiles: Tiles,
}

/// Gradients of outputs: `A y A^T`.
#[derive(Debug)]
pub(super) struct Outputs<'a, F> {
    pub(super) maps: &'a [F],
    pub(super) tiles: Tiles,
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
                    for channel in (0..channels).step_by(LANES) {
                        let outputs = contract_tile(load_grid(m, tile * channels + channel, stride));
                        for (i, mut value) in outputs.into_iter().enumerate() {
                            let Some(at) = self.output(corner, i) else { continue };
                            if accumulate {
                                value = add(load(maps, at + channel), value);
                            }
                            store(value, maps, at + channel);
                        }
                    }
                }
            },
        );
    }
}

impl<F: Float> Source<F> for Patches<'_, F> {
    fn tiles(&self) -> &Tiles {
        &self.tiles
    }

    fn channels(&self) -> usize {
        self.extents.channels
    }

    #[inline(always)]
    fn grid(&self, (image, y, x): Corner, channel: usize) -> Grid<F> {
        let Extents { height, width, channels, .. } = self.extents;
        let mut patch = [[F::zero(); LANES]; GRID];
        for (place, lanes) in patch.iter_mut().enumerate() {
            // Places above and left of the map wrap around to far beyond its other end.
            let y = (y + place / 4).wrapping_sub(self.padding);
            let x = (x + place % 4).wrapping_sub(self.padding);
            if y < height && x < width {
                *lanes = load(self.maps, ((image * height + y) * width + x) * channels + channel);
            }
        }
        expand_patch(patch)
    }
}

impl<F: Float> Source<F> for Outputs<'_, F> {
    fn tiles(&self) -> &Tiles {
        &self.tiles
    }

    fn channels(&self) -> usize {
        self.tiles.extents.channels
    }

    #[inline(always)]
    fn grid(&self, corner: Corner, channel: usize) -> Grid<F> {
        let mut outputs = [[F::zero(); LANES]; 4];
        for (i, lanes) in outputs.iter_mut().enumerate() {
            if let Some(at) = self.tiles.output(corner, i) {
                *lanes = load(self.maps, at + channel);
            }
        }
        expand_outputs(outputs)
    }
}
