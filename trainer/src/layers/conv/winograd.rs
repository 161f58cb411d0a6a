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

use super::lanes::{LANES, load, store};
use super::method::Method;
use super::product::{Left, Multiply, Size, place_in_panels};
use super::tiles::{Outputs, Patches, Source, Tiles};
use super::transform::{GRID, Grid, contract_weights, expand_weights, grid, load_grid};
use super::word::Word;
use crate::layers::parallel::Scratch;
use crate::{Extents, Float, Tensor};
use empf_ir::Window;
use pulp::Arch;
use rayon::prelude::*;
use std::fmt::Debug;
use std::ops::Range;

/// Words of transformed tiles made at a time: 512 KiB, which stays in a core's cache.
const BLOCK_WORDS: usize = 1 << 17;
/// Least tiles of a group of images.
const LEAST_TILES: usize = 64;

/// Whether the tiles serve a convolution whose operands are words of type `W`.
pub(super) fn applies<F: Float, W: Word<F>>(window: Window, in_channels: usize, out_channels: usize) -> bool {
    let Window { kernel, stride, padding } = window;
    let whole = |channels: usize| channels.is_multiple_of(W::NUMBERS * LANES);
    kernel == 3 && stride == 1 && padding <= 2 && whole(in_channels) && whole(out_channels)
}

/// A convolution in tiles.
#[derive(Debug)]
pub(super) struct Winograd<F, W> {
    padding: usize,
    /// Of the convolution.
    windows: Windows<W>,
    /// Of its gradient by the input.
    turned: Windows<W>,
    words: Scratch<W>,
    sums: Scratch<F>,
}

impl<F: Float, W: Multiply<F>> Winograd<F, W> {
    /// [`applies`] to the convolution.
    pub(super) fn new(padding: usize, in_channels: usize, out_channels: usize) -> Self {
        Winograd {
            padding,
            windows: Windows::new(in_channels, out_channels),
            turned: Windows::new(out_channels, in_channels),
            words: Scratch::default(),
            sums: Scratch::default(),
        }
    }

    /// Writes the maps `to`, whose extents are set, as the correlation of the maps `from` with windows, or adds it
    /// where `accumulate`. `padding` is the border of zeros around `from`.
    fn correlate(
        &self,
        windows: &Windows<W>,
        padding: usize,
        from: &Tensor<F>,
        to: &mut Tensor<F>,
        accumulate: bool,
    ) {
        let (fe, te) = (from.extents, to.extents);
        let tiles = Tiles::new(te);
        // Small maps are taken together, so that each product has rows enough.
        let images = LEAST_TILES.div_ceil(tiles.rows * tiles.columns);
        let groups =
            from.data.par_chunks(images * fe.image()).zip(to.data.par_chunks_mut(images * te.image()));
        groups.for_each(|(from, to)| {
            let patches =
                Patches { maps: from, extents: fe, padding, tiles, zeros: vec![F::zero(); fe.channels] };
            for rows in
                blocks(to.len() / te.image() * tiles.rows, tiles.columns * (fe.channels + te.channels))
            {
                let size = windows.size::<F>(rows.len() * tiles.columns);
                let (left, right, sums) =
                    (size.rows * size.depth, size.depth * size.columns, size.rows * size.columns);
                self.words.with(GRID * left, |v| {
                    put_channels(&patches, rows.clone(), v);
                    self.sums.with(GRID * sums, |m| {
                        for place in 0..GRID {
                            let words = &v[place * left..][..left];
                            let left = Left { words, row: size.depth, depth: 1 };
                            let out = &mut m[place * sums..][..sums];
                            W::multiply(size, left, &windows.words[place * right..][..right], out, false);
                        }
                        tiles.collect(m, rows.clone(), to, accumulate);
                    });
                });
            }
        });
    }
}

impl<F: Float, W: Multiply<F> + Debug> Method<F> for Winograd<F, W> {
    fn prepare(&mut self, weights: &[F]) {
        self.windows.transform(weights);
        self.turned.transform(&turned(weights, self.windows.from, self.windows.to));
    }

    fn forward(&self, _: &[F], x: &Tensor<F>, y: &mut Tensor<F>) {
        self.correlate(&self.windows, self.padding, x, y, false);
    }

    fn input_gradient(&self, _: &[F], grad_out: &Tensor<F>, grad_in: &mut Tensor<F>, accumulate: bool) {
        self.correlate(&self.turned, 2 - self.padding, grad_out, grad_in, accumulate);
    }

    fn weight_gradient(&self, (x, xe): (&[F], Extents), (g, ge): (&[F], Extents), gradient: &mut [F]) {
        let tiles = Tiles::new(ge);
        let patches = Patches {
            maps: x,
            extents: xe,
            padding: self.padding,
            tiles,
            zeros: vec![F::zero(); xe.channels],
        };
        let outputs = Outputs { maps: g, tiles, zeros: vec![F::zero(); ge.channels] };
        let pairs = xe.channels * ge.channels;
        let panel = W::panel(ge.channels);
        self.sums.with(GRID * pairs, |sums| {
            sums.fill(F::zero());
            for rows in blocks(g.len() / ge.image() * tiles.rows, tiles.columns * (xe.channels + ge.channels))
            {
                let depth = (rows.len() * tiles.columns).div_ceil(W::NUMBERS);
                let size = Size { rows: xe.channels, depth, columns: ge.channels };
                let (left, right) = (depth * size.rows, depth * size.columns);
                self.words.with(GRID * (left + right), |words| {
                    let (v, z) = words.split_at_mut(GRID * left);
                    put_tiles(&patches, rows.clone(), size.rows, v);
                    put_tiles(&outputs, rows.clone(), panel, z);
                    for place in 0..GRID {
                        let words = &v[place * left..][..left];
                        let left = Left { words, row: 1, depth: size.rows };
                        let out = &mut sums[place * pairs..][..pairs];
                        W::multiply(size, left, &z[place * right..][..right], out, true);
                    }
                });
            }
            gather_weights(sums, gradient);
        });
    }
}

/// Windows of a correlation of maps: `G g G^T` of each channel pair.
#[derive(Debug)]
struct Windows<W> {
    /// `[4, 4, from, to]`, the latter two as right operands of products.
    words: Vec<W>,
    from: usize,
    to: usize,
}

impl<W> Windows<W> {
    fn new(from: usize, to: usize) -> Self {
        Windows { words: vec![], from, to }
    }

    /// From windows `[3, 3, from, to]`.
    fn transform<F: Float>(&mut self, windows: &[F])
    where
        W: Multiply<F>,
    {
        let Windows { from, to, .. } = *self;
        self.words.resize(GRID * from / W::NUMBERS * to, W::default());
        let (size, panel) = (self.size::<F>(0), W::panel(to));
        let (stride, words) = (from / W::NUMBERS * to, &mut self.words);
        Arch::new().dispatch(
            #[inline(always)]
            || {
                for k in 0..from / W::NUMBERS {
                    let input = first_number::<F, W>(k);
                    for output in (0..to).step_by(LANES) {
                        let grid = |input: usize| {
                            let mut g = [[F::zero(); LANES]; 9];
                            for (place, lanes) in g.iter_mut().enumerate() {
                                *lanes = load(windows, (place * from + input) * to + output);
                            }
                            expand_weights(g)
                        };
                        let at = place_in_panels(panel, size, k, output);
                        put(grid(input), grid(input + to_second::<F, W>()), words, at, stride);
                    }
                }
            },
        );
    }

    /// Of a product with `rows` tiles.
    fn size<F: Float>(&self, rows: usize) -> Size
    where
        W: Word<F>,
    {
        Size { rows, depth: self.from / W::NUMBERS, columns: self.to }
    }
}

/// Windows `[3, 3, in, out]` turned by 180 degrees, `[3, 3, out, in]`: the gradient by the input is their
/// correlation with the gradient by the output.
fn turned<F: Float>(weights: &[F], in_channels: usize, out_channels: usize) -> Vec<F> {
    let mut turned = vec![F::zero(); weights.len()];
    let pairs = in_channels * out_channels;
    for (window, weights) in turned.chunks_exact_mut(pairs).zip(weights.chunks_exact(pairs).rev()) {
        for (output, row) in window.chunks_exact_mut(in_channels).enumerate() {
            row.iter_mut().enumerate().for_each(|(input, w)| *w = weights[input * out_channels + output]);
        }
    }
    turned
}

/// Channel whose number comes first in word `k`; the second is [`LANES`] channels further, so that words are
/// packed from whole registers.
fn first_number<F: Float, W: Word<F>>(k: usize) -> usize {
    k / LANES * LANES * W::NUMBERS + k % LANES
}

/// How far the second number of a word is from the first one, where there is one.
fn to_second<F: Float, W: Word<F>>() -> usize {
    (W::NUMBERS - 1) * LANES
}

/// Writes words for each place of the grid, `stride` apart.
#[inline(always)]
fn put<F: Float, W: Word<F>>(first: Grid<F>, second: Grid<F>, words: &mut [W], at: usize, stride: usize) {
    grid!(place => store(W::pack(first[place], second[place]), words, place * stride + at));
}

/// Tiles as a left operand that is summed over channels: `[4, 4, tile, channel]`.
fn put_channels<F: Float, W: Word<F>, S: Source<F>>(source: &S, rows: Range<usize>, words: &mut [W]) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            let (width, stride) = (source.channels() / W::NUMBERS, words.len() / GRID);
            for tile in 0..stride / width {
                let runs = source.tile(source.tiles().corner(rows.start, tile));
                for k in (0..width).step_by(LANES) {
                    let channel = first_number::<F, W>(k);
                    let second = S::grid(&runs, channel + to_second::<F, W>());
                    put(S::grid(&runs, channel), second, words, tile * width + k, stride);
                }
            }
        },
    );
}

/// Tiles as an operand of panels that is summed over tiles: `[4, 4, tile, channel]`. The last word's second tile may
/// be missing; its numbers are zero.
fn put_tiles<F: Float, W: Word<F>, S: Source<F>>(
    source: &S,
    rows: Range<usize>,
    panel: usize,
    words: &mut [W],
) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            let (columns, count) = (source.channels(), rows.len() * source.tiles().columns);
            let size = Size { rows: 0, depth: count.div_ceil(W::NUMBERS), columns };
            let stride = words.len() / GRID;
            for k in 0..size.depth {
                let (first, second) = (k * W::NUMBERS, (k + 1) * W::NUMBERS - 1);
                let missing = second >= count;
                let [first, second] = [first, second.min(count - 1)]
                    .map(|tile| source.tile(source.tiles().corner(rows.start, tile)));
                for channel in (0..columns).step_by(LANES) {
                    let at = place_in_panels(panel, size, k, channel);
                    if missing {
                        put(S::grid(&first, channel), [[F::zero(); LANES]; GRID], words, at, stride);
                    } else {
                        put(S::grid(&first, channel), S::grid(&second, channel), words, at, stride);
                    }
                }
            }
        },
    );
}

/// Rows of tiles in blocks whose words fit a core's cache.
fn blocks(rows: usize, row_words: usize) -> impl Iterator<Item = Range<usize>> {
    let step = (BLOCK_WORDS / (GRID * row_words)).clamp(1, rows.max(1));
    (0..rows).step_by(step).map(move |first| first..(first + step).min(rows))
}

/// `G^T u G` of each channel pair: from `[4, 4, pairs]` to `[3, 3, pairs]`.
fn gather_weights<F: Float>(u: &[F], weights: &mut [F]) {
    let pairs = u.len() / GRID;
    Arch::new().dispatch(
        #[inline(always)]
        || {
            for pair in (0..pairs).step_by(LANES) {
                for (place, lanes) in contract_weights(load_grid(u, pair, pairs)).into_iter().enumerate() {
                    store(lanes, weights, place * pairs + pair);
                }
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::conv::unfolded::Unfolded;
    use crate::layers::conv::word::Pair;
    use proptest::prelude::*;
    use rand::{Rng, SeedableRng};
    use rand_pcg::Pcg64Mcg;

    /// Small whole numbers, which bf16 and all sums of them hold exactly.
    fn random(rng: &mut Pcg64Mcg, extents: Extents) -> Tensor<f64> {
        let number = |_| f64::from(rng.random_range(-8..=8));
        Tensor { extents, data: (0..extents.elements()).map(number).collect() }
    }

    fn rounded<F: Float>(x: &Tensor<f64>) -> Tensor<F> {
        Tensor { extents: x.extents, data: x.data.iter().map(|x| F::of(*x)).collect() }
    }

    fn same<F: Float>(a: &[f64], b: &[F]) -> bool {
        a.iter().zip(b).all(|(a, b)| *a == b.f64())
    }

    /// What tiles do with +-1 weights is exactly what unfolded windows do.
    fn check<F: Float, W: Multiply<F> + Debug>(
        seed: u64,
        (images, height, width): (usize, usize, usize),
        (in_channels, out_channels): (usize, usize),
        padding: usize,
        accumulate: bool,
    ) -> Result<(), TestCaseError> {
        let mut rng = Pcg64Mcg::seed_from_u64(seed);
        let window = Window { kernel: 3, stride: 1, padding };
        prop_assert!(applies::<F, W>(window, in_channels, out_channels));
        let xe = Extents { images, height, width, channels: in_channels };
        let ye = Extents {
            images,
            height: window.positions(height),
            width: window.positions(width),
            channels: out_channels,
        };
        let sign = |_| if rng.random() { 1.0 } else { -1.0 };
        let weights: Vec<f64> = (0..9 * in_channels * out_channels).map(sign).collect();
        let unfolded = Unfolded::new(window, in_channels, out_channels);
        let mut tiles = Winograd::<F, W>::new(padding, in_channels, out_channels);
        tiles.prepare(&weights.iter().map(|w| F::of(*w)).collect::<Vec<F>>());
        let (x, g) = (random(&mut rng, xe), random(&mut rng, ye));
        let (x_tiles, g_tiles) = (rounded::<F>(&x), rounded::<F>(&g));

        let (mut expected, mut y) = (Tensor::zeros(ye), Tensor::zeros(ye));
        unfolded.forward(&weights, &x, &mut expected);
        tiles.forward(&[], &x_tiles, &mut y);
        prop_assert!(same(&expected.data, &y.data), "forward");

        let mut expected = random(&mut rng, xe);
        let mut grad_in = rounded::<F>(&expected);
        unfolded.input_gradient(&weights, &g, &mut expected, accumulate);
        tiles.input_gradient(&[], &g_tiles, &mut grad_in, accumulate);
        prop_assert!(same(&expected.data, &grad_in.data), "gradient by the input");

        let (mut expected, mut gradient) = (vec![0.0; weights.len()], vec![F::zero(); weights.len()]);
        unfolded.weight_gradient((&x.data, xe), (&g.data, ye), &mut expected);
        tiles.weight_gradient((&x_tiles.data, xe), (&g_tiles.data, ye), &mut gradient);
        prop_assert!(same(&expected, &gradient), "gradient by the weights");
        Ok(())
    }

    proptest! {
        #[test]
        fn tiles_do_what_unfolded_windows_do(
            seed: u64,
            size in (1usize..5, 3usize..10, 3usize..10),
            blocks in (1usize..4, 1usize..4),
            padding in 0usize..3,
            accumulate: bool,
        ) {
            let channels = (blocks.0 * LANES, blocks.1 * LANES);
            check::<f64, f64>(seed, size, channels, padding, accumulate)?;
            check::<f32, f32>(seed, size, channels, padding, accumulate)?;
            let channels = (2 * channels.0, 2 * channels.1);
            check::<f32, Pair>(seed, size, channels, padding, accumulate)?;
        }
    }
}
