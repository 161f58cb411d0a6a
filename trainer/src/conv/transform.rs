//! The transforms of F(2x2, 3x3), of some channels at a time.

use super::lanes::{LANES, Lanes, add, half, load, sub};
use crate::Float;

/// Places of the 4x4 grid.
pub(super) const GRID: usize = 16;

/// Some channels at each place of a 4x4 grid, row after row.
pub(super) type Grid<F> = [Lanes<F>; GRID];

/// The grids of channels from `first` on, a place `stride` from the next.
#[inline(always)]
pub(super) fn load_grid<F: Float>(from: &[F], first: usize, stride: usize) -> Grid<F> {
    let mut grid = [[F::zero(); LANES]; GRID];
    for (place, lanes) in grid.iter_mut().enumerate() {
        *lanes = load(from, place * stride + first);
    }
    grid
}

/// `B^T d B`.
#[inline(always)]
pub(super) fn expand_patch<F: Float>(mut d: Grid<F>) -> Grid<F> {
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
pub(super) fn expand_outputs<F: Float>([a, b, c, d]: [Lanes<F>; 4]) -> Grid<F> {
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
pub(super) fn contract_tile<F: Float>(mut m: Grid<F>) -> [Lanes<F>; 4] {
    for (first, step) in [(0, 4), (1, 4), (2, 4), (3, 4), (0, 1), (4, 1)] {
        let (b, c) = (m[first + step], m[first + 2 * step]);
        m[first] = add(add(m[first], b), c);
        m[first + step] = sub(sub(b, c), m[first + 3 * step]);
    }
    [m[0], m[1], m[4], m[5]]
}

/// `G g G^T`.
#[inline(always)]
pub(super) fn expand_weights<F: Float>(g: [Lanes<F>; 9]) -> Grid<F> {
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
pub(super) fn contract_weights<F: Float>(mut u: Grid<F>) -> [Lanes<F>; 9] {
    for (first, step) in [(0, 4), (1, 4), (2, 4), (3, 4), (0, 1), (4, 1), (8, 1)] {
        let (b, c) = (u[first + step], u[first + 2 * step]);
        let sum = half(add(b, c));
        u[first] = add(u[first], sum);
        u[first + step] = half(sub(b, c));
        u[first + 2 * step] = add(sum, u[first + 3 * step]);
    }
    [u[0], u[1], u[2], u[4], u[5], u[6], u[8], u[9], u[10]]
}
