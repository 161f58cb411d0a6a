//! 3x3 convolutions of stride 1 by Winograd's minimal filtering F(2x2, 3x3): 16 multiplications instead of 36
//! for every 2x2 outputs of a channel pair (Lavin and Gray 2016, arXiv:1509.09308).
//!
//! Outputs are cut into 2x2 tiles, each of which sees a 4x4 patch `d` of the input. With
//!
//! ```text
//!        1  0 -1  0          1   0   0           1  1  1  0
//! B^T =  0  1  1  0    G =  1/2 1/2 1/2    A^T = 0  1 -1 -1
//!        0 -1  1  0         1/2 -1/2 1/2
//!        0  1  0 -1          0   0   1
//! ```
//!
//! a tile is `A^T [ sum over inputs of (G g G^T) * (B^T d B) ] A`, `*` element by element: 16 matrix products over
//! channels, one for each place of the 4x4 grid. The gradient by the input is the same with the window turned by
//! 180 degrees; the gradient by the window is `G^T [ sum over tiles of (B^T d B) * (A y A^T) ] G`.

use super::Window;
use super::lanes::{LANES, Lanes, add, half, load, store, sub};
use crate::matmul::{Matrix, matmul};
use crate::parallel::Scratch;
use crate::{Extents, Float, Tensor};
use pulp::Arch;
use rayon::prelude::*;
use std::ops::Range;

/// Places of the 4x4 grid.
const GRID: usize = 16;
/// Elements of transformed tiles made at a time: 512 KiB of `f32`, which stays in a core's cache.
const BLOCK_ELEMENTS: usize = 1 << 17;

/// Least tiles of a group of images.
const TILES: usize = 64;

/// Whether the tiles serve a convolution.
pub(super) fn applies(window: Window, in_channels: usize, out_channels: usize) -> bool {
    let Window { kernel, stride, padding } = window;
    let whole = in_channels.is_multiple_of(LANES) && out_channels.is_multiple_of(LANES);
    kernel == 3 && stride == 1 && padding <= 2 && whole
}

/// `G g G^T` of each channel pair: from `[3, 3, pairs]` to `[4, 4, pairs]`.
pub(super) fn transform_weights<F: Float>(weights: &[F], transformed: &mut Vec<F>) {
    let pairs = weights.len() / 9;
    transformed.resize(GRID * pairs, F::zero());
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for pair in (0..pairs).step_by(LANES) {
                let mut g = [[F::zero(); LANES]; 9];
                for (place, lanes) in g.iter_mut().enumerate() {
                    *lanes = load(weights, place * pairs + pair);
                }
                put(expand_weights(g), transformed, pair, pairs);
            }
        },
    );
}

/// `G^T u G` of each channel pair: from `[4, 4, pairs]` to `[3, 3, pairs]`.
fn gather_weights<F: Float>(u: &[F], weights: &mut [F]) {
    let pairs = u.len() / GRID;
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for pair in (0..pairs).step_by(LANES) {
                let grid = load_grid(u, pair, pairs);
                for (place, lanes) in contract_weights(grid).into_iter().enumerate() {
                    store(lanes, weights, place * pairs + pair);
                }
            }
        },
    );
}

/// A correlation of maps with 3x3 windows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Correlation<'a, F> {
    /// `[4, 4, from, to]`, or `[4, 4, to, from]` where turned.
    pub(super) transformed: &'a [F],
    /// Whether windows are turned by 180 degrees and joined to channels the other way round: the gradient by
    /// the input.
    pub(super) turned: bool,
    /// Border of zeros around the source.
    pub(super) padding: usize,
    /// Whether to add to what is there.
    pub(super) accumulate: bool,
    pub(super) scratch: &'a Scratch<F>,
}

impl<F: Float> Correlation<'_, F> {
    fn weights(&self, place: usize, from: usize, to: usize) -> Matrix<'_, F> {
        let at = |place: usize| &self.transformed[place * from * to..][..from * to];
        if self.turned {
            // Turning a window exchanges the outer rows and columns of `G g G^T`.
            const TURN: [usize; 4] = [3, 1, 2, 0];
            let place = TURN[place / 4] * 4 + TURN[place % 4];
            Matrix::new(at(place), to, from).transposed()
        } else {
            Matrix::new(at(place), from, to)
        }
    }

    /// Writes the maps `to`, whose extents are set, from the maps `from`.
    pub(super) fn apply(&self, from: &Tensor<F>, to: &mut Tensor<F>) {
        let (se, re) = (from.extents, to.extents);
        // Small maps are taken together, so that each product has rows enough.
        let images = TILES.div_ceil(re.height.div_ceil(2) * re.width.div_ceil(2));
        let groups =
            from.data.par_chunks(images * se.image()).zip(to.data.par_chunks_mut(images * re.image()));
        groups.for_each(|(from, to)| self.apply_to_group((from, se), (to, re)));
    }

    /// The same for a group of images.
    fn apply_to_group(&self, from: (&[F], Extents), to: (&mut [F], Extents)) {
        let ((source, se), (result, re)) = (from, to);
        let tiles = Tiles::new(re, self.padding);
        for rows in tiles.blocks(result.len() / re.image(), se.channels + re.channels) {
            let count = rows.len() * tiles.columns;
            let (v_len, m_len) = (count * se.channels, count * re.channels);
            self.scratch.with(GRID * (v_len + m_len), |buffer| {
                let (v, m) = buffer.split_at_mut(GRID * v_len);
                Arch::new().dispatch(
                    #[inline(always)]
                    || tiles.patches(source, se, rows.clone(), v),
                );
                for place in 0..GRID {
                    let v = Matrix::new(&v[place * v_len..][..v_len], count, se.channels);
                    let weights = self.weights(place, se.channels, re.channels);
                    matmul(&mut m[place * m_len..][..m_len], v, weights, false);
                }
                Arch::new().dispatch(
                    #[inline(always)]
                    || tiles.outputs(m, rows.clone(), result, self.accumulate),
                );
            });
        }
    }
}

/// Writes `dL/dW`, `[3, 3, in, out]`, of a group of images.
pub(super) fn weight_gradient<F: Float>(
    padding: usize,
    input: (&[F], Extents),
    grad_out: (&[F], Extents),
    scratch: &Scratch<F>,
    gradient: &mut [F],
) {
    let ((x, xe), (g, ge)) = (input, grad_out);
    let tiles = Tiles::new(ge, padding);
    let pairs = xe.channels * ge.channels;
    let mut sum = vec![F::zero(); GRID * pairs];
    for rows in tiles.blocks(g.len() / ge.image(), xe.channels + ge.channels) {
        let count = rows.len() * tiles.columns;
        let (v_len, z_len) = (count * xe.channels, count * ge.channels);
        scratch.with(GRID * (v_len + z_len), |buffer| {
            let (v, z) = buffer.split_at_mut(GRID * v_len);
            Arch::new().dispatch(
                #[inline(always)]
                || {
                    tiles.patches(x, xe, rows.clone(), v);
                    tiles.spread(g, rows.clone(), z);
                },
            );
            for place in 0..GRID {
                let v = Matrix::new(&v[place * v_len..][..v_len], count, xe.channels).transposed();
                let z = Matrix::new(&z[place * z_len..][..z_len], count, ge.channels);
                matmul(&mut sum[place * pairs..][..pairs], v, z, true);
            }
        });
    }
    gather_weights(&sum, gradient);
}

/// The 2x2 tiles of maps.
struct Tiles {
    extents: Extents,
    padding: usize,
    rows: usize,
    columns: usize,
}

impl Tiles {
    fn new(extents: Extents, padding: usize) -> Self {
        Tiles { extents, padding, rows: extents.height.div_ceil(2), columns: extents.width.div_ceil(2) }
    }

    /// Rows of tiles of `images` images, counted through, in blocks that fit a core's cache.
    fn blocks(&self, images: usize, channels: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let all = images * self.rows;
        let rows = (BLOCK_ELEMENTS / (GRID * channels * self.columns)).clamp(1, all);
        (0..all).step_by(rows).map(move |first| first..(first + rows).min(all))
    }

    /// Image and upper left output of a tile, counted from the first one of `rows`.
    #[inline(always)]
    fn corner(&self, rows: &Range<usize>, tile: usize) -> (usize, usize, usize) {
        let (row, column) = (rows.start + tile / self.columns, tile % self.columns);
        (row / self.rows, row % self.rows * 2, column * 2)
    }

    /// `B^T d B` of each tile: `[4, 4, tile, channel]`.
    #[inline(always)]
    fn patches<F: Float>(&self, source: &[F], se: Extents, rows: Range<usize>, v: &mut [F]) {
        let c = se.channels;
        let zeros = vec![F::zero(); c];
        let stride = v.len() / GRID;
        for tile in 0..stride / c {
            let (image, y, x) = self.corner(&rows, tile);
            let mut patch = [&zeros[..]; GRID];
            for (place, patch) in patch.iter_mut().enumerate() {
                // Places above and left of the map wrap around to far beyond its other end.
                let y = (y + place / 4).wrapping_sub(self.padding);
                let x = (x + place % 4).wrapping_sub(self.padding);
                if y < se.height && x < se.width {
                    *patch = &source[((image * se.height + y) * se.width + x) * c..][..c];
                }
            }
            for channel in (0..c).step_by(LANES) {
                let mut d = [[F::zero(); LANES]; GRID];
                for place in 0..GRID {
                    d[place] = load(patch[place], channel);
                }
                put(expand_patch(d), v, tile * c + channel, stride);
            }
        }
    }

    /// `A y A^T` of each tile: `[4, 4, tile, channel]`; outputs beyond the map are zero.
    #[inline(always)]
    fn spread<F: Float>(&self, grad: &[F], rows: Range<usize>, z: &mut [F]) {
        let width = self.extents.channels;
        let zeros = vec![F::zero(); width];
        let stride = z.len() / GRID;
        for tile in 0..stride / width {
            let corner = self.corner(&rows, tile);
            let output = |i| self.output(corner, i).map_or(&zeros[..], |at| &grad[at..at + width]);
            let outputs = [output(0), output(1), output(2), output(3)];
            for channel in (0..width).step_by(LANES) {
                let [a, b, c, d] = outputs;
                let y = [load(a, channel), load(b, channel), load(c, channel), load(d, channel)];
                put(expand_outputs(y), z, tile * width + channel, stride);
            }
        }
    }

    /// `A^T m A` of each tile, from `[4, 4, tile, channel]`.
    #[inline(always)]
    fn outputs<F: Float>(&self, m: &[F], rows: Range<usize>, result: &mut [F], accumulate: bool) {
        let c = self.extents.channels;
        let stride = m.len() / GRID;
        for tile in 0..stride / c {
            let corner = self.corner(&rows, tile);
            let to = [0, 1, 2, 3].map(|i| self.output(corner, i));
            for channel in (0..c).step_by(LANES) {
                let outputs = contract_tile(load_grid(m, tile * c + channel, stride));
                for (to, value) in to.into_iter().zip(outputs) {
                    let Some(to) = to else { continue };
                    let before = if accumulate { load(result, to + channel) } else { [F::zero(); LANES] };
                    store(add(before, value), result, to + channel);
                }
            }
        }
    }

    /// Where output `i` of a tile lies, if it is on the map.
    fn output(&self, (image, y, x): (usize, usize, usize), i: usize) -> Option<usize> {
        let Extents { height, width, channels, .. } = self.extents;
        let (y, x) = (y + i / 2, x + i % 2);
        (y < height && x < width).then_some(((image * height + y) * width + x) * channels)
    }
}

/// Some channels at each place of a 4x4 grid, row after row.
type Grid<F> = [Lanes<F>; GRID];

#[inline(always)]
fn load_grid<F: Float>(from: &[F], first: usize, stride: usize) -> Grid<F> {
    let mut grid = [[F::zero(); LANES]; GRID];
    for (place, lanes) in grid.iter_mut().enumerate() {
        *lanes = load(from, place * stride + first);
    }
    grid
}

#[inline(always)]
fn put<F: Float>(grid: Grid<F>, to: &mut [F], first: usize, stride: usize) {
    for (place, lanes) in grid.into_iter().enumerate() {
        store(lanes, to, place * stride + first);
    }
}

/// `B^T d B`.
#[inline(always)]
fn expand_patch<F: Float>(mut d: Grid<F>) -> Grid<F> {
    for (first, step) in [(0, 4), (1, 4), (2, 4), (3, 4), (0, 1), (4, 1), (8, 1), (12, 1)] {
        let [a, b, c, e] = [d[first], d[first + step], d[first + 2 * step], d[first + 3 * step]];
        d[first] = sub(a, c);
        d[first + step] = add(b, c);
        d[first + 2 * step] = sub(c, b);
        d[first + 3 * step] = sub(b, e);
    }
    d
}

/// `A y A^T`.
#[inline(always)]
fn expand_outputs<F: Float>([a, b, c, d]: [Lanes<F>; 4]) -> Grid<F> {
    let zero = [F::zero(); LANES];
    let mut grid = [zero; GRID];
    for (x, upper, lower) in [(0, a, c), (1, b, d)] {
        for (y, value) in
            [upper, add(upper, lower), sub(upper, lower), sub(zero, lower)].into_iter().enumerate()
        {
            grid[4 * y + x] = value;
        }
    }
    for row in [0, 4, 8, 12] {
        let (left, right) = (grid[row], grid[row + 1]);
        grid[row + 1] = add(left, right);
        grid[row + 2] = sub(left, right);
        grid[row + 3] = sub(zero, right);
    }
    grid
}

/// `A^T m A`.
#[inline(always)]
fn contract_tile<F: Float>(mut m: Grid<F>) -> [Lanes<F>; 4] {
    for (first, step) in [(0, 4), (1, 4), (2, 4), (3, 4), (0, 1), (4, 1)] {
        let (b, c) = (m[first + step], m[first + 2 * step]);
        m[first] = add(add(m[first], b), c);
        m[first + step] = sub(sub(b, c), m[first + 3 * step]);
    }
    [m[0], m[1], m[4], m[5]]
}

/// `G g G^T`.
#[inline(always)]
fn expand_weights<F: Float>(g: [Lanes<F>; 9]) -> Grid<F> {
    let mut grid = [[F::zero(); LANES]; GRID];
    let lines = [(&[0, 3, 6], 0), (&[1, 4, 7], 1), (&[2, 5, 8], 2)];
    for ([a, b, c], column) in lines {
        let (outer, inner) = (half(add(g[*a], g[*c])), half(g[*b]));
        for (y, value) in [g[*a], add(outer, inner), sub(outer, inner), g[*c]].into_iter().enumerate() {
            grid[4 * y + column] = value;
        }
    }
    for row in [0, 4, 8, 12] {
        let [a, b, c] = [grid[row], grid[row + 1], grid[row + 2]];
        let (outer, inner) = (half(add(a, c)), half(b));
        grid[row + 1] = add(outer, inner);
        grid[row + 2] = sub(outer, inner);
        grid[row + 3] = c;
    }
    grid
}

/// `G^T u G`.
#[inline(always)]
fn contract_weights<F: Float>(mut u: Grid<F>) -> [Lanes<F>; 9] {
    for (first, step) in [(0, 4), (1, 4), (2, 4), (3, 4), (0, 1), (4, 1), (8, 1)] {
        let (b, c) = (u[first + step], u[first + 2 * step]);
        let sum = half(add(b, c));
        u[first] = add(u[first], sum);
        u[first + step] = half(sub(b, c));
        u[first + 2 * step] = add(sum, u[first + 3 * step]);
    }
    [u[0], u[1], u[2], u[4], u[5], u[6], u[8], u[9], u[10]]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conv::unfolded::Unfolded;
    use proptest::prelude::*;
    use rand::{Rng, SeedableRng};
    use rand_pcg::Pcg64Mcg;

    fn random(rng: &mut Pcg64Mcg, extents: Extents) -> Tensor<f64> {
        Tensor { extents, data: (0..extents.elements()).map(|_| rng.random_range(-1.0..1.0)).collect() }
    }

    fn same(a: &[f64], b: &[f64]) -> bool {
        a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-11)
    }

    proptest! {
        #[test]
        fn tiles_do_what_unfolded_windows_do(
            seed: u64,
            (images, height, width) in (1usize..5, 3usize..10, 3usize..10),
            (from, to) in (1usize..3, 1usize..3),
            padding in 0usize..3,
            accumulate: bool,
        ) {
            let mut rng = Pcg64Mcg::seed_from_u64(seed);
            let window = Window { kernel: 3, stride: 1, padding };
            let (in_channels, out_channels) = (from * LANES, to * LANES);
            let xe = Extents { images, height, width, channels: in_channels };
            let ye = Extents {
                images,
                height: window.positions(height),
                width: window.positions(width),
                channels: out_channels,
            };
            let weights: Vec<f64> =
                (0..9 * in_channels * out_channels).map(|_| rng.random_range(-1.0..1.0)).collect();
            let mut transformed = vec![];
            transform_weights(&weights, &mut transformed);
            let scratch = &Scratch::default();
            let unfolded = Unfolded { window, in_channels, out_channels, scratch };
            let tiles =
                Correlation { transformed: &transformed, turned: false, padding, accumulate: false, scratch };
            let (x, g) = (random(&mut rng, xe), random(&mut rng, ye));

            let (mut a, mut b) = (Tensor::zeros(ye), Tensor::zeros(ye));
            unfolded.forward(&weights, &x, &mut a);
            tiles.apply(&x, &mut b);
            prop_assert!(same(&a.data, &b.data));

            let mut a = random(&mut rng, xe);
            let mut b = a.clone();
            unfolded.input_gradient(&weights, &g, &mut a, accumulate);
            Correlation { turned: true, padding: 2 - padding, accumulate, ..tiles }.apply(&g, &mut b);
            prop_assert!(same(&a.data, &b.data));

            let (mut a, mut b) = (vec![0.0; weights.len()], vec![0.0; weights.len()]);
            unfolded.weight_gradient((&x.data, xe), (&g.data, ye), &mut a);
            weight_gradient(padding, (&x.data, xe), (&g.data, ye), scratch, &mut b);
            prop_assert!(same(&a, &b));
        }
    }
}
