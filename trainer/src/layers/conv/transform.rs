//! The transforms of F(2x2, 3x3), of some channels at a time.

use super::lanes::{LANES, Lanes, add, half, load, sub};
use crate::Float;

/// Places of the 4x4 grid.
pub(super) const GRID: usize = 16;

/// Some channels at each place of a 4x4 grid, row after row.
pub(super) type Grid<F> = [Lanes<F>; GRID];

/// An expression for each place of the grid. Written out, so that a grid stays in registers.
macro_rules! grid {
    ($place:ident => $value:expr) => {
        grid!($place => $value, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15)
    };
    ($place:ident => $value:expr, $($number:literal)*) => {
        [$({
            let $place = $number;
            $value
        }),*]
    };
}
pub(super) use grid;

/// `line` on four places of a grid, for each of the given fours.
macro_rules! lines {
    ($grid:ident, $line:ident, $([$a:literal $b:literal $c:literal $d:literal])*) => {
        $([$grid[$a], $grid[$b], $grid[$c], $grid[$d]] = $line([$grid[$a], $grid[$b], $grid[$c], $grid[$d]]);)*
    };
}

/// The grids of channels from `first` on, a place `stride` from the next.
#[inline(always)]
pub(super) fn load_grid<F: Float>(from: &[F], first: usize, stride: usize) -> Grid<F> {
    grid!(place => load(from, place * stride + first))
}

/// `B^T d B`.
#[inline(always)]
pub(super) fn expand_patch<F: Float>(mut d: Grid<F>) -> Grid<F> {
    #[inline(always)]
    fn line<F: Float>([a, b, c, d]: [Lanes<F>; 4]) -> [Lanes<F>; 4] {
        [sub(a, c), add(b, c), sub(c, b), sub(b, d)]
    }
    lines!(d, line, [0 4 8 12] [1 5 9 13] [2 6 10 14] [3 7 11 15]);
    lines!(d, line, [0 1 2 3] [4 5 6 7] [8 9 10 11] [12 13 14 15]);
    d
}

/// `A y A^T`.
#[inline(always)]
pub(super) fn expand_outputs<F: Float>([a, b, c, d]: [Lanes<F>; 4]) -> Grid<F> {
    let zero = [F::zero(); LANES];
    #[inline(always)]
    fn line<F: Float>([a, b, zero, _]: [Lanes<F>; 4]) -> [Lanes<F>; 4] {
        [a, add(a, b), sub(a, b), sub(zero, b)]
    }
    let ([a0, a1, a2, a3], [b0, b1, b2, b3]) = (line([a, c, zero, zero]), line([b, d, zero, zero]));
    let mut grid = [a0, b0, zero, zero, a1, b1, zero, zero, a2, b2, zero, zero, a3, b3, zero, zero];
    lines!(grid, line, [0 1 2 3] [4 5 6 7] [8 9 10 11] [12 13 14 15]);
    grid
}

/// `A^T m A`.
#[inline(always)]
pub(super) fn contract_tile<F: Float>(mut m: Grid<F>) -> [Lanes<F>; 4] {
    #[inline(always)]
    fn line<F: Float>([a, b, c, d]: [Lanes<F>; 4]) -> [Lanes<F>; 4] {
        [add(add(a, b), c), sub(sub(b, c), d), c, d]
    }
    lines!(m, line, [0 4 8 12] [1 5 9 13] [2 6 10 14] [3 7 11 15]);
    lines!(m, line, [0 1 2 3] [4 5 6 7]);
    [m[0], m[1], m[4], m[5]]
}

/// `G g G^T`.
#[inline(always)]
pub(super) fn expand_weights<F: Float>(g: [Lanes<F>; 9]) -> Grid<F> {
    #[inline(always)]
    fn line<F: Float>([a, b, c, _]: [Lanes<F>; 4]) -> [Lanes<F>; 4] {
        let (outer, inner) = (half(add(a, c)), half(b));
        [a, add(outer, inner), sub(outer, inner), c]
    }
    let zero = [F::zero(); LANES];
    let [a, b, c, d, e, f, g, h, i] = g;
    let mut grid = [a, b, c, zero, d, e, f, zero, g, h, i, zero, zero, zero, zero, zero];
    lines!(grid, line, [0 4 8 12] [1 5 9 13] [2 6 10 14]);
    lines!(grid, line, [0 1 2 3] [4 5 6 7] [8 9 10 11] [12 13 14 15]);
    grid
}

/// `G^T u G`.
#[inline(always)]
pub(super) fn contract_weights<F: Float>(mut u: Grid<F>) -> [Lanes<F>; 9] {
    #[inline(always)]
    fn line<F: Float>([a, b, c, d]: [Lanes<F>; 4]) -> [Lanes<F>; 4] {
        let sum = half(add(b, c));
        [add(a, sum), half(sub(b, c)), add(sum, d), d]
    }
    lines!(u, line, [0 4 8 12] [1 5 9 13] [2 6 10 14] [3 7 11 15]);
    lines!(u, line, [0 1 2 3] [4 5 6 7] [8 9 10 11]);
    [u[0], u[1], u[2], u[4], u[5], u[6], u[8], u[9], u[10]]
}
